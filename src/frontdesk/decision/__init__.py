"""Whom to write to, what, when and by which channel: from an event to a decision, and what is learned from it."""
