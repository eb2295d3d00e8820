"""Texts that are too long for one message, in parts that read well by themselves.

Telegram takes 4096 UTF-16 code units of text in a message and 100 entities, offsets and lengths in code units too
(https://core.telegram.org/bots/api#sendmessage, https://core.telegram.org/api/entities#entity-length).
"""

import re
import unicodedata
from collections.abc import Iterator

from frontdesk.channels.telegram.formatting import Formatted, Span, tidied
from frontdesk.channels.telegram.methods import Entity

LONGEST = 4096  # code units
MOST_ENTITIES = 100
FULL = 0.75  # how full a part must be at least, so that a long text does not fall into many short messages

_ENDS = (  # where a part may end, the best first
    re.compile(r"\n\s*\n"),  # a paragraph
    re.compile(r"\n"),
    re.compile(r"[.!?…。！？][\"'”’)\]]*\s"),  # a sentence
    re.compile(r"\s"),
)
_PARAGRAPH = _ENDS[0]
_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Zs")  # categories of signs that leave the paper white
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a pattern that do so too
_JOINED = "\u200d\ufe0e\ufe0f"  # signs that belong to the one before them: joiner, variation selectors


def split(whole: Formatted, longest: int = LONGEST) -> list[Formatted]:
    """The text in parts of at most `longest` code units.

    A span that is cut ends with its part and begins again in the next: a code block is closed and opened anew, with its
    language.
    """
    parts: list[Formatted] = []
    rest = whole.text.rstrip()
    start = len(rest) - len(rest.lstrip("\n"))
    while start < len(rest):
        end = _end(rest, start, longest, whole.spans)
        part = _part(whole, start, end)
        if _shows(part.text):  # Telegram refuses a message in which there is nothing to see
            parts.append(part)
        start = _next(rest, end, whole.spans)
    return parts


def units(text: str) -> int:
    """The length of `text` as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def entities(part: Formatted) -> tuple[Entity, ...]:
    """The spans of a part as Telegram takes them."""
    return tuple(
        Entity(
            type=style.kind,
            offset=units(part.text[:start]),
            length=units(part.text[start:end]),
            url=style.detail if style.kind == "text_link" else "",
            language=style.detail if style.kind == "pre" else "",
        )
        for start, end, style in part.spans[:MOST_ENTITIES]
    )


def _shows(text: str) -> bool:
    return any(sign not in _BLANK and unicodedata.category(sign) not in _UNSEEN for sign in text)


def _end(text: str, start: int, longest: int, spans: tuple[Span, ...]) -> int:
    """Where the part that begins at `start` ends."""
    window = text[start : start + longest].encode("utf-16-le")[: 2 * longest].decode("utf-16-le", "ignore")
    most = start + len(window)
    if most == len(text):
        return most
    least = start + int(len(window) * FULL)
    for pattern in _ENDS:
        for end in sorted((found.end() for found in pattern.finditer(text, least, most)), reverse=True):
            if pattern is not _PARAGRAPH or not _in_code(end, spans):
                return end
    return _between_signs(text, least, most)


def _between_signs(text: str, least: int, most: int) -> int:
    """The last place up to `most` that does not tear a letter from its accent, or an emoji apart."""
    for end in range(most, least, -1):
        joined = text[end] in _JOINED or text[end - 1] == "\u200d" or unicodedata.combining(text[end])
        if not joined:
            return end
    return most


def _in_code(at: int, spans: tuple[Span, ...]) -> bool:
    return any(span.start < at < span.end for span in spans if span.style.kind == "pre")


def _next(text: str, end: int, spans: tuple[Span, ...]) -> int:
    """Where the text goes on; code keeps the blanks at the start of its line."""
    gaps: Iterator[str] = iter(text[end:])
    blanks = "\n" if _in_code(end, spans) else " \t\n"
    return end + next((number for number, sign in enumerate(gaps) if sign not in blanks), len(text) - end)


def _part(whole: Formatted, start: int, end: int) -> Formatted:
    text = whole.text[start:end].rstrip()
    clipped = (
        Span(max(span.start, start) - start, min(span.end, end) - start, span.style)
        for span in whole.spans
        if span.start < end and span.end > start
    )
    return Formatted(text=text, spans=tidied(text, clipped))
