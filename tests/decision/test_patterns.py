"""Patterns are found where they are, and nothing is made of chance."""

from datetime import UTC, datetime, timedelta

import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.logs import Log
from frontdesk.decision.options import EngagementOptions, MessageOptions, TemplateOptions
from frontdesk.decision.patterns import find
from frontdesk.engagement import OUTCOMES, Genes
from frontdesk.store.database import Database
from frontdesk.store.patterns import Patterns

NOW = datetime(2026, 1, 5, tzinfo=UTC)
MESSAGE = MessageOptions(
    key="tips", channels=["email"], slots=["morning", "evening"], templates={"friendly": TemplateOptions(body="Hi")}
)
ARMS = Arms.of(EngagementOptions(messages=[MESSAGE]), Genes())
EVENING, MORNING = ARMS.index("tips/email/evening"), ARMS.index("tips/email/morning")


def log(count: int, evening: float, seed: int = 1, *, chosen: float = 0.5, alike: bool = True) -> Log:
    """Messages to two segments; `evening` is how often segment a answers in the evening, all others 10 %. With `alike`
    false, those who answer anyway get the evening more often, which the chances tell."""
    rng = np.random.default_rng(seed)
    eager = rng.random(count) < 0.5
    chance = np.full(count, chosen) if alike else np.where(eager, 0.9, 0.1)
    late = rng.random(count) < chance
    segment = rng.integers(0, 2, count)
    rate = np.where(late & (segment == 0), evening, 0.1) if alike else np.where(eager, 0.3, 0.02)
    outcomes = np.zeros((count, len(OUTCOMES)))
    outcomes[:, OUTCOMES.index("reply")] = rng.random(count) < rate
    return Log(
        ids=tuple(map(str, range(count))),
        numbers=np.zeros((count, 1)),
        arm=np.where(late, EVENING, MORNING),
        propensity=np.where(late, chance, 1 - chance),
        eligible=np.ones((count, len(ARMS)), dtype=np.bool_),
        reward=outcomes.sum(axis=1),
        released=np.ones(count, dtype=np.bool_),
        outcomes=outcomes,
        values=np.zeros(count),
        customer=np.arange(count),
        held_out=np.zeros(count, dtype=np.bool_),
        at=np.zeros(count),
        policy=np.zeros(count, dtype=np.intp),
        segment=segment,
        policies=("p1",),
        segments=("a", "b"),
    )


def test_a_segment_that_replies_in_the_evening_is_found_with_its_interval() -> None:
    found = find(log(4000, 0.25), ARMS, NOW)
    assert {(each.segment, each.subject) for each in found} == {("a", "evening"), ("a", "morning")}
    evening = next(each for each in found if each.subject == "evening")
    assert evening.low < 0.15 < evening.high
    assert (evening.kind, evening.confidence) == ("slot", "high")
    assert evening.rate > evening.others


def test_of_many_logs_without_a_pattern_hardly_any_tells_one() -> None:
    assert sum(bool(find(log(1000, 0.1, seed), ARMS, NOW)) for seed in range(100)) <= 8


def test_who_is_sent_what_makes_no_pattern() -> None:
    assert find(log(6000, 0.1, alike=False), ARMS, NOW) == []


def test_few_answers_make_no_pattern() -> None:
    assert find(log(60, 1.0), ARMS, NOW) == []


async def test_a_pattern_is_new_once_and_goes_on_holding(database: Database) -> None:
    patterns, found = Patterns(database), find(log(4000, 0.25), ARMS, NOW)
    assert await patterns.put(found) == found
    later = find(log(4000, 0.25, 2), ARMS, NOW + timedelta(days=1))
    assert await patterns.put(later) == []
    page = await patterns.page(segment="a")
    assert [(each.found_at, each.seen_at) for each in page] == [(NOW, NOW + timedelta(days=1))] * 2
    assert await patterns.page(segment="b") == []
