"""The owner's knowledge: documents become passages, passages are found again."""
