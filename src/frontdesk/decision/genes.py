"""The genes of a strategy: what each may be, and how two strategies have children.

Evolution turns these knobs and no others. What protects people (consent, caps, quiet hours, approval, fairness) is
masked before any scoring and stands in no gene.
"""

from collections.abc import Mapping
from typing import get_args

import msgspec
import numpy as np

from frontdesk.decision.options import Tone
from frontdesk.engagement import Genes

Value = float | int | str


class Real(msgspec.Struct, frozen=True):
    """A number from `low` to `high`, turned by steps of a tenth of that range at a time."""

    low: float
    high: float

    def near(self, value: Value, chance: np.random.Generator) -> float:
        """A value near this one."""
        return self.clip(float(value) + chance.normal(0, (self.high - self.low) / 10))

    def any(self, chance: np.random.Generator) -> float:
        """Some value."""
        return self.clip(chance.uniform(self.low, self.high))

    def clip(self, value: Value) -> float:
        """The nearest value that is allowed, to six digits, so that what is kept is what was tried."""
        return round(min(self.high, max(self.low, float(value))), 6)


class Whole(msgspec.Struct, frozen=True):
    """A whole number from `low` to `high`, turned by one at a time."""

    low: int
    high: int

    def near(self, value: Value, chance: np.random.Generator) -> int:
        """A value next to this one."""
        return self.clip(int(value) + (1 if chance.random() < 0.5 else -1))

    def any(self, chance: np.random.Generator) -> int:
        """Some value."""
        return int(chance.integers(self.low, self.high + 1))

    def clip(self, value: Value) -> int:
        """The nearest value that is allowed."""
        return min(self.high, max(self.low, round(float(value))))


class Word(msgspec.Struct, frozen=True):
    """One of some words."""

    words: tuple[str, ...]

    def near(self, value: Value, chance: np.random.Generator) -> str:
        """Another word."""
        return self.any(chance)

    def any(self, chance: np.random.Generator) -> str:
        """Some word."""
        return self.words[chance.integers(len(self.words))]

    def clip(self, value: Value) -> str:
        """The word, or the first one where it is not allowed."""
        return str(value) if value in self.words else self.words[0]


Gene = Real | Whole | Word

_COST = Real(0.0, 0.2)
_TONE = Word(get_args(Tone))

GENES: Mapping[str, Gene] = {
    "reward_open": Real(0.0, 0.3),
    "reward_click": Real(0.0, 0.8),
    "reward_reply": Real(0.0, 1.0),
    "reward_conversion": Real(0.5, 2.0),
    "reward_unsubscribe": Real(-4.0, -0.5),
    "reward_complaint": Real(-6.0, -1.0),
    "reward_bounce": Real(-1.0, -0.1),
    "value_weight": Real(0.0, 1.0),
    "cost_email": _COST,
    "cost_sms": _COST,
    "cost_push": _COST,
    "cost_in_app": _COST,
    "cost_telegram": _COST,
    "cost_webhook": _COST,
    "cost_offer": Real(0.0, 0.5),
    "fatigue_cost": Real(0.0, 0.5),
    "prior_scale": Real(0.02, 2.0),
    "optimism": Real(0.0, 0.2),
    "forgetting": Real(0.95, 1.0),
    "floor": Real(0.0, 0.2),
    "margin": Real(0.0, 0.1),
    "gap_hours": Real(1.0, 168.0),
    "gap_hours_tired": Real(12.0, 336.0),
    "tier_low": Real(0.05, 0.5),
    "tier_high": Real(0.3, 0.95),
    "weekly_low": Whole(0, 3),
    "weekly_middle": Whole(1, 5),
    "weekly_high": Whole(1, 7),
    "harm_weight": Real(0.5, 5.0),
    "tone_default": _TONE,
    "tone_smb": _TONE,
    "tone_enterprise": _TONE,
}

RISING = (("gap_hours", "gap_hours_tired"), ("tier_low", "tier_high"), ("weekly_low", "weekly_middle", "weekly_high"))


def clipped(genes: Genes) -> Genes:
    """The nearest genes that are allowed: each within its bounds, and those that rise in order."""
    values = {name: gene.clip(getattr(genes, name)) for name, gene in GENES.items()}
    return _ordered(values)


def wild(chance: np.random.Generator) -> Genes:
    """Genes without any parent."""
    return _ordered({name: gene.any(chance) for name, gene in GENES.items()})


def crossed(mother: Genes, father: Genes, chance: np.random.Generator) -> Genes:
    """A child that has each gene from the one or from the other (uniform crossover)."""
    picks = chance.random(len(GENES)) < 0.5
    return _ordered({name: getattr(mother if pick else father, name) for name, pick in zip(GENES, picks, strict=True)})


def mutated(genes: Genes, chance: np.random.Generator, share: float) -> Genes:
    """The genes with about this share of them turned a little."""
    turned = chance.random(len(GENES)) < share
    return _ordered(
        {
            name: gene.near(getattr(genes, name), chance) if turn else getattr(genes, name)
            for (name, gene), turn in zip(GENES.items(), turned, strict=True)
        }
    )


def changed(parent: Genes, child: Genes) -> tuple[str, ...]:
    """The names of the genes in which they differ."""
    return tuple(name for name in GENES if getattr(parent, name) != getattr(child, name))


def _ordered(values: dict[str, Value]) -> Genes:
    for names in RISING:
        rising = sorted(float(values[name]) for name in names)
        for name, value in zip(names, rising, strict=True):
            values[name] = GENES[name].clip(value)
    return msgspec.convert(values, Genes)
