"""The HTTP face of engagement: events and customers in, decisions and their lists out."""
