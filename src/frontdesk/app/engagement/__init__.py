"""Engagement, wired: events in, decisions, messages out, and what is learned from them."""

from frontdesk.app.engagement.rooms import Engagement, open_engagement

__all__ = ["Engagement", "open_engagement"]
