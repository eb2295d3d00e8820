"""What must be true before, during and after a release: each item evaluated where the desk can know it."""
