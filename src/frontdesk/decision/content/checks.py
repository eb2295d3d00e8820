"""Checks of every text before anybody sees it, whoever wrote it.

What is certain blocks a text: somebody else's address or number, an address on the web that the owner never gave,
words that the owner's rules forbid, emoji where there may be none. What is doubtful, like a number that stands nowhere
in what the text was written from, blocks where filtering is strict; else a person must look.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from frontdesk.decision.content.templates import Draft
from frontdesk.decision.options import SafetyOptions, SegmentOptions
from frontdesk.engagement import Channel, Check

Author = Literal["model", "template", "person"]

WORDS = {"brief": 60, "medium": 120, "comprehensive": 250}
SMS = 320  # characters of two linked short messages, in the alphabet of GSM

EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]+@[\w-]+(?:\.[\w-]+)+")
VEILED_EMAIL = re.compile(r"[\w.%+-]\s{0,3}[\[(]\s{0,3}at\s{0,3}[\])]\s{0,3}\w", re.IGNORECASE)
PHONE = re.compile(r"(?<![\w.,])(?:\+|00)?\(?\d(?:[ ()./-]{0,2}\d){6,18}(?!\w)")
DATES = re.compile(r"(?:19|20)\d\d[-./](?:\d\d?[-./]\d\d?|(?:19|20)\d\d)|\d\d?[-./]\d\d?[-./](?:19|20)\d\d")
ACCOUNT = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
LINK = re.compile(r"(?:https?://|www\.)([^\s/<>()\"']+)", re.IGNORECASE)
GREETING = re.compile(
    r"^[^\w\n]{0,5}(?:hi|hello|hey|dear|good (?:morning|afternoon|evening|day)|hallo|liebe[rs]?|"
    r"guten (?:tag|morgen|abend)|hola|estimad[oa]|bonjour|ch(?:er|ère))"
    r"[ ,]+([^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*){0,2})\s*(?:[,!.:–-]|$)",
    re.IGNORECASE | re.MULTILINE,
)
ANYBODY = frozenset(
    {"there", "all", "team", "everyone", "everybody", "folks", "friend", "friends", "customer", "customers", "valued"}
    | {"sir", "madam", "or", "and", "again", "zusammen", "alle", "kunde", "kundin", "kunden", "todos", "tous"}
)
EMOJI = re.compile(
    "[\U0001f000-\U0001faff\U0001fb00-\U0001fbff\U000e0020-\U000e007f\u2600-\u27bf\u2b05-\u2b55\u231a-\u23ff\u25aa-\u25fe"
    "\u2934\u2935\u3030\u303d\u3297\u3299\ufe0f\u20e3]+(?:\u200d[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f]+)*"
)
HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
LEFT_OPEN = re.compile(
    r"\{[^{}\n]{0,60}\}|\[(?:your |customer |company |first |last |insert )?[\w ]{2,30}\]", re.IGNORECASE
)
MARKUP = re.compile(r"<[a-z!/][^<>\n]*>", re.IGNORECASE)
NUMBER = re.compile(r"(?:[$€£]\s?)?\d+(?:[.,:]\d+)*(?:\s?[%€£$])?")
CLAIM = re.compile(
    r"\b(?:best|cheapest|fastest|safest|number one|no\.? ?1|always|never fails?|proven|certified|award-winning|"
    r"free of charge|for free|unlimited|lifetime|official|clinically|scientifically|money[- ]back|refund\w*)\b",
    re.IGNORECASE,
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a text may draw on: the customer's own `name` and `addresses`, the `facts` about them that it was given, and
    `approved` texts: the owner's templates, brief and passages of the knowledge."""

    name: str = ""
    addresses: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((self.name, *self.addresses, *self.facts, *self.approved))

    @property
    def trusted(self) -> str:
        """What the owner wrote and what is the customer's for certain: no trait that anybody could have filled in."""
        return "\n".join((*self.addresses, *self.approved))


def check(
    draft: Draft, known: Known, safety: SafetyOptions, segment: SegmentOptions, *, channel: Channel, of: Author
) -> tuple[Check, ...]:
    """What is wrong with the text. A person's own text is only flagged where a doubt would block a machine's."""
    doubt: Literal["block", "flag"] = "block" if safety.content_filtering == "strict" and of != "person" else "flag"
    text = unicodedata.normalize("NFKC", draft.whole)
    certain: list[tuple[str, str]] = [*_form(draft), *_emoji(text, segment)]
    doubtful: list[tuple[str, str]] = [*_length(draft, segment, channel), *_unsupported(text, known)]
    if safety.pii_detection:
        certain += _others_data(text, known)
        doubtful += [("veiled_address", "It seems to hide an e-mail address") for _ in VEILED_EMAIL.finditer(text)]
    if safety.compliance_checking:
        certain += _forbidden(text, safety, segment)
    if segment.content_guidelines.emoji_usage == "rare" and len(EMOJI.findall(text)) > 1:
        doubtful.append(("emoji", "It has more than one emoji"))
    found = {rule: Check(rule=rule, words=words, weight=doubt, of=of) for rule, words in doubtful}
    found |= {rule: Check(rule=rule, words=words, weight="block", of=of) for rule, words in certain}
    return tuple(found.values())


def blocks(checks: Iterable[Check]) -> bool:
    """Whether a text with these findings may not go out."""
    return any(found.weight == "block" for found in checks)


# --- each rule: its name, and what is wrong in words --------------------------------


def _form(draft: Draft) -> Iterator[tuple[str, str]]:
    if not draft.body.strip():
        yield "empty", "There is no text"
    if HIDDEN.search(draft.whole) or "\n" in draft.subject or "\r" in draft.whole:
        yield "hidden_characters", "It holds characters that nobody sees"
    if any(_mixes_alphabets(word) for word in re.findall(r"[^\W\d_]{2,}", draft.whole)):
        yield "look_alike", "A word mixes letters of several alphabets"
    if LEFT_OPEN.search(draft.whole):
        yield "placeholder", "A placeholder was left open"
    if MARKUP.search(draft.whole):
        yield "markup", "It holds markup, and messages are plain text"


def _emoji(text: str, segment: SegmentOptions) -> Iterator[tuple[str, str]]:
    if segment.content_guidelines.emoji_usage == "never" and EMOJI.search(text):
        yield "emoji", "It has an emoji, and this segment never gets any"


def _length(draft: Draft, segment: SegmentOptions, channel: Channel) -> Iterator[tuple[str, str]]:
    most = WORDS[segment.content_guidelines.length_preference]
    if (words := len(draft.body.split())) > most:
        yield "length", f"It has {words} words, and this segment likes at most {most}"
    if channel == "sms" and len(draft.body) > SMS:
        yield "length", f"It has {len(draft.body)} characters, and a short message takes {SMS}"


def _others_data(text: str, known: Known) -> Iterator[tuple[str, str]]:
    allowed = unicodedata.normalize("NFKC", known.trusted).casefold()
    own_emails = set(EMAIL.findall(allowed))
    if any(email.casefold() not in own_emails for email in EMAIL.findall(text)):
        yield "others_email", "It holds an e-mail address that is neither the customer's nor the owner's"
    own_numbers = [_digits(hit) for hit in PHONE.findall(allowed)]
    if any(not _same_number(_digits(hit), own_numbers) for hit in PHONE.findall(DATES.sub(" ", text))):
        yield "others_number", "It holds a number that is neither the customer's nor the owner's"
    if any(hit.casefold() not in allowed for hit in ACCOUNT.findall(text)):
        yield "account_number", "It holds an account number"
    hosts = {host.casefold().removeprefix("www.").rstrip(".,;:!?") for host in LINK.findall(allowed)}
    if any(host.casefold().removeprefix("www.").rstrip(".,;:!?") not in hosts for host in LINK.findall(text)):
        yield "foreign_link", "It leads to an address on the web that the owner never gave"
    names = set(_words(known.name)) | ANYBODY
    if any(not names.issuperset(_words(hit)) for hit in GREETING.findall(text)):
        yield "others_name", "It greets somebody by a name that is not the customer's"


def _forbidden(text: str, safety: SafetyOptions, segment: SegmentOptions) -> Iterator[tuple[str, str]]:
    if hit := _any_of(safety.forbidden_words, text):
        yield "forbidden_claim", f"It says “{hit}”, which no text may"
    if "HIPAA" in segment.compliance_requirements and (hit := _any_of(safety.health_words, text)):
        yield "health_data", f"It says “{hit}”, which HIPAA keeps out"


def _unsupported(text: str, known: Known) -> Iterator[tuple[str, str]]:
    told = unicodedata.normalize("NFKC", known.text)
    numbers = set(_numbers(told))
    if unknown := [hit for hit in _numbers(text) if hit not in numbers]:
        yield "unsupported_number", f"“{unknown[0]}” stands nowhere in what it was written from"
    claims = {hit.casefold() for hit in CLAIM.findall(told)}
    if unknown := [hit for hit in CLAIM.findall(text) if hit.casefold() not in claims]:
        yield "unsupported_claim", f"Nothing that it was written from says “{unknown[0]}”"


# --- and what they look at ------------------------------------------------------------


def _any_of(words: Iterable[str], text: str) -> str | None:
    parts = [r"[-\s]+".join(map(re.escape, re.split(r"[-\s]+", word.strip()))) for word in words if word.strip()]
    hit = re.search(rf"\b(?:{'|'.join(parts)})(?:e?s)?\b", text, re.IGNORECASE) if parts else None
    return hit.group() if hit else None


def _numbers(text: str) -> list[str]:
    """Numbers with their units; those of addresses and telephones are looked at as such."""
    plain = LINK.sub(" ", EMAIL.sub(" ", PHONE.sub(" ", text)))
    return ["".join(hit.split()) for hit in NUMBER.findall(plain)]


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text).lstrip("0")


def _same_number(number: str, known: Iterable[str]) -> bool:
    """Whether it is one of the known, with or without the country's prefix."""
    return any(min(len(number), len(own)) >= 6 and (number.endswith(own) or own.endswith(number)) for own in known)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", text).casefold())


def _mixes_alphabets(word: str) -> bool:
    alphabets = {unicodedata.name(letter, "").split(" ")[0] for letter in word}
    return len(alphabets & {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}) > 1
