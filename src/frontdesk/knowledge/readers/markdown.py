"""Markdown: CommonMark with tables. Marks are taken off, words stay."""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from selectolax.lexbor import LexborHTMLParser

from frontdesk.knowledge.readers import Block, Reader, Reading, decode

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)
_ANCHOR = re.compile(r"\s*\{[:#][^{}]*\}\s*$")
_PARSER = MarkdownIt("commonmark", {"maxNesting": 40}).enable("table")


def read(data: bytes, charset: str | None) -> Reading:
    """Headings, paragraphs, lists, tables and code, in their order."""
    source = decode(data, charset).replace("\r\n", "\n")
    title = ""
    if front := _FRONT_MATTER.match(source):
        found = _TITLE.search(front.group(1))
        title = found.group(1) if found else ""
        source = source[front.end() :]
    blocks = tuple(_blocks(_PARSER.parse(source)))
    title = title or next((block.text for block in blocks if block.kind == "heading" and block.level == 1), "")
    return Reading(title, blocks)


def _blocks(tokens: Sequence[Token]) -> list[Block]:
    blocks: list[Block] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        if token.type in ("bullet_list_open", "ordered_list_open", "table_open"):
            end = _end(tokens, place)
            inside = tokens[place : end + 1]
            is_table = token.type == "table_open"
            blocks.append(Block("table", _table(inside)) if is_table else Block("list", _list(inside)))
            place = end
        elif token.type == "heading_open":
            words = _ANCHOR.sub("", _words(tokens[place + 1]))
            blocks.append(Block("heading", words, int(token.tag[1:])))
            place += 1
        elif token.type == "inline":
            blocks.append(Block("text", _words(token)))
        elif token.type in ("fence", "code_block"):
            blocks.append(Block("code", token.content.rstrip("\n")))
        elif token.type == "html_block":
            blocks.append(Block("text", _html(token.content)))
        place += 1
    return [block for block in blocks if block.text]


def _end(tokens: Sequence[Token], start: int) -> int:
    """Where the element that opens at `start` closes."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += tokens[place].nesting
        if depth == 0:
            return place
    return len(tokens) - 1


def _list(tokens: Sequence[Token]) -> str:
    lines: list[str] = []
    depth = -1
    counts: list[int | None] = []
    mark = ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
            counts.append(int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
            counts.pop()
        elif token.type == "list_item_open":
            number = counts[-1]
            mark = "- " if number is None else f"{number}. "
            counts[-1] = None if number is None else number + 1
        elif token.type in ("inline", "fence", "code_block", "html_block"):
            words = _html(token.content) if token.type == "html_block" else _words(token)
            indent = "  " * depth
            for line in words.split("\n"):
                lines.append(f"{indent}{mark or '  '}{line}")
                mark = ""
    return "\n".join(lines)


def _table(tokens: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(_words(token))
    return "\n".join(" | ".join(row) for row in rows)


def _words(token: Token) -> str:
    if token.children is None:
        return token.content.rstrip("\n")
    parts: list[str] = []
    for child in token.children:
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak":
            parts.append("\n")
    return "".join(parts).strip()


def _html(source: str) -> str:
    tree = LexborHTMLParser(source)
    tree.strip_tags(["script", "style"])
    return " ".join(tree.text(separator=" ").split())


reader = Reader(media_types=("text/markdown", "text/x-markdown"), suffixes=(".md", ".markdown", ".mdown"), read=read)
