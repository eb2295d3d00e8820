"""The keys that seal people's words: configured, or made by the desk and kept in its home."""

import os
import secrets
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from frontdesk.errors import BadSetting
from frontdesk.gate.signing import kept_secret
from frontdesk.store.keyring import KEY_BYTES, KeyRing, key_id, key_of
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


def renew_key(system: System) -> str:
    """Put a fresh key before the desk's own ones, which stay to read with; the id of the new key.

    A desk at work takes it over as soon as it meets the first value that was sealed with it. Raises `BadSetting` where
    the environment gives the key.
    """
    if system.section(StoreOptions).encryption_key.get_secret_value():
        raise BadSetting(
            "This desk's key comes from the environment, so it is changed there",
            where="ENCRYPTION_KEY",
            hint="Set ENCRYPTION_KEYS_OLD to it and ENCRYPTION_KEY to the output of `openssl rand -hex 32`, restart the"
            " desk, then run `frontdesk encryption rotate`.",
        )
    ring_of(system)  # makes the first key where there is none
    file, key = system.home / KEY_FILE, secrets.token_hex(KEY_BYTES)
    draft = file.with_name(f"{KEY_FILE}.{secrets.token_hex(6)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as made:
        made.write("\n".join([key, *file.read_text().split()]))
        made.flush()
        os.fsync(made.fileno())
    draft.replace(file)
    return key_id(bytes.fromhex(key)).decode()


def _kept(file: Path) -> Sequence[bytes]:
    return [key_of(line, str(file)) for line in file.read_text().split()]
