"""How a piece of a backup is sealed: AES-256-GCM in chunks, so that it can be written and read as a stream.

A piece begins with the mark `FDB1` and 32 random bytes. Its own key is derived from the backup's key (HKDF-SHA-256,
RFC 5869) with those bytes as salt and the names of backup and piece as information, so a piece that is put in another's
place does not open. The chunks follow the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): the nonce of each is its number and whether it
is the last. So a chunk that is changed, left out, repeated or moved does not open, nor does a piece that was cut off.
"""

import os
import struct
from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from frontdesk.operate.errors import BackupDamaged

MARK = b"FDB1"
SALT = 32
HEAD = len(MARK) + SALT
CHUNK = 1 << 20  # bytes before sealing
TAG = 16
SEALED = CHUNK + TAG


def seal(plain: Iterable[bytes], key: bytes, backup: str, piece: str) -> Iterator[bytes]:
    """The sealed piece, in parts, of what comes in parts of any size."""
    salt = os.urandom(SALT)
    cipher = _cipher(key, salt, backup, piece)
    yield MARK + salt
    number, last = 0, b""
    for number, chunk in enumerate(_in_parts_of(CHUNK, plain)):
        if number:
            yield cipher.encrypt(_nonce(number - 1, last=False), last, None)
        last = chunk
    yield cipher.encrypt(_nonce(number, last=True), last, None)


def unseal(sealed: Iterable[bytes], key: bytes, backup: str, piece: str) -> Iterator[bytes]:
    """What `seal` was given, in parts, each of them authentic. Raises `BackupDamaged`.

    Only when it has ended is it known to be whole.
    """
    parts = _after_head(sealed, where := f"{backup}/{piece}")
    cipher = _cipher(key, next(parts), backup, piece)
    number, last = 0, b""
    try:
        for number, chunk in enumerate(_in_parts_of(SEALED, parts)):
            if number:
                yield cipher.decrypt(_nonce(number - 1, last=False), last, None)
            last = chunk
        yield cipher.decrypt(_nonce(number, last=True), last, None)
    except (InvalidTag, ValueError) as error:
        raise BackupDamaged(f"Its chunk {number + 1} was changed, moved or cut off", where=where) from error


def _cipher(key: bytes, salt: bytes, backup: str, piece: str) -> AESGCM:
    information = f"frontdesk backup 1\0{backup}\0{piece}".encode()
    return AESGCM(HKDF(SHA256(), 32, salt, information).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">3xQ?", number, last)


def _after_head(sealed: Iterable[bytes], where: str) -> Iterator[bytes]:
    """The salt, then all that follows it."""
    begun, parts = b"", iter(sealed)
    while len(begun) < HEAD and (part := next(parts, None)) is not None:
        begun += part
    if len(begun) < HEAD or not begun.startswith(MARK):
        raise BackupDamaged("It is no piece of a backup, or its beginning is lost", where=where)
    yield begun[len(MARK) : HEAD]
    yield begun[HEAD:]
    yield from parts


def _in_parts_of(size: int, parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in parts of exactly `size`; only the last one is shorter."""
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
