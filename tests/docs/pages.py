"""The documentation's pages, and what stands in them."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_PARSER = MarkdownIt("commonmark").enable("table")


class Example(NamedTuple):
    """A piece of code in a page: a block, with its language, or a span in a line, with none."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def names() -> list[str]:
    """Every page, README and its neighbours included, from the root of the tree."""
    return [path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("*.md"), *sorted(DOCS.rglob("*.md")))]


def written() -> list[str]:
    """The pages that people write, without the generated reference."""
    return [name for name in names() if not name.startswith("docs/reference/")]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Example]:
    """Every block of code in one of these languages."""
    return [example for example in _examples() if example.language in languages]


def spans() -> list[Example]:
    """Every piece of code within a line."""
    return [example for example in _examples() if not example.language]


def anchors(name: str) -> set[str]:
    """The names under which the headings of a page can be linked to."""
    pairs = pairwise(_PARSER.parse(text(name)))
    return {_slug(after.content) for token, after in pairs if token.type == "heading_open"}


def _examples() -> Iterator[Example]:
    for name in names():
        for token in _PARSER.parse(text(name)):
            line = token.map[0] + 1 if token.map else 0
            if token.type == "fence":
                yield Example(name, line, token.info.split()[0] if token.info else "text", token.content)
            for child in token.children or ():
                if child.type == "code_inline":
                    yield Example(name, line, "", child.content)


def _slug(heading: str) -> str:
    """As the extension `toc` of Python-Markdown makes it."""
    plain = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", plain)
