"""A world of customers who do not exist and whose tastes are known, to hold against them what the desk learns."""
