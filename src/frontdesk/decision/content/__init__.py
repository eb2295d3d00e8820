"""What messages to customers say: written by a model or filled into an approved text, and checked either way."""
