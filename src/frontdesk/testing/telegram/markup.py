"""Telegram's HTML, parsed as strictly as Telegram does: what it would refuse is refused here with its words.

Tags and rules: https://core.telegram.org/bots/api#html-style. Offsets and lengths count UTF-16 code units.
"""

import html
import re
from dataclasses import dataclass, field

Entity = dict[str, object]

_KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_TOKEN = re.compile(r"<(/?)([a-zA-Z][\w-]*)((?:\s+[^<>]*)?)\s*>|(<)|&(lt|gt|amp|quot|#\d{1,8}|#[xX][0-9a-fA-F]{1,8});")
_ATTRIBUTE = re.compile(r"""([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")


class BadMarkup(ValueError):
    """The words in which Telegram refuses it."""


@dataclass
class _Open:
    tag: str
    at: int
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def units(text: str) -> int:
    """The length of `text` as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def parsed(source: str) -> tuple[str, list[Entity]]:
    """The text that people see, and its entities in order. Raises `BadMarkup`."""
    text, entities, opened, end = "", list[Entity](), list[_Open](), 0
    for token in _TOKEN.finditer(source):
        text += source[end : token.start()]
        end = token.end()
        closing, name, attributes, stray, _ = token.groups()
        offset = len(source[: token.start()].encode())
        if stray:
            raise BadMarkup(f'Unsupported start tag "{_word(source, token.start())}" at byte offset {offset}')
        if name is None:
            text += html.unescape(token.group())
        elif closing:
            entities.extend(_closed(opened, name.lower(), text, offset))
        else:
            opened.append(_started(name.lower(), attributes, units(text), offset))
    if opened:
        raise BadMarkup(f'Can\'t find end tag corresponding to start tag "{opened[-1].tag}"')
    return text + source[end:], sorted(entities, key=lambda entity: (str(entity["offset"]).zfill(6),))


def _word(source: str, at: int) -> str:
    return re.split(r"[\s>]", source[at + 1 : at + 40])[0]


def _started(tag: str, attributes: str, at: int, offset: int) -> _Open:
    if tag not in _KINDS:
        raise BadMarkup(f'Unsupported start tag "{tag}" at byte offset {offset}')
    found = {
        each[1].lower(): html.unescape(each[2] or each[3] or each[4] or "") for each in _ATTRIBUTE.finditer(attributes)
    }
    if tag == "span" and found.get("class") != "tg-spoiler":
        raise BadMarkup(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
    return _Open(tag, at, found)


def _closed(opened: list[_Open], tag: str, text: str, offset: int) -> list[Entity]:
    if not opened:
        raise BadMarkup(f"Unexpected end tag at byte offset {offset}")
    start = opened.pop()
    if start.tag != tag:
        raise BadMarkup(f'Unmatched end tag at byte offset {offset}, expected "</{start.tag}>", found "</{tag}>"')
    length = units(text) - start.at
    if not length:
        return []
    entity: Entity = {"type": _KINDS[tag], "offset": start.at, "length": length}
    if tag == "a":
        if not re.match(r"(https?|tg|tel|mailto):", start.attributes.get("href", "")):
            return []  # Telegram drops links that lead nowhere, and keeps their text
        entity["url"] = start.attributes["href"]
    if tag == "code" and opened and opened[-1].tag == "pre":
        opened[-1].attributes["class"] = start.attributes.get("class", "")
        return []
    if tag == "pre" and start.attributes.get("class", "").startswith("language-"):
        entity["language"] = start.attributes["class"].removeprefix("language-")
    return [entity]
