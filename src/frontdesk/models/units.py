"""Cuts a passage into what can be quoted by itself: sentences, list items, code blocks, tables. Never a part of one.

Text is Markdown or plain. Every unit is a verbatim slice of the passage.
"""

import re
from typing import Literal

import msgspec

Kind = Literal["sentence", "item", "block"]

LARGEST_GROUP = 1_200  # characters up to which a lead-in and its whole list or code stay together

FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
HEADING = re.compile(r"^\s{0,3}#{1,6}\s")
RULE = re.compile(r"^\s{0,3}([-*_=]\s*){3,}$")

# An end of a sentence: full stop and the like (with closing quotes or brackets) before white space and a new beginning,
# or the full stops of Chinese and Japanese, which no white space follows.
END = re.compile(r"(?:[.!?…؟।]+[\"'”’»)\]*_]*(?=\s+[\"'“‘«(\[*_¿¡`]*[^\sa-zß-öø-ÿ])|[。！？]+[」』”）]*)", re.DOTALL)
ABBREVIATION = re.compile(
    r"(?:^|[\s(\[])(?:e\.g|i\.e|etc|vs|cf|ca|approx|no|nr|fig|dr|mr|mrs|ms|prof|sr|jr|st|z\.\s?b|d\.\s?h|bzw|usw|u\.\s?a"
    r"|p\.\s?ej|ud|uds|p\.\s?ex|\w)\.$",
    re.IGNORECASE,
)


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A quotable piece: `text` is `passage[start:end]`. `leans`: it needs the unit before it to be understood."""

    kind: Kind
    text: str
    start: int
    end: int
    leans: bool = False


class _Block(msgspec.Struct, frozen=True, kw_only=True):
    kind: Literal["paragraph", "item", "code", "table"]
    start: int
    end: int


def units(passage: str) -> tuple[Unit, ...]:
    """The quotable units of a passage, in order."""
    blocks = _blocks(passage)
    found: list[Unit] = []
    position = 0
    while position < len(blocks):
        block = blocks[position]
        group = _group_end(passage, blocks, position)
        if group > position:
            lead = _sentences(passage, block)
            found.extend(lead[:-1])
            start = lead[-1].start if lead else block.start
            found.append(_unit(passage, "block", start, blocks[group].end))
            position = group + 1
            continue
        if block.kind == "paragraph":
            found.extend(_sentences(passage, block))
        else:
            found.append(_unit(passage, "item" if block.kind == "item" else "block", block.start, block.end))
        position += 1
    return tuple(unit for unit in found if any(character.isalnum() for character in unit.text))


def _group_end(passage: str, blocks: list[_Block], position: int) -> int:
    """The last block that belongs to a lead-in (a paragraph that ends in a colon), or `position`."""
    block = blocks[position]
    if block.kind != "paragraph" or not passage[block.start : block.end].rstrip("*_ ").endswith((":", "：")):
        return position
    last = position
    while last + 1 < len(blocks) and blocks[last + 1].kind != "paragraph":
        if last > position and blocks[last + 1].kind != blocks[last].kind:
            break
        last += 1
    return last if blocks[last].end - block.start <= LARGEST_GROUP else position


def _blocks(passage: str) -> list[_Block]:
    blocks: list[_Block] = []
    kind: Literal["paragraph", "item", "code", "table"] | None = None
    fence = ""
    start = end = offset = 0

    def close() -> None:
        nonlocal kind
        if kind is not None:
            blocks.append(_Block(kind=kind, start=start, end=end))
        kind = None

    for line in passage.splitlines(keepends=True):
        text = line.rstrip()
        opening = FENCE.match(text)
        if kind == "code":
            end = offset + len(text)
            if opening and text.strip().startswith(fence) and not text.strip().strip(fence[0]):
                close()
        elif opening:
            close()
            kind, start, end, fence = "code", offset, offset + len(text), opening.group(1)
        elif not text or HEADING.match(text) or RULE.match(text):
            close()
        else:
            new = "item" if ITEM.match(text) else "table" if text.lstrip().startswith("|") else "paragraph"
            continues = kind == new != "item" or (kind == "item" and new == "paragraph")
            if not continues:
                close()
                kind, start = new, offset + len(text) - len(text.lstrip())
            end = offset + len(text)
        offset += len(line)
    close()
    return blocks


def _sentences(passage: str, block: _Block) -> list[Unit]:
    """The paragraph's sentences. Code spans are never cut, and an abbreviation ends none."""
    text = passage[block.start : block.end]
    cuts: list[int] = []
    for match in END.finditer(text):
        before = text[: match.end()]
        if before.count("`") % 2 == 0 and not ABBREVIATION.search(before.rstrip("\"'”’»)]*_")):
            cuts.append(match.end())
    found: list[Unit] = []
    start = 0
    for cut in [*(cut for cut in cuts if cut < len(text.rstrip())), len(text)]:
        sentence = text[start:cut]
        begin = start + len(sentence) - len(sentence.lstrip())
        if sentence.strip():
            found.append(
                _unit(
                    passage, "sentence", block.start + begin, block.start + cut, leans=bool(found) and _leans(sentence)
                )
            )
        start = cut
    return found


def _unit(passage: str, kind: Kind, start: int, end: int, *, leans: bool = False) -> Unit:
    text = passage[start:end].rstrip()
    return Unit(kind=kind, text=text, start=start, end=start + len(text), leans=leans)


# Words that point back to the sentence before, in the languages that visitors use most.
POINTERS = frozenset(
    re.findall(
        r"\w+",
        """
        it this these those they he she such then otherwise however also both instead there
        es dies diese dieser dieses sie er dann sonst jedoch dort dafür dazu
        esto esta este estos estas ello entonces además
        cela ceci ces cette ce elle il ils elles alors sinon
        questo questa questi isso isto ele ela
        """,
    )
)


def _leans(sentence: str) -> bool:
    first = re.match(r"\W*(\w+)", sentence)
    return first is not None and first.group(1).casefold() in POINTERS
