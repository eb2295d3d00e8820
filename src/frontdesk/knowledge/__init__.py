"""What the owner knows: documents → passages → vectors → search."""
