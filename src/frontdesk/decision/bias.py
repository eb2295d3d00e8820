"""Whether groups of people are treated alike: who is written to, what is offered, what comes of it.

People stream by once; what is kept is a tally for each value of each trait. A gap is a group's rate over the best
group's. It is a finding when the ratio is below `least_ratio`, both groups have enough people, and it is surely no
chance: its bound holds at every look, and for all comparisons together (Bonferroni over the ordered pairs, because the
best group is known only afterwards).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from frontdesk.decision.options import BiasOptions
from frontdesk.decision.sequential import Tally, compare
from frontdesk.store.gaps import Gap, Measure

SEGMENT = "segment"  # is always looked at, beside the traits that the owner names
ALPHA = 0.05  # chance that a look at people who are treated alike ever makes any finding
MOST_VALUES = 20  # of one trait; a trait with more names people rather than groups, and is left out


class Treated(msgspec.Struct, frozen=True, kw_only=True):
    """One person: the values of their traits, in how many decisions they came up, how many messages they got, what
    those offered in sum (each from 0 to 1), and how many of them a click, a reply or a conversion followed."""

    traits: Mapping[str, str]
    decisions: int
    messages: int = 0
    offers: float = 0.0
    successes: int = 0


class Groups:
    """The tallies of everybody who came by."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, Measure], dict[str, Tally]] = defaultdict(dict)

    def add(self, people: Iterable[Treated]) -> None:
        """Count these people, each of whom comes by once."""
        rows: dict[tuple[str, Measure, str], list[tuple[int, float]]] = defaultdict(list)
        for person in people:
            values: tuple[tuple[Measure, int, float], ...] = (
                ("selection", person.decisions, person.messages),
                ("offer", person.messages, person.offers),
                ("outcome", person.messages, person.successes),
            )
            for trait, group in person.traits.items():
                for measure, trials, total in values:
                    if trials:
                        rows[trait, measure, group].append((trials, total))
        for (trait, measure, group), pairs in rows.items():
            known = self._tallies[trait, measure]
            if group in known or len(known) <= MOST_VALUES:
                known[group] = known.get(group, Tally()) + Tally.of(pairs)

    def gaps(self, options: BiasOptions) -> list[Gap]:
        """Every group of enough people beside the best such group of its trait, the widest gap first."""
        compared = {
            key: {group: tally for group, tally in known.items() if tally.people >= options.least_count}
            for key, known in self._tallies.items()
            if len(known) <= MOST_VALUES
        }
        pairs = sum(len(known) * (len(known) - 1) for known in compared.values())
        found = [
            gap
            for (trait, measure), known in compared.items()
            if len(known) > 1
            for gap in _against_the_best(trait, measure, known, ALPHA / pairs)
        ]
        return sorted(found, key=lambda gap: gap.ratio)


def _against_the_best(trait: str, measure: Measure, known: Mapping[str, Tally], alpha: float) -> Iterable[Gap]:
    reference = max(sorted(known), key=lambda group: known[group].rate)
    best = known[reference]
    for group in sorted(known.keys() - {reference}):
        found = compare(best, known[group], alpha)
        if found.ratio is not None:  # None: nobody in any group got any
            yield Gap(
                measure=measure,
                trait=trait,
                group=group,
                reference=reference,
                rate=found.rate,
                reference_rate=found.baseline,
                ratio=found.ratio,
                low=found.low,
                high=None if math.isinf(found.high) else found.high,
                people=known[group].people,
                reference_people=best.people,
            )
