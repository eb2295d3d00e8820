"""Telegram: updates in, replies out, over the Bot API (https://core.telegram.org/bots/api)."""
