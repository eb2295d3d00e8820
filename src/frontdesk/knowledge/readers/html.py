"""HTML: the page's main part, without navigation and other frames."""

from selectolax.lexbor import LexborHTMLParser, LexborNode

from frontdesk.errors import UnreadableDocument
from frontdesk.knowledge.readers import Block, Reader, Reading, decode

_FRAME = (
    "script, style, noscript, template, svg, iframe, object, canvas, form, button, select, nav, aside, dialog, "
    "[role=navigation], [role=search], [role=banner], [role=contentinfo], [role=dialog], [hidden], [aria-hidden=true], "
    "a.headerlink, .sphinxsidebar, .breadcrumbs, .breadcrumb, .cookie, .cookies, .advertisement"
)
_OUTER_FRAME = "body > header, body > footer, body > div > header, body > div > footer"
_MAIN = ("main", "[role=main]", "article", "#content", "#main", ".content", "body")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_PARTS = frozenset(
    (  # noqa: SIM905 a column of forty strings reads worse
        "address article blockquote body center dd details div dl dt fieldset figcaption figure footer header hr html "
        "main p section summary table tbody td tfoot th thead tr"
    ).split()
)
_DEEPEST = 150  # elements inside each other; what lies deeper is read as plain words
_LINKS = 0.6  # share of linked characters from which a list is taken for navigation


def read(data: bytes, charset: str | None) -> Reading:
    """Headings, paragraphs, lists, tables and code of the main part."""
    tree = LexborHTMLParser(decode(data, charset or _declared(data)))
    title_node = tree.css_first("title")
    title = _squeezed(title_node) if title_node else ""
    for node in tree.css(_FRAME) + tree.css(_OUTER_FRAME):
        node.decompose()
    main = next((node for node in map(tree.css_first, _MAIN) if node and len(node.text()) > 200), tree.body)
    if main is None:
        raise UnreadableDocument("The page is empty")
    walk = _Walk(keep_links=main.tag != "body")
    walk.into(main, 0)
    walk.flush()
    heading = next((block.text for block in walk.blocks if block.kind == "heading" and block.level == 1), "")
    return Reading(heading or title, tuple(walk.blocks))


class _Walk:
    """Goes through the elements and collects blocks; `_words` are those of the paragraph that is still open."""

    def __init__(self, *, keep_links: bool) -> None:
        self.blocks: list[Block] = []
        self._words: list[str] = []
        self._keep_links = keep_links

    def into(self, parent: LexborNode, depth: int) -> None:
        node = parent.child
        while node is not None:
            self._visit(node, depth)
            node = node.next

    def flush(self) -> None:
        text = " ".join("".join(self._words).split())
        self._words.clear()
        if text:
            self.blocks.append(Block("text", text))

    def _visit(self, node: LexborNode, depth: int) -> None:
        tag = node.tag
        if tag == "-text":
            self._words.append(node.text() or "")
        elif tag == "br":
            self._words.append(" ")
        elif tag is None or tag.startswith("-"):  # comments
            return
        elif tag in _HEADINGS:
            self._block("heading", _squeezed(node), _HEADINGS[tag])
        elif tag == "pre":
            self._block("code", node.text().strip("\n").rstrip())
        elif tag in ("ul", "ol"):
            if self._keep_links or _link_share(node) < _LINKS:
                self._block("list", "\n".join(_items(node, 0)))
        elif tag == "table" and not node.css_first("table table, pre"):
            self._block("table", "\n".join(_row(row) for row in node.css("tr")))
        elif depth >= _DEEPEST:
            self._words.append(node.text(separator=" "))
        elif tag in _PARTS:
            self.flush()
            self.into(node, depth + 1)
            self.flush()
        else:
            self.into(node, depth + 1)

    def _block(self, kind: str, text: str, level: int = 0) -> None:
        self.flush()
        if not text.strip():
            return
        if kind == "heading":
            self.blocks.append(Block("heading", text, level))
        elif kind == "code":
            self.blocks.append(Block("code", text))
        else:
            self.blocks.append(Block("table" if kind == "table" else "list", text))


def _items(node: LexborNode, depth: int) -> list[str]:
    lines: list[str] = []
    number = 0
    for item in node.iter():
        if item.tag != "li":
            continue
        number += 1
        mark = f"{number}. " if node.tag == "ol" else "- "
        nested = [child for child in item.iter() if child.tag in ("ul", "ol")] if depth < 10 else []
        below = [line for child in nested for line in _items(child, depth + 1)]
        for child in nested:
            child.decompose()
        lines.append("  " * depth + mark + _squeezed(item))
        lines += below
    return lines


def _row(row: LexborNode) -> str:
    return " | ".join(_squeezed(cell) for cell in row.iter() if cell.tag in ("td", "th"))


def _squeezed(node: LexborNode) -> str:
    return " ".join(node.text(separator=" " if node.css_first("p, div, br") else "").split())


def _link_share(node: LexborNode) -> float:
    every = len(_squeezed(node))
    return sum(len(_squeezed(link)) for link in node.css("a")) / every if every else 1.0


def _declared(data: bytes) -> str | None:
    """The charset that the page names in its head."""
    head = data[:2048].lower()
    _, found, rest = head.partition(b"charset=")
    if not found:
        return None
    name = rest.lstrip(b"\"' ")[:30]
    end = next((place for place, byte in enumerate(name) if byte in b"\"' />;"), len(name))
    return name[:end].decode("ascii", "ignore") or None


reader = Reader(
    media_types=("text/html", "application/xhtml+xml"),
    suffixes=(".html", ".htm", ".xhtml"),
    read=read,
    magic=(b"<!DOCTYPE html", b"<!doctype html", b"<html", b"<HTML"),
)
