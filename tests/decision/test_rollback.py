"""When a challenger goes, and when it takes over."""

import msgspec
import numpy as np
import pytest

from frontdesk.decision.options import RollbackOptions
from frontdesk.decision.rollback import Evidence, Verdict, judge
from frontdesk.decision.sequential import Tally

OPTIONS = RollbackOptions()
ERRORS = 0.001


def evidence(trials: int, successes: int, **counts: int) -> Evidence:
    """Of people with one decision each."""
    tally = Tally(people=trials, trials=trials, total=successes, squares=successes, cross=successes, sizes=trials)
    return msgspec.structs.replace(Evidence(success=tally), **counts)


def verdict(champion: Evidence, challenger: Evidence, options: RollbackOptions = OPTIONS) -> Verdict:
    return judge(champion, challenger, options, ERRORS)


def test_too_little_says_nothing() -> None:
    assert verdict(Evidence(), Evidence()).act == "wait"
    assert verdict(evidence(100, 10), evidence(10, 0)).act == "wait"


@pytest.mark.proves("engagement-8")
def test_a_challenger_that_surely_fell_too_far_is_rolled_back_with_its_numbers() -> None:
    found = verdict(evidence(9000, 1800), evidence(1000, 120))
    assert (found.act, found.rule) == ("roll_back", "drop")
    assert found.drop == pytest.approx(0.4)
    assert found.words == "12.00% against 20.00%: 40% worse, and at least 20.8%"


def test_a_challenger_that_is_surely_a_little_worse_ends_without_an_alarm() -> None:
    found = verdict(evidence(900_000, 180_000), evidence(100_000, 19_000))
    assert (found.act, found.rule) == ("end", "futile")


def test_a_challenger_that_is_surely_better_takes_over() -> None:
    found = verdict(evidence(9000, 900), evidence(1000, 160))
    assert (found.act, found.rule) == ("promote", "better")


def test_a_challenger_that_is_no_better_after_many_outcomes_ends() -> None:
    found = verdict(evidence(180_000, 18_000), evidence(20_000, 2_010))
    assert (found.act, found.rule) == ("end", "futile")


@pytest.mark.parametrize(
    ("rule", "counts"),
    [
        ("errors", {"decided": 40, "failed": 4}),
        ("unsubscribes", {"messaged": 20, "unsubscribed": 7}),
        ("complaints", {"messaged": 20, "complained": 5}),
        ("latency", {"decided": 40, "slow": 12}),
    ],
)
def test_what_must_not_be_waited_for_trips_at_once(rule: str, counts: dict[str, int]) -> None:
    found = verdict(Evidence(messaged=500, decided=500), msgspec.structs.replace(Evidence(), **counts))
    assert (found.act, found.rule) == ("roll_back", rule)


def test_what_befalls_the_champion_as_well_is_not_the_challengers_doing() -> None:
    assert verdict(Evidence(decided=400, failed=40), Evidence(decided=40, failed=4)).act == "wait"


def test_strategies_that_drive_equally_many_away_are_told_apart_no_more_often_where_that_is_beyond_the_limit() -> None:
    chance = np.random.default_rng(9)
    alarms = 0
    for _ in range(200):
        base, other = np.cumsum(chance.binomial(10, 0.1, 150)), np.cumsum(chance.binomial(10, 0.1, 150))
        looks = (
            verdict(
                Evidence(messaged=10 * (n + 1), unsubscribed=int(base[n])),
                Evidence(messaged=10 * (n + 1), unsubscribed=int(other[n])),
            )
            for n in range(150)
        )
        alarms += any(look.act == "roll_back" for look in looks)
    assert alarms <= 200 * 0.01


def test_a_strategy_that_drives_more_away_than_one_beyond_the_limit_trips() -> None:
    champion = Evidence(messaged=900, unsubscribed=70)
    assert verdict(champion, Evidence(messaged=100, unsubscribed=8)).act == "wait"
    assert verdict(champion, Evidence(messaged=100, unsubscribed=30)).rule == "unsubscribes"


def test_equal_strategies_are_left_alone_over_their_whole_life() -> None:
    chance = np.random.default_rng(5)
    alarms = 0
    for _ in range(100):
        base, other = np.cumsum(chance.binomial(900, 0.05, 60)), np.cumsum(chance.binomial(100, 0.05, 60))
        looks = (
            verdict(evidence(900 * (n + 1), int(base[n])), evidence(100 * (n + 1), int(other[n]))) for n in range(60)
        )
        alarms += any(look.act == "roll_back" for look in looks)
    assert alarms <= 5
