"""Grounded first: how a question is to be answered, given what the knowledge holds and how strong the model is.

A strong model writes from the passages and cites them. With a small model the desk quotes the owner's own words, or
says that it does not know; only small talk and open questions, which are nobody's facts here, go to the small model.
"""

import re
from typing import Literal

import msgspec

from frontdesk.messages import Citation, Found, Passage

Way = Literal["quote", "recall", "converse", "unknown"]

SMALL_TALK = re.compile(
    r"^\W*(?:(?:hi|hello|hey|hallo|hola|bonjour|good (?:morning|afternoon|evening|night)|guten (?:tag|morgen|abend)|"
    r"thanks?(?: you)?|thank you|danke|gracias|merci|bye|goodbye|see you|how are you|how's it going|what's up|"
    r"who are you|nice to meet you|ok(?:ay)?|great|cool|perfect|tell me a joke|tell me a story)"
    r"(?:\s+(?:there|everyone|very much|so much|a lot|again|today|for your help|for the help|then))?\W*)+$",
    re.IGNORECASE,
)
ABOUT_THE_DESK = re.compile(
    r"\b(?:you|your|yours|we|us|our|here|this (?:desk|product|service|company|shop|place|system|app)|"
    r"ihr|euch|euer|eure|ihre|hier|wir|uns|unser\w*|vuestro|vuestra|aquí|frontdesk)\b",
    re.IGNORECASE,
)
ASKS = re.compile(
    r"\?|^\W*(?:who|what|when|where|why|which|how|is|are|was|were|do|does|did|can|could|should|will|would|may|"
    r"wer|was|wann|wo|warum|wie|welche\w*|ist|sind|kann|gibt|qué|quién|cuándo|dónde|cómo|cuál|por qué)\b",
    re.IGNORECASE,
)
OPEN = re.compile(
    r"\b(?:what do you think|what would you|how would you|what should|should i|why do people|tell me (?:a|about)|write|"
    r"explain|imagine|suggest|ideas?|translate|summari[sz]e|compose|draft|rephrase|schreib\w*|erkläre?|übersetze?|"
    r"was hältst du|escribe|explica|traduce)\b",
    re.IGNORECASE,
)
TOUCHES = 0.25  # from this confidence on a question is near the owner's subjects, so a small model must not guess
MARK = re.compile(r"\[(\d{1,3})\]")
QUOTE_LENGTH = 400


class Grounds(msgspec.Struct, frozen=True, kw_only=True):
    """The way to answer without a strong model, and the passages to quote (in the order of their numbers, from 1)."""

    way: Way
    passages: tuple[Passage, ...] = ()


def to_write_from(found: Found) -> tuple[Passage, ...]:
    """The passages that a strong model is given: none where what was found is not near the question."""
    return found.passages if found.confidence >= TOUCHES else ()


def choose(text: str, found: Found, *, quote_from: float, remembers: bool) -> Grounds:
    """How to answer `text` without a strong model.

    `quote_from` is the confidence from which on passages are quoted; `remembers`: a fact about the asker answers.
    """
    if SMALL_TALK.match(text):
        return Grounds(way="converse")
    if remembers:
        return Grounds(way="recall")
    if found.confidence >= quote_from:
        return Grounds(way="quote", passages=found.passages)
    is_open = OPEN.search(text) is not None and not ABOUT_THE_DESK.search(text) and found.confidence < TOUCHES
    if ASKS.search(text) and not is_open:
        return Grounds(way="unknown")
    return Grounds(way="converse")


def cited(text: str, passages: tuple[Passage, ...]) -> tuple[Citation, ...]:
    """The citations of the marks `[n]` in `text`; a mark without a passage is nobody's."""
    if not passages:
        return ()
    numbers = sorted({int(mark) for mark in MARK.findall(text)})
    return tuple(_citation(number, passages[number - 1]) for number in numbers if 0 < number <= len(passages))


def _citation(number: int, passage: Passage) -> Citation:
    return Citation(
        number=number,
        passage_id=passage.id,
        document_id=passage.document_id,
        title=passage.title,
        source=passage.source,
        heading=passage.heading,
        quote=passage.text if len(passage.text) <= QUOTE_LENGTH else passage.text[: QUOTE_LENGTH - 1] + "…",
    )
