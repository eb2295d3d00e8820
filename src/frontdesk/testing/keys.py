"""A key ring for tests."""

from frontdesk.store.keyring import KeyRing

KEY = "a key for tests of 32 characters"


def key_ring(*keys: str) -> KeyRing:
    """A ring of these keys, or of `KEY` alone."""
    return KeyRing([key.encode() for key in keys or (KEY,)])
