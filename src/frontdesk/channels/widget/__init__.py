"""The chat on other sites' pages: the script that they load, the panel in its frame, and how visitors come in."""
