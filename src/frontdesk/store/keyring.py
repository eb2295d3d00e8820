"""The keys that seal people's words in the database: AES-256-GCM, and an id with each value, so that keys can change.

A sealed value begins with its mark, `fd1$` and the id of its key, the first eight hexadecimal digits of a hash of it.
Then come a nonce of 96 random bits, the ciphertext and the tag of 128 bits (NIST SP 800-38D, which bounds the values
that one key may seal in this way to 2**32). The name of the column is authenticated with each value, so a value that
somebody copies into another column does not open there.
"""

import os
import re
from collections.abc import Callable, Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.exc import DontWrapMixin

from frontdesk.errors import BadSetting, WrongKey

KEY_BYTES = 32
NONCE_BYTES = 12
MARK = re.compile(rb"fd1\$([0-9a-f]{8})\$")
MARK_LENGTH = 13


class CannotOpen(WrongKey, DontWrapMixin):
    """`WrongKey` as it comes out of a statement: SQLAlchemy passes it on as it is."""


class KeyRing:
    """`keys[0]` seals, all of them open. `reread` gives the keys anew when a value names one that is not here."""

    def __init__(self, keys: Sequence[bytes], *, reread: Callable[[], Sequence[bytes]] | None = None) -> None:
        self._reread = reread
        self._ciphers: dict[bytes, AESGCM] = {}
        self.words_key = b""  # of the word index; it lies sealed in the database, see `store.words`
        self._hold(keys)

    @property
    def mark(self) -> bytes:
        """What the values begin with that are sealed now."""
        return self._mark

    @property
    def name(self) -> str:
        """The id of the newest key."""
        return self._mark.split(b"$")[1].decode()

    @property
    def names(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(key.decode() for key in self._ciphers)

    def seal(self, plain: bytes, column: str) -> bytes:
        """Seal a value of `column` (`messages.text`)."""
        nonce = os.urandom(NONCE_BYTES)
        return self._mark + nonce + self._current.encrypt(nonce, plain, column.encode())

    def unseal(self, value: bytes, column: str) -> bytes:
        """The value as it was before `seal`. Raises `WrongKey` when no key fits or the value was changed."""
        found = MARK.match(value)
        if found is None:
            raise CannotOpen("A value in the database is not sealed as it should be", where=column)
        cipher = self._ciphers.get(found.group(1)) or self._learned(found.group(1), column)
        nonce, sealed = value[MARK_LENGTH : MARK_LENGTH + NONCE_BYTES], value[MARK_LENGTH + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, sealed, column.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen(
                "A sealed value in the database was changed by somebody without its key",
                where=column,
                hint="Restore it from a backup; `frontdesk encryption status` counts what cannot be read.",
            ) from error

    def _hold(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._ciphers.setdefault(key_id(key), AESGCM(key))
        self._current = AESGCM(keys[0])
        self._mark = b"fd1$" + key_id(keys[0]) + b"$"

    def _learned(self, key: bytes, column: str) -> AESGCM:
        if self._reread is not None:
            self._hold(self._reread())
        if key not in self._ciphers:
            raise CannotOpen(f"The desk does not have the key {key.decode()}, with which text was sealed", where=column)
        return self._ciphers[key]


def key_id(key: bytes) -> bytes:
    """Eight hexadecimal digits that name a key and tell nothing of it."""
    return sha256(b"frontdesk key id" + key).hexdigest()[:8].encode()


def key_of(text: str, where: str) -> bytes:
    """The key that `text` stands for: 32 characters, or 64 hexadecimal digits. Raises `BadSetting`."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    if len(text.encode()) != KEY_BYTES:
        raise BadSetting(
            f"{where} is {len(text.encode())} bytes long, and a key has {KEY_BYTES}",
            where=where,
            hint="Set it to 32 characters, or to the 64 digits that `openssl rand -hex 32` prints.",
        )
    return text.encode()
