"""Plain text: paragraphs, and headings that are underlined with a row of signs."""

import re

from frontdesk.knowledge.readers import Block, Reader, Reading, decode

_UNDERLINE = re.compile(r"([=\-~^#*\"'])\1{2,}\s*")
_GAP = re.compile(r"\n[ \t]*\n")
_LISTED = re.compile(r"\s*(?:[-*•]|\d{1,3}[.)])\s")


def read(data: bytes, charset: str | None) -> Reading:
    """Paragraphs are what blank lines part."""
    levels: dict[str, int] = {}
    blocks: list[Block] = []
    for paragraph in _GAP.split(decode(data, charset).replace("\r\n", "\n").replace("\r", "\n")):
        lines = paragraph.strip("\n").rstrip().split("\n")
        if len(lines) >= 2 and lines[0].strip() and _UNDERLINE.fullmatch(lines[1].strip()) and len(lines[1]) >= 3:
            sign = lines[1].strip()[0]
            blocks.append(Block("heading", lines[0].strip(), levels.setdefault(sign, len(levels) + 1)))
            lines = lines[2:]
        if any(line.strip() for line in lines):
            kind = "list" if all(_LISTED.match(line) or line.startswith("  ") for line in lines) else "text"
            blocks.append(Block(kind, "\n".join(lines)))
    title = next((block.text for block in blocks if block.kind == "heading" and block.level == 1), "")
    return Reading(title, tuple(blocks))


reader = Reader(media_types=("text/plain",), suffixes=(".txt", ".text", ".rst", ".log"), read=read)
