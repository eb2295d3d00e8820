"""Running a system and looking after it."""
