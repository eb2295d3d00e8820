"""Approved texts with slots, and what is known of a customer to fill them.

`{name}` is a slot; `{name|there}` says what stands there when nothing is known. Only the layers of signals that a
segment's depth allows are known: name, plan, usage, history, inferred preferences.
"""

import re
from collections.abc import Collection, Mapping

import msgspec

from frontdesk.decision.options import MessageOptions, TemplateOptions
from frontdesk.engagement import Customer, Signals

LONGEST = 80  # characters that go into a slot: a name is no place for a letter
SLOT = re.compile(r"\{\s*([a-z][a-z0-9_]*)\s*(?:\|([^{}|]*))?\}")
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")

Facts = Mapping[str, str]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A text. `subject` is the line above it, where the channel has one."""

    subject: str
    body: str

    @property
    def whole(self) -> str:
        """Both together."""
        return f"{self.subject}\n\n{self.body}" if self.subject else self.body


class NothingKnown(Exception):  # a report to the writer, not an error that anyone sees
    """A slot has nothing to hold, and the text does not say what stands there then."""


def fill(template: TemplateOptions, facts: Facts) -> Draft:
    """The text with its slots filled. Raises `NothingKnown`."""

    def value(slot: re.Match[str]) -> str:
        known = facts.get(slot[1]) or slot[2]
        if known is None:
            raise NothingKnown(slot[1])
        return known.strip()

    return Draft(subject=SLOT.sub(value, template.subject), body=SLOT.sub(value, _flowing(template.body)))


def _flowing(text: str) -> str:
    """Without the line ends inside paragraphs, which belong to the system file. Items of a list keep theirs."""
    paragraphs = re.split(r"\n[ \t]*\n\s*", text.strip())
    return "\n\n".join(re.sub(r"[ \t]*\n(?![ \t]*([-*•]|\d+[.)])[ \t])[ \t]*", " ", each) for each in paragraphs)


def template_of(message: MessageOptions, *tones: str) -> TemplateOptions:
    """The message's approved text in the first of these tones that it has, or else its first one."""
    found = [template for tone in tones for own, template in message.templates.items() if own == tone]
    return found[0] if found else next(iter(message.templates.values()))


def facts_of(customer: Customer, signals: Signals, depth: int, *, hidden: Collection[str] = ()) -> Facts:
    """What a text may use of a customer at this depth (1 to 5), by slot. Traits in `hidden` are never used."""
    name = customer.name.strip()
    layers: tuple[Mapping[str, object], ...] = (
        {"name": name, "first_name": name.split(" ")[0]},
        {key: value for key, value in customer.traits.items() if key not in hidden and value is not None},
        {"days_since_active": round(signals.recency_days)},
        {"stage": signals.stage.replace("_", " ")},
        {"favourite_channel": signals.best_channel.replace("_", " "), "favourite_hour": signals.best_hour},
    )
    known = {key: _plain(value) for layer in reversed(layers[:depth]) for key, value in layer.items()}
    return {key: value for key, value in known.items() if value}


def _plain(value: object) -> str:
    return " ".join(_NOT_PRINTED.sub(" ", str(value)).split())[:LONGEST]
