"""How the desk keeps what it stores: the keys that seal it."""

import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from frontdesk.gate.signing import kept_secret
from frontdesk.store.keyring import KEY_BYTES, KeyRing, key_of
from frontdesk.system.options import StoreOptions
from frontdesk.system.system import System

KEY_FILE = "encryption.key"  # in the home: a key a line, the newest first


def ring_of(system: System) -> KeyRing:
    """The keys of ENCRYPTION_KEY and ENCRYPTION_KEYS_OLD, and those that the desk made for itself.

    Without ENCRYPTION_KEY the desk makes its first key and keeps it in its home. Raises `BadSetting`.
    """
    options = system.section(StoreOptions)
    file = system.home / KEY_FILE
    old = [key_of(key.get_secret_value(), "ENCRYPTION_KEYS_OLD") for key in options.encryption_keys_old]
    configured = options.encryption_key.get_secret_value()
    if not configured:
        system.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept_secret("", file, make=partial(secrets.token_hex, KEY_BYTES))
        return KeyRing([*_kept(file), *old], reread=lambda: [*_kept(file), *old])
    return KeyRing([key_of(configured, "ENCRYPTION_KEY"), *old, *(_kept(file) if file.exists() else ())])


def _kept(file: Path) -> Sequence[bytes]:
    return [key_of(line, str(file)) for line in file.read_text().split()]
