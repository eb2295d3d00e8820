"""Guards look at what comes in and what goes out. Each is a plug-in of `frontdesk.guards`; these three are built in.

A guard names the stretches of a text that must not pass; the turn masks them, and answers refusals with the guard's
words.
"""

import re
from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec

from frontdesk import registry
from frontdesk.conversation.options import ConversationOptions, ModerationRule
from frontdesk.errors import BadSetting

Direction = Literal["in", "out"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of text to mask, and what stands there instead."""

    start: int
    end: int
    mask: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The message is not answered; `reply` is said instead."""

    reply: str


@runtime_checkable
class Guard(Protocol):
    """Looks at a whole text: nothing (let it pass), findings (mask them) or a refusal (incoming only)."""

    def review(self, text: str, direction: Direction) -> Sequence[Finding] | Refusal: ...


@runtime_checkable
class GuardKind(Protocol):
    """What a plug-in of the group `frontdesk.guards` is: a class that builds a guard from the section's options."""

    def build(self, options: ConversationOptions) -> Guard: ...


SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:sk|pk|rk|fd)[-_](?:live|test|proj|ant|svcacct)?[-_]?[A-Za-z0-9_-]{20,}"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_[A-Za-z0-9_]{40,}|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{35}\b|\b\d{8,10}:[A-Za-z0-9_-]{35}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
)
MAY_BE_SECRET = re.compile(r"-----BEGIN|[A-Za-z0-9_-]{13}")  # stands in each of those: most texts are cleared by it
CARD = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
SOCIAL_SECURITY = re.compile(r"\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b")
DIGIT = re.compile(r"\d")  # stands in each of these numbers


class SecretsGuard:
    """Masks keys, tokens and private keys, in both directions: a model needs none, and a log might keep them."""

    @classmethod
    def build(cls, options: ConversationOptions) -> "SecretsGuard":
        return cls()

    def review(self, text: str, direction: Direction) -> Sequence[Finding]:
        if not MAY_BE_SECRET.search(text):
            return []
        return [Finding(start=hit.start(), end=hit.end(), mask="[secret removed]") for hit in SECRET.finditer(text)]


class PiiGuard:
    """Masks card numbers (Luhn-checked), IBANs (mod 97) and social security numbers in what goes out."""

    @classmethod
    def build(cls, options: ConversationOptions) -> "PiiGuard":
        return cls()

    def review(self, text: str, direction: Direction) -> Sequence[Finding]:
        if direction == "in" or not DIGIT.search(text):
            return []
        cards = [hit for hit in CARD.finditer(text) if _luhn(hit.group())]
        accounts = [hit for hit in IBAN.finditer(text) if _iban(hit.group())]
        hits = [*cards, *accounts, *SOCIAL_SECURITY.finditer(text)]
        return [Finding(start=hit.start(), end=hit.end(), mask="[number removed]") for hit in hits]


class ModerationGuard:
    """Refuses what the owner's rules name."""

    def __init__(self, rules: Sequence[ModerationRule]) -> None:
        self._rules = [(_pattern(rule.pattern), rule.reply) for rule in rules]

    @classmethod
    def build(cls, options: ConversationOptions) -> "ModerationGuard":
        return cls(options.moderation)

    def review(self, text: str, direction: Direction) -> Sequence[Finding] | Refusal:
        for pattern, reply in self._rules:
            if direction == "in" and pattern.search(text):
                return Refusal(reply=reply)
            if direction == "out" and (hits := list(pattern.finditer(text))):
                return [Finding(start=hit.start(), end=hit.end(), mask="[removed]") for hit in hits]
        return []


class Guards:
    """All guards of a desk, asked together."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._guards = tuple(guards)

    @classmethod
    def build(cls, options: ConversationOptions) -> "Guards":
        """The guards that the options name. Raises `BadSetting` for one that is not installed."""
        return cls([registry.load("guards", name, GuardKind).build(options) for name in options.guards])

    def incoming(self, text: str) -> str | Refusal:
        """The text with masks, or the first refusal."""
        return self._apply(text, "in")

    def outgoing(self, text: str) -> str:
        """The text with masks."""
        result = self._apply(text, "out")
        return result.reply if isinstance(result, Refusal) else result

    def findings(self, text: str) -> list[Finding]:
        """What would be masked in an outgoing text, the last first."""
        found: list[Finding] = []
        for guard in self._guards:
            verdict = guard.review(text, "out")
            if verdict and not isinstance(verdict, Refusal):
                found += verdict
        return sorted(found, key=lambda finding: -finding.end)

    def _apply(self, text: str, direction: Direction) -> str | Refusal:
        for guard in self._guards:
            verdict = guard.review(text, direction)
            if isinstance(verdict, Refusal):
                return verdict
            text = _masked(text, verdict)
        return text


OPEN_KEY = re.compile(r"-----BEGIN(?:(?!-----END [A-Z ]*PRIVATE KEY-----)[\s\S])*\Z")
OPEN_NUMBER = re.compile(r"(?<![\dA-Za-z])[\dA-Z](?:[\dA-Z]|[ -](?=[\dA-Z]|\Z)){0,60}\Z")
OPEN_WORD = re.compile(r"(?<!\S)\S+\Z")
OPEN_ENDS = (OPEN_KEY, OPEN_NUMBER, OPEN_WORD)
LONGEST_TAIL = 8192


class OutgoingText:
    """Passes a stream on through the guards, holding back only a tail that may be the start of something to mask.

    That is an unfinished word, a number that goes on (with spaces or dashes), or a key block that has not ended.
    """

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._held = ""

    def add(self, text: str) -> str:
        """What may be shown now."""
        self._held = held = self._held + text
        cut = len(held)
        for pattern in OPEN_ENDS:
            if tail := pattern.search(held):
                cut = min(cut, tail.start())
        if len(held) - cut > LONGEST_TAIL:
            cut = len(held)
        findings = self._guards.findings(held)
        for finding in findings:
            if finding.start < cut < finding.end:
                cut = finding.start
        return self._release(cut, clear=not findings)

    def end(self) -> str:
        """The rest."""
        return self._release(len(self._held))

    def _release(self, cut: int, *, clear: bool = False) -> str:
        ready, self._held = self._held[:cut], self._held[cut:]
        return ready if clear or not ready else self._guards.outgoing(ready)


def _masked(text: str, findings: Sequence[Finding]) -> str:
    for finding in sorted(findings, key=lambda finding: finding.start, reverse=True):
        text = text[: finding.start] + finding.mask + text[finding.end :]
    return text


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise BadSetting(
            f"The pattern {text!r} is not a regular expression: {error}", where="conversation.moderation"
        ) from None


def _luhn(text: str) -> bool:
    digits = [int(character) for character in text if character.isdigit()][::-1]
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _iban(text: str) -> bool:
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1
