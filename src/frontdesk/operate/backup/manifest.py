"""What a backup says of itself: when it was made of what, and the size and digest of every piece.

`manifest.json` can be read by anybody and holds no secret; `manifest.seal` beside it is its HMAC-SHA-256 under a key
that is derived from the backup's, so nobody without that key can change the one to fit changed pieces.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from frontdesk.errors import WrongKey
from frontdesk.gate.signing import derived_key
from frontdesk.operate.errors import BackupDamaged, BackupTooNew
from frontdesk.store.audit import Head
from frontdesk.store.keyring import key_id

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "manifest.seal"

PieceName = Literal["database", "files", "settings", "keys"]
Kind = Literal["sqlite", "postgresql"]


class Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a database held at the moment of the backup: its revision, the rows of each table, the audit log's end."""

    kind: Kind
    revision: str
    counts: dict[str, int]
    audit: Head


class Piece(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sealed file: its bytes on the disk and their SHA-256, and how many entries it holds (0 for a database)."""

    name: PieceName
    bytes: int
    sha256: str
    entries: int = 0

    @property
    def file(self) -> str:
        """What it is called in the backup's folder."""
        return file_of(self.name)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A backup. `made_at` is the moment of which the database is; `key` names the key that seals the pieces.

    `sealed_with` names the newest key of people's words, `signed_with` the secret that signs the audit log: names that
    tell nothing of the keys, so that a desk with others is told before anything happens.
    """

    format: int
    name: str
    frontdesk: str
    desk: str
    blueprint: str | None
    made_at: datetime
    finished_at: datetime
    key: str
    sealed_with: str
    signed_with: str
    database: Facts
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """All pieces together."""
        return sum(piece.bytes for piece in self.pieces)

    def age(self, now: datetime) -> float:
        """Seconds since the moment of which the backup is."""
        return (now - self.made_at).total_seconds()

    def piece(self, name: PieceName) -> Piece | None:
        """The piece of that name."""
        return next((piece for piece in self.pieces if piece.name == name), None)


class _Beginning(msgspec.Struct, frozen=True):
    """What a manifest of any format says."""

    format: int
    key: str


def file_of(piece: PieceName) -> str:
    """What a piece is called in the backup's folder."""
    return f"{piece}.sealed"


def written(manifest: Manifest, key: bytes) -> Mapping[str, bytes]:
    """The manifest's two files, the seal first: without it the manifest is worth nothing."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    return {SEAL: _seal(text, key), MANIFEST: text}


def read(text: bytes, where: str) -> Manifest:
    """The manifest as it stands, whoever wrote it. Raises `BackupDamaged`, or `BackupTooNew` for a later format."""
    try:
        beginning = msgspec.json.decode(text, type=_Beginning)
        if beginning.format > FORMAT:
            raise BackupTooNew(
                f"It has format {beginning.format}, and this version reads formats up to {FORMAT}", where=where
            )
        return msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BackupDamaged("Its manifest cannot be read", where=f"{where}/{MANIFEST}") from error


def checked(text: bytes, seal: bytes, key: bytes, name: str) -> Manifest:
    """The manifest, if whoever holds the key wrote it for the backup of this name.

    Raises `BackupDamaged`, `BackupTooNew`, or `WrongKey` when it was sealed with another key.
    """
    manifest = read(text, name)
    if manifest.key != key_id(key).decode():
        raise WrongKey(
            f"The backup is sealed with the key {manifest.key}, and the key here is {key_id(key).decode()}",
            where=name,
            hint="Set BACKUP_KEY (or BACKUP_KEY_FILE) to the key that the backup was made with.",
        )
    if not hmac.compare_digest(seal, _seal(text, key)):
        raise BackupDamaged("Its manifest was changed", where=f"{name}/{MANIFEST}")
    if manifest.name != name:
        raise BackupDamaged(f"It calls itself {manifest.name}", where=name, hint="Give its folder that name back.")
    return manifest


def _seal(text: bytes, key: bytes) -> bytes:
    return hmac.new(derived_key(key, "backup manifest"), text, sha256).hexdigest().encode()
