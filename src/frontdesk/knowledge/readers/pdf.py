"""PDF, read by a process of its own, whose memory and time are bounded: a bomb ends that process and nothing else."""

import re
import subprocess
import sys
from collections import Counter

from frontdesk.errors import UnreadableDocument
from frontdesk.knowledge.readers import Block, Reader, Reading
from frontdesk.knowledge.readers.pdf_process import BYTES, ENCRYPTED, SECONDS, Pages, answer_decoder

_SENTENCE_END = re.compile(r"[.!?:;…]\s*$")
_OFTEN = 0.6  # share of pages from which on a first or last line is taken for a running head


def read(data: bytes, charset: str | None) -> Reading:  # noqa: ARG001 a PDF names its own
    """Paragraphs under the outline's headings, page by page."""
    try:
        result = subprocess.run(
            [sys.executable, "-m", "frontdesk.knowledge.readers.pdf_process"],
            input=data,
            capture_output=True,
            timeout=SECONDS * 2,  # the process bounds its own seconds of work; this is for one that sleeps
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UnreadableDocument(f"The PDF takes longer than {SECONDS} seconds to read") from error
    if result.returncode == ENCRYPTED:
        raise UnreadableDocument("The PDF is encrypted", hint="Save it without a password first.")
    if result.returncode != 0:
        raise UnreadableDocument(
            "The PDF is broken, or swells beyond what the desk reads",
            hint=f"It may take {BYTES // 1_000_000} MB of memory and {SECONDS} seconds.",
        )
    pages = answer_decoder.decode(result.stdout)
    return Reading(pages.title, tuple(_blocks(pages)))


def _blocks(pages: Pages) -> list[Block]:
    repeated = _running_lines(pages)
    blocks: list[Block] = []
    for number, text in enumerate(pages.texts):
        blocks += [Block("heading", entry.title, entry.level) for entry in pages.outline if entry.page == number]
        lines = [line.rstrip() for line in text.split("\n")]
        blocks += [Block("text", paragraph) for paragraph in _paragraphs(lines, repeated)]
    return blocks


def _running_lines(pages: Pages) -> frozenset[str]:
    """Heads and feet: lines that begin or end most pages, digits aside."""
    if len(pages.texts) < 4:
        return frozenset()
    counts: Counter[str] = Counter()
    for text in pages.texts:
        lines = [line for line in text.split("\n") if line.strip()]
        counts.update({_shape(line) for line in lines[:1] + lines[-1:]})
    return frozenset(shape for shape, count in counts.items() if count >= _OFTEN * len(pages.texts))


def _shape(line: str) -> str:
    return re.sub(r"\d+", "0", line.strip())


def _paragraphs(lines: list[str], repeated: frozenset[str]) -> list[str]:
    """Lines joined: a blank line, or a short line that ends a sentence, ends a paragraph."""
    widest = max(map(len, lines), default=0)
    paragraphs: list[str] = []
    words = ""
    for line in lines:
        stripped = line.strip()
        if stripped and _shape(stripped) in repeated:
            continue
        if words.endswith("-") and stripped[:1].islower():
            words = words[:-1] + stripped
        else:
            words = f"{words} {stripped}".strip()
        if words and (not stripped or (len(line) < widest * 0.75 and _SENTENCE_END.search(stripped))):
            paragraphs.append(words)
            words = ""
    return [*paragraphs, words] if words else paragraphs


reader = Reader(media_types=("application/pdf",), suffixes=(".pdf",), read=read, magic=(b"%PDF-",))
