"""Gaps between groups: found where they are, and not where they are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.bias import MOST_VALUES, Groups, Treated
from frontdesk.decision.options import BiasOptions

OPTIONS = BiasOptions(least_ratio=0.8, least_count=100)


def people(trait: str, group: str, many: int, rate: float, offer: float = 0.0) -> list[Treated]:
    """So many people, of whom a share of `rate` got a message."""
    got = round(many * rate)
    return [
        Treated(traits={trait: group}, decisions=1, messages=int(n < got), offers=offer if n < got else 0.0)
        for n in range(many)
    ]


def test_a_group_that_is_written_to_far_less_is_found_with_its_bounds() -> None:
    groups = Groups()
    groups.add(people("gender", "f", 2000, 0.3))
    groups.add(people("gender", "m", 2000, 0.5))
    [gap] = groups.gaps(OPTIONS)
    assert (gap.measure, gap.trait, gap.group, gap.reference) == ("selection", "gender", "f", "m")
    assert gap.ratio == pytest.approx(0.6)
    assert gap.high is not None
    assert 0.5 < gap.low < 0.6 < gap.high < 0.8
    assert gap.unfair(OPTIONS.least_ratio)


def test_a_gap_in_what_is_offered_is_found_where_all_are_written_to_alike() -> None:
    groups = Groups()
    groups.add(people("region", "north", 1000, 0.5, offer=0.5))
    groups.add(people("region", "south", 1000, 0.5, offer=0.2))
    unfair = [gap for gap in groups.gaps(OPTIONS) if gap.unfair(OPTIONS.least_ratio)]
    assert [(gap.measure, gap.group) for gap in unfair] == [("offer", "south")]


def test_a_small_gap_and_a_small_group_raise_nothing() -> None:
    groups = Groups()
    groups.add(people("gender", "f", 20_000, 0.45))
    groups.add(people("gender", "m", 20_000, 0.5))
    groups.add(people("gender", "x", 99, 0.0))
    [gap] = groups.gaps(OPTIONS)
    assert gap.high is not None
    assert gap.high < 1
    assert not gap.unfair(OPTIONS.least_ratio)


def test_a_large_gap_that_may_be_chance_raises_nothing() -> None:
    groups = Groups()
    groups.add(people("gender", "f", 100, 0.07))
    groups.add(people("gender", "m", 100, 0.10))
    [gap] = groups.gaps(OPTIONS)
    assert gap.ratio < 0.8
    assert not gap.unfair(OPTIONS.least_ratio)


def test_people_who_are_treated_alike_seldom_raise_a_finding_in_any_of_many_groups() -> None:
    chance = np.random.default_rng(13)
    alarms = 0
    for _ in range(60):
        groups = Groups()
        for _ in range(8):  # looks, each with new people
            drawn = zip(chance.integers(6, size=600), chance.random(600) < 0.15, strict=True)
            groups.add([Treated(traits={"team": str(team)}, decisions=1, messages=int(got)) for team, got in drawn])
            if any(gap.unfair(OPTIONS.least_ratio) for gap in groups.gaps(OPTIONS)):
                alarms += 1
                break
    assert alarms <= 3


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.integers(0, 5)), max_size=40), st.integers(1, 7)
)
def test_it_does_not_matter_in_how_many_pieces_people_come_by(rows: list[tuple[str, int, int]], size: int) -> None:
    everybody = [
        Treated(traits={"group": group}, decisions=trials, messages=min(trials, got)) for group, trials, got in rows
    ]
    at_once, in_pieces = Groups(), Groups()
    at_once.add(everybody)
    for start in range(0, len(everybody), size):
        in_pieces.add(everybody[start : start + size])
    few = BiasOptions(least_count=1)
    assert at_once.gaps(few) == in_pieces.gaps(few)


def test_a_trait_that_tells_everybody_apart_is_no_group() -> None:
    groups = Groups()
    for number in range(MOST_VALUES + 5):
        groups.add(people("postcode", str(number), 200, 0.1 if number % 2 else 0.9))
    assert groups.gaps(OPTIONS) == []
