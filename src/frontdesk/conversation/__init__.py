"""A turn, from message to reply."""
