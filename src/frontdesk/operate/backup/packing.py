"""Making pieces smaller before they are sealed (sealed ones cannot be), as a stream: zlib, RFC 1950."""

import zlib
from collections.abc import Iterable, Iterator

from frontdesk.operate.errors import BackupDamaged

LEVEL = 1  # the fastest: what people wrote is sealed already, and does not get smaller


def pack(plain: Iterable[bytes]) -> Iterator[bytes]:
    """The same, smaller."""
    packer = zlib.compressobj(LEVEL)
    for part in plain:
        if smaller := packer.compress(part):
            yield smaller
    yield packer.flush()


def unpack(packed: Iterable[bytes], where: str) -> Iterator[bytes]:
    """What `pack` was given. Raises `BackupDamaged` where it does not end as it should."""
    unpacker = zlib.decompressobj()
    try:
        for part in packed:
            if plain := unpacker.decompress(part):
                yield plain
    except zlib.error as error:
        raise BackupDamaged("It does not unpack", where=where) from error
    if not unpacker.eof or unpacker.unused_data:
        raise BackupDamaged("It does not end as it should", where=where)
