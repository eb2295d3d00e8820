"""Sending what stands in the outbox."""
