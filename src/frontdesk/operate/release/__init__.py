"""Releases: what runs, what ran before, and the way from one to the other while calls go on."""
