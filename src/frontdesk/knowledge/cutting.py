"""Documents → passages: short enough to quote, long enough to understand.

A passage never crosses a heading. Paragraphs are gathered to about `GOAL` words; code, lists and tables stay whole to
`WHOLE` words; longer ones are cut at lines, paragraphs at sentences.
"""

import re
from collections.abc import Iterable, Iterator

from frontdesk.knowledge.readers import Block, Reading
from frontdesk.messages import Piece

GOAL = 150
LIMIT = 200
WHOLE = 400
CHARACTERS = 8 * WHOLE  # for text without blanks between words
PATH = " › "
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？])")
_WORD = re.compile(r"\S+")


def cut(reading: Reading) -> tuple[str, tuple[Piece, ...]]:
    """The document's plain text, and its passages with their places in it."""
    text = "\n\n".join(block.text for block in reading.blocks)
    pieces: list[Piece] = []
    path: dict[int, str] = {}
    section: list[tuple[int, int]] = []
    place = 0
    for block in reading.blocks:
        if block.kind == "heading":
            pieces += _pieces(text, _heading(path, reading.title), section)
            section = []
            path = {level: words for level, words in path.items() if level < block.level} | {block.level: block.text}
        else:
            section += _spans(block, place)
        place += len(block.text) + 2
    pieces += _pieces(text, _heading(path, reading.title), section)
    return text, tuple(pieces)


def _heading(path: dict[int, str], title: str) -> str:
    words = [path[level] for level in sorted(path) if path[level]]
    return PATH.join(words[1:] if words and words[0] == title else words)


def _pieces(text: str, heading: str, spans: Iterable[tuple[int, int]]) -> Iterator[Piece]:
    for start, end in _gathered(text, spans):
        words = text[start:end]
        lead = len(words) - len(words.lstrip("\n"))
        yield Piece(
            heading=heading, text=words.strip("\n").rstrip(), start=start + lead, end=start + len(words.rstrip())
        )


def _gathered(text: str, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbours joined while they fit: until the goal is met, or beyond it for a short rest."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if not text[start:end].strip():
            continue
        if joined:
            size, more = _words(text[joined[-1][0] : joined[-1][1]]), _words(text[start:end])
            fits = (size < GOAL and size + more <= LIMIT) or more < LIMIT // 8
            if fits and end - joined[-1][0] <= CHARACTERS:
                joined[-1] = (joined[-1][0], end)
                continue
        joined.append((start, end))
    return joined


def _spans(block: Block, place: int) -> list[tuple[int, int]]:
    """The block's parts as offsets: itself, if it is short enough."""
    limit = LIMIT if block.kind == "text" else WHOLE
    if _words(block.text) <= limit and len(block.text) <= CHARACTERS:
        return [(place, place + len(block.text))]
    seams = [match.end() for match in _SENTENCE.finditer(block.text)] if block.kind == "text" else []
    seams = seams or [match.end() for match in re.finditer(r"\n", block.text)]
    return [(place + start, place + end) for start, end in _filled(block.text, seams, limit)]


def _filled(text: str, seams: list[int], limit: int) -> Iterator[tuple[int, int]]:
    """Parts that end at seams and hold at most `limit` words; a part without a seam is cut between words."""
    start = last = 0
    for seam in [*seams, len(text)]:
        if last > start and (_words(text[start:seam]) > limit or seam - start > CHARACTERS):
            yield from _forced(text, start, last, limit)
            start = last
        last = seam
    yield from _forced(text, start, len(text), limit)


def _forced(text: str, start: int, end: int, limit: int) -> Iterator[tuple[int, int]]:
    """Parts of at most `limit` words and `CHARACTERS` signs, cut between words if that is possible."""
    count = 0
    for word in _WORD.finditer(text, start, end):
        count += 1
        if count <= limit and word.end() - start <= CHARACTERS:
            continue
        if word.start() > start:
            yield start, word.start()
            start, count = word.start(), 1
        while word.end() - start > CHARACTERS:
            yield start, start + CHARACTERS
            start += CHARACTERS
    if start < end:
        yield start, end


def _words(text: str) -> int:
    return len(_WORD.findall(text))
