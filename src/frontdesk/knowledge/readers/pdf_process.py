"""The process that reads one PDF: bytes on stdin, `Pages` as JSON on stdout, an exit code when it cannot."""

import io
import logging
import sys
from collections.abc import Sequence
from typing import cast

import msgspec
from pypdf import PdfReader
from pypdf.errors import PyPdfError
from pypdf.generic import Destination

BYTES = 1_000_000_000  # of memory
SECONDS = 60  # of processor time
MOST_PAGES = 5000
MOST_CHARACTERS = 20_000_000
BROKEN = 1
ENCRYPTED = 4


class Entry(msgspec.Struct, frozen=True):
    """A line of the document's outline."""

    title: str
    level: int
    page: int


class Pages(msgspec.Struct, frozen=True):
    """The text of each page, and the outline."""

    title: str
    texts: list[str]
    outline: list[Entry]


answer_decoder = msgspec.json.Decoder(Pages)


def main() -> int:
    """Read, within bounds that the system keeps."""
    _bound()
    logging.disable(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            return ENCRYPTED
        texts: list[str] = []
        left = MOST_CHARACTERS
        for page in reader.pages[:MOST_PAGES]:
            texts.append(page.extract_text()[:left])
            left -= len(texts[-1])
            if left <= 0:
                break
        title = (reader.metadata.title or "") if reader.metadata else ""
        pages = Pages(title=str(title), texts=texts, outline=_outline(reader, reader.outline, 1))
        sys.stdout.buffer.write(msgspec.json.encode(pages))
    except (PyPdfError, MemoryError, RecursionError, ValueError, TypeError, KeyError, AttributeError, OSError):
        return BROKEN
    return 0


def _outline(reader: PdfReader, entries: Sequence[object], level: int) -> list[Entry]:
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry, list):
            found += _outline(reader, cast("list[object]", entry), level + 1) if level < 6 else []
        elif isinstance(entry, Destination) and entry.title:
            page = reader.get_destination_page_number(entry)
            found += [] if page is None else [Entry(str(entry.title), level, page)]
    return found


def _bound() -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's time-out is the only bound
        return
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file


if __name__ == "__main__":
    sys.exit(main())
