"""Word documents (Office Open XML, ECMA-376): a zip of XML parts, of which two are read, bounded in size."""

import io
import re
import zipfile
from collections.abc import Iterator
from typing import IO, cast
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from frontdesk.errors import UnreadableDocument
from frontdesk.knowledge.readers import Block, Reader, Reading

Event = tuple[str, Element]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LARGEST_PART = 40_000_000  # bytes of XML, unpacked
_HEADING = re.compile(r"heading\s*(\d)", re.IGNORECASE)
_MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def read(data: bytes, charset: str | None) -> Reading:  # noqa: ARG001 XML names its own
    """Headings by their style, paragraphs, lists and tables."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            levels = _heading_levels(package)
            blocks = list(_blocks(_part(package, "word/document.xml"), levels))
    except (zipfile.BadZipFile, ParseError, KeyError, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise UnreadableDocument("The file is not a Word document, or it is broken or encrypted") from error
    except DefusedXmlException as error:
        raise UnreadableDocument("The document holds XML entities, which Word never writes") from error
    title = next((block.text for block in blocks if block.kind == "heading" and block.level <= 1), "")
    return Reading(title, tuple(_joined(blocks)))


class _Bounded(io.RawIOBase):
    """Hands on at most so many unpacked bytes, whatever the zip's directory says."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._left = _LARGEST_PART

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, 1 << 16) if size >= 0 else 1 << 16)
        self._left -= len(data)
        if self._left < 0:
            raise UnreadableDocument(f"The document swells to more than {_LARGEST_PART // 1_000_000} MB")
        return data


def _part(package: zipfile.ZipFile, name: str) -> Iterator[Event]:
    """The elements of a part as they open and close."""
    with package.open(name) as packed:
        yield from cast("Iterator[Event]", iterparse(_Bounded(packed), events=("start", "end")))


def _heading_levels(package: zipfile.ZipFile) -> dict[str, int]:
    """Heading level by style id: ids differ between languages, the names and outline levels behind them do not."""
    levels = {f"Heading{level}": level for level in range(1, 7)} | {"Title": 1}
    if "word/styles.xml" not in package.namelist():
        return levels
    for event, element in _part(package, "word/styles.xml"):
        if event != "end" or element.tag != f"{_W}style":
            continue
        style = element.get(f"{_W}styleId", "")
        named = _HEADING.fullmatch(_value(element, f"{_W}name"))
        outline = _value(element, f"{_W}pPr/{_W}outlineLvl")
        if named or (outline.isdecimal() and int(outline) < 6):
            levels[style] = int(named.group(1)) if named else int(outline) + 1
        element.clear()
    return levels


def _blocks(events: Iterator[Event], levels: dict[str, int]) -> Iterator[Block]:
    """Paragraphs outside tables, and each outermost table with one line for a row."""
    depth = 0
    rows: list[str] = []
    cells: list[str] = []
    words: list[str] = []
    for event, element in events:
        if event == "start":
            depth += element.tag == f"{_W}tbl"
        elif element.tag == f"{_W}p":
            block = _paragraph(element, levels)
            element.clear()
            if depth:
                words.append(block.text)
            elif block.text:
                yield block
        elif element.tag == f"{_W}tc" and depth == 1:
            cells.append(" ".join(filter(None, words)))
            words.clear()
        elif element.tag == f"{_W}tr" and depth == 1:
            rows.append(" | ".join(cells))
            cells.clear()
        elif element.tag == f"{_W}tbl":
            depth -= 1
            if not depth:
                yield Block("table", "\n".join(rows))
                rows.clear()
                element.clear()


def _paragraph(element: Element, levels: dict[str, int]) -> Block:
    text = "".join(_words(element)).strip()
    level = levels.get(_value(element, f"{_W}pPr/{_W}pStyle"), 0)
    outline = _value(element, f"{_W}pPr/{_W}outlineLvl")
    if outline.isdecimal() and int(outline) < 6:
        level = int(outline) + 1
    if level:
        return Block("heading", text, level)
    if element.find(f"{_W}pPr/{_W}numPr") is not None and text:
        indent = _value(element, f"{_W}pPr/{_W}numPr/{_W}ilvl")
        return Block("list", "  " * (int(indent) if indent.isdecimal() else 0) + "- " + text)
    return Block("text", text)


def _words(element: Element) -> Iterator[str]:
    for part in element.iter():
        if part.tag == f"{_W}t":
            yield part.text or ""
        elif part.tag == f"{_W}tab":
            yield "\t"
        elif part.tag in (f"{_W}br", f"{_W}cr"):
            yield "\n"


def _value(element: Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get(f"{_W}val", "")


def _joined(blocks: list[Block]) -> Iterator[Block]:
    """List items that follow each other are one list."""
    lines: list[str] = []
    for block in blocks:
        if block.kind == "list":
            lines.append(block.text)
            continue
        if lines:
            yield Block("list", "\n".join(lines))
            lines.clear()
        yield block
    if lines:
        yield Block("list", "\n".join(lines))


reader = Reader(media_types=(_MEDIA_TYPE,), suffixes=(".docx",), read=read, magic=(b"PK\x03\x04",))
