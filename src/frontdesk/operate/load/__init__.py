"""Load runs: people who do not exist write to a desk, and each message is followed to its reply."""
