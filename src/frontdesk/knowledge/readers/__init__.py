"""Readers: bytes of a document → a title and blocks. Each is a plug-in of `frontdesk.readers`.

A reader works on whatever bytes it is given, in a worker thread: it bounds its own memory and time, and raises
`UnreadableDocument` with the reason.
"""

import codecs
import re
from collections.abc import Callable
from functools import cache
from pathlib import PurePosixPath
from typing import Literal

import msgspec

from frontdesk import registry
from frontdesk.errors import UnreadableDocument

LARGEST_TEXT = 20_000_000  # characters of one document
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Block(msgspec.Struct, frozen=True):
    """A part of a document that is kept together if it is not too long. `level` counts for headings: 1 is the top."""

    kind: Literal["heading", "text", "code", "list", "table"]
    text: str
    level: int = 0


class Reading(msgspec.Struct, frozen=True):
    """What a reader understood. An empty title is replaced by the file's name."""

    title: str
    blocks: tuple[Block, ...]


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of document. `read` gets the bytes and the charset that the server named, if any.

    `magic` holds beginnings by which the kind is known where neither media type nor file name tell.
    """

    media_types: tuple[str, ...]
    suffixes: tuple[str, ...]
    read: Callable[[bytes, str | None], Reading]
    magic: tuple[bytes, ...] = ()


@cache
def readers() -> tuple[Reader, ...]:
    """Every installed reader."""
    return tuple(registry.load("readers", name, Reader) for name in registry.names("readers"))


def suffixes() -> frozenset[str]:
    """The file endings that can be read, such as `.md`."""
    return frozenset(suffix for reader in readers() for suffix in reader.suffixes)


def read(data: bytes, *, name: str, media_type: str = "", charset: str | None = None) -> tuple[str, Reading]:
    """The media type and the content of a document. Raises `UnreadableDocument`."""
    reader = _reader(data, name, media_type)
    reading = reader.read(data, charset)
    if not any(block.text for block in reading.blocks if block.kind != "heading"):
        raise UnreadableDocument("The document holds no text", where=name, hint="A scan needs text recognition first.")
    if sum(len(block.text) for block in reading.blocks) > LARGEST_TEXT:
        raise UnreadableDocument(f"The document holds more than {LARGEST_TEXT:,} characters", where=name)
    blocks = tuple(Block(block.kind, clean(block.text), block.level) for block in reading.blocks)
    return reader.media_types[0], Reading(clean(reading.title).strip() or PurePosixPath(name).stem, blocks)


def decode(data: bytes, charset: str | None) -> str:
    """Text of bytes: by its byte order mark, as UTF-8, by the named charset, or else as Windows-1252."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\0" in data[:4096]:
        raise UnreadableDocument("The file is not text", hint="Give it the ending of its kind, such as .pdf.")
    for encoding in ("utf-8", charset or "utf-8"):
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("cp1252", "replace")


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, which databases refuse."""
    return _CONTROLS.sub("", text.encode("utf-8", "ignore").decode())


def _reader(data: bytes, name: str, media_type: str) -> Reader:
    suffix = PurePosixPath(name).suffix.lower()
    for reader in readers():
        if media_type in reader.media_types and media_type != "text/plain":
            return reader
    for reader in readers():
        if suffix in reader.suffixes:
            return reader
    for reader in readers():
        if any(data.startswith(magic) for magic in reader.magic) or media_type in reader.media_types:
            return reader
    known = ", ".join(sorted(suffixes()))
    raise UnreadableDocument("No reader knows this kind of document", where=name, hint=f"Known endings: {known}.")
