"""A model's Markdown as Telegram shows it: plain text, and spans of it that have a style.

Telegram takes styles as entities beside the text (https://core.telegram.org/bots/api#messageentity) as well as markup
within it. Entities it is: then nothing that a model writes can be misread as markup or be refused, and what is seen is
exactly the text. What Telegram has no style for becomes plain text that reads well.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

from frontdesk.messages import Citation

DEEPEST = 50  # levels of blocks in blocks; beyond, the Markdown is shown as it was written
LONGEST = 20_000  # characters; beyond, the same: some nonsense takes the parser time that grows as its square
WIDEST = 36  # columns of a table that a telephone shows side by side

_INLINE = {"strong": "bold", "em": "italic", "s": "strikethrough"}
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # Telegram removes these too
_LANGUAGE = re.compile(r"[\w+#.-]{1,32}")
_ADDRESS = re.compile(r"[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")  # what a reader takes for a site's name
_MARK = re.compile(r"\[(\d{1,3})\]")

_markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST + 5}).enable(["table", "strikethrough"])
_markdown.disable("reference")  # `[1]: https://…` would turn the citation mark [1] into a link


class Style(NamedTuple):
    """The kind of an entity; `detail` is a link's address or a code block's language."""

    kind: str
    detail: str = ""


class Span(NamedTuple):
    """`style` from `start` up to `end`, counted in characters."""

    start: int
    end: int
    style: Style


class Formatted(msgspec.Struct, frozen=True, kw_only=True):
    """A text and its spans, in order of their start, outer ones first."""

    text: str
    spans: tuple[Span, ...] = ()


def formatted(markdown: str, citations: Sequence[Citation] = ()) -> Formatted:
    """Markdown as it is shown, with the sources that its marks (`[1]`) cite listed at the end."""
    writer = _Writer()
    tokens = _parsed(markdown)
    if tokens is None:
        writer.write(markdown.strip())
    else:
        writer.blocks(SyntaxTreeNode(tokens).children, gap=2)
    writer.sources(citations)
    return writer.done()


def plain(text: str) -> Formatted:
    """Text that is shown as it stands."""
    return Formatted(text=_UNSEEN.sub("", text).strip())


def tidied(text: str, spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans in order, within `text`, without the blanks at their ends (code keeps its indentation)."""
    kept: list[Span] = []
    for start, end, style in spans:
        inside = text[start:end]
        begin = start if style.kind == "pre" else start + len(inside) - len(inside.lstrip())
        if inside.strip():
            kept.append(Span(begin, start + len(inside.rstrip()), style))
    return tuple(sorted(kept, key=lambda span: (span.start, -span.end)))


def _parsed(markdown: str) -> list[Token] | None:
    """The tokens; None where the parser would leave something out or take long."""
    if len(markdown) > LONGEST:
        return None
    tokens = _markdown.parse(_UNSEEN.sub("", markdown.replace("\r\n", "\n")))
    return None if any(token.level >= DEEPEST for token in tokens) else tokens


class _Writer:
    """Walks a syntax tree and writes what is seen of it."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._spans: list[Span] = []
        self._open: list[tuple[Style, int]] = []
        self._indent = ""

    def done(self) -> Formatted:
        text = "".join(self._parts).rstrip()
        return Formatted(text=text, spans=tidied(text, self._spans))

    def write(self, text: str) -> None:
        text = _UNSEEN.sub("", text)
        self._parts.append(text)
        self._length += len(text)

    def blocks(self, nodes: Sequence[SyntaxTreeNode], gap: int) -> None:
        """Blocks below each other, `gap` line breaks apart."""
        for number, node in enumerate(nodes):
            if number:
                self.write("\n" * gap + self._indent)
            self._block(node)

    def sources(self, citations: Sequence[Citation]) -> None:
        """A line for each source that the text cites: its marks and its title."""
        numbers = dict.fromkeys(int(mark) for mark in _MARK.findall("".join(self._parts)))
        titles: dict[tuple[str, str], list[int]] = {}
        for citation in citations:
            if citation.number in numbers:
                titles.setdefault((citation.title or citation.source, citation.source), []).append(citation.number)
        for number, ((title, source), marks) in enumerate(titles.items()):
            self.write(("\n" if number else "\n\n") + "".join(f"[{mark}]" for mark in marks) + " ")
            self._linked([], " ".join(title.split()), source if _leads(source) else "")

    # --- blocks -------------------------------------------------------------

    def _block(self, node: SyntaxTreeNode) -> None:
        match node.type:
            case "heading":
                self._styled(Style("bold"), node.children)
            case "paragraph" | "inline":
                self._inline(node.children)
            case "fence" | "code_block":
                self._code(node)
            case "blockquote":
                begun = self._begin(Style("blockquote"))
                self.blocks(node.children, gap=2 if begun else 1)
                self._end(begun)
            case "bullet_list" | "ordered_list":
                self._list(node)
            case "table":
                self._table(node)
            case "hr":
                self.write("———")
            case _ if node.children:
                self.blocks(node.children, gap=1)
            case _:
                self.write(node.content)

    def _code(self, node: SyntaxTreeNode) -> None:
        words = node.info.split()
        language = words[0] if words and _LANGUAGE.fullmatch(words[0]) else ""
        self._alone(node.content.rstrip("\n"), Style("pre", language))

    def _list(self, node: SyntaxTreeNode) -> None:
        start = int(node.attrs.get("start", 1))
        outer = self._indent
        for number, item in enumerate(node.children):
            mark = "• " if node.type == "bullet_list" else f"{start + number}. "
            self.write(("\n" + outer if number else "") + mark)
            self._indent = outer + "   "
            self.blocks(item.children, gap=1)
            self._indent = outer

    def _table(self, node: SyntaxTreeNode) -> None:
        rows = [[_seen(cell) for cell in row.children] for part in node.children for row in part.children]
        widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 3 * (len(widths) - 1) <= WIDEST:
            lines = [" │ ".join(map(_padded, row, widths)).rstrip() for row in rows]
            lines.insert(1, "─┼─".join("─" * width for width in widths))
            self._alone("\n".join(lines), Style("pre"))
            return
        cells = [row.children for part in node.children for row in part.children]
        self._records(rows[0] if len(rows) > 1 else [""] * len(rows[0]), cells[1:] or cells)

    def _records(self, headings: Sequence[str], rows: Sequence[Sequence[SyntaxTreeNode]]) -> None:
        """A wide table, a row below the other: each cell beside its heading, the first one bold."""
        for number, row in enumerate(rows):
            self.write("\n\n" + self._indent if number else "")
            for column, (heading, cell) in enumerate(zip(headings, row, strict=True)):
                self.write("\n" + self._indent if column else "")
                begun = not column and self._begin(Style("bold"))
                self.write(f"{heading}: " if heading else "")
                self._inline(cell.children)
                self._end(begun)

    # --- within a line --------------------------------------------------------

    def _inline(self, nodes: Sequence[SyntaxTreeNode]) -> None:
        for node in nodes:
            match node.type:
                case "softbreak" | "hardbreak":
                    self.write("\n" + self._indent)
                case "code_inline":
                    self._alone(node.content, Style("code"))
                case "strong" | "em" | "s":
                    self._styled(Style(_INLINE[node.type]), node.children)
                case "link":
                    self._linked(node.children, _seen(node), str(node.attrs.get("href", "")))
                case "image":
                    self._linked([], _seen(node), str(node.attrs.get("src", "")))
                case _ if node.children:
                    self._inline(node.children)
                case _:
                    self.write(node.content)

    def _linked(self, nodes: Sequence[SyntaxTreeNode], label: str, address: str) -> None:
        """A link, whose label is `nodes` or else `label`. One that poses as leading elsewhere shows its address."""
        shows = label.strip() != ""
        inside = any(style.kind == "text_link" for style, _ in self._open)
        honest = shows and _leads(address) and not _misleads(label, address)
        begun = honest and not inside and label != address and self._begin(Style("text_link", address))
        if nodes and shows:
            self._inline(nodes)
        elif shows:
            self.write(label)
        self._end(begun)
        if not honest and address and not inside:
            self.write(f" ({address})" if shows else address)

    def _styled(self, style: Style, nodes: Sequence[SyntaxTreeNode]) -> None:
        begun = self._begin(style)
        self._inline(nodes)
        self._end(begun)

    def _begin(self, style: Style) -> bool:
        """Start a span; False when such a one is open already."""
        if any(open_style.kind == style.kind for open_style, _ in self._open):
            return False
        self._open.append((style, self._length))
        return True

    def _end(self, begun: bool) -> None:
        if begun:
            style, start = self._open.pop()
            self._spans.append(Span(start, self._length, style))

    def _alone(self, text: str, style: Style) -> None:
        """Code: the other styles stop before it and go on behind it, for Telegram has none within code."""
        self._spans += [Span(start, self._length, open_style) for open_style, start in self._open]
        start = self._length
        self.write(text)
        self._spans.append(Span(start, self._length, style))
        self._open = [(open_style, self._length) for open_style, _ in self._open]


def _seen(node: SyntaxTreeNode) -> str:
    """The text below `node`, on one line."""
    if node.children:
        return "".join(map(_seen, node.children))
    return " " if node.type in ("softbreak", "hardbreak") else node.content


def _leads(address: str) -> bool:
    """Whether Telegram takes it for a link."""
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _misleads(label: str, address: str) -> bool:
    """Whether the label names another site than the one that the link leads to, or hides signs that do not show."""
    if any(unicodedata.category(sign) == "Cf" for sign in label):
        return True
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    names = _ADDRESS.findall(unicodedata.normalize("NFKC", label).lower())
    return any(name.removeprefix("www.") != host for name in names)


def _columns(text: str) -> int:
    """How many columns a text takes where each sign has one or two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _columns(text))
