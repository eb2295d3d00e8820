"""Ways to reach the desk, a module per channel."""
