"""Temporary settings hold for their time in every process, and then revert by themselves."""

from datetime import timedelta

import pytest

from frontdesk.decision.options import EngagementOptions, LearningOptions
from frontdesk.decision.settings import TUNABLE, Effective, changed
from frontdesk.errors import NotFound, Unprocessable
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.tunings import Tunings
from frontdesk.testing.clock import FakeClock

BASE = EngagementOptions()


@pytest.fixture
def audit(database: Database, clock: FakeClock) -> Audit:
    return Audit(database, clock, b"key")


@pytest.fixture
def effective(database: Database, clock: FakeClock, audit: Audit) -> Effective:
    return Effective(BASE, Tunings(database, clock), clock, audit)


@pytest.mark.proves("engagement-19")
async def test_a_temporary_setting_holds_until_its_moment_and_reverts_by_itself(
    effective: Effective, database: Database, clock: FakeClock, audit: Audit
) -> None:
    other = Effective(BASE, Tunings(database, clock), clock, audit)
    await effective.tune("learning_rate", 0.15, clock.now() + timedelta(hours=1), "ann")
    await other.refresh()
    assert (effective.options.learning_rate, other.options.learning_rate) == (0.15, 0.15)
    assert effective.base("learning_rate") == 0.10
    assert [(tuning.name, tuning.set_by) for tuning in other.tuned] == [("learning_rate", "ann")]
    kept = other.options
    await other.refresh()
    assert other.options is kept, "what did not change is the same object"
    clock.advance(3600)
    for each in (effective, other):
        await each.refresh()
        assert each.options == BASE
    assert [(row.act, row.subject) for row in await audit.page()] == [("setting.revert", "learning_rate")]


async def test_a_later_setting_takes_the_place_of_an_earlier_one_and_can_be_ended(
    effective: Effective, clock: FakeClock
) -> None:
    until = clock.now() + timedelta(hours=1)
    await effective.tune("learning.feedback_integration", "batch", until, "ann")
    await effective.tune("learning.feedback_integration", "real_time", until, "ben")
    assert effective.options.learning.feedback_integration == "real_time"
    await effective.end("learning.feedback_integration")
    assert effective.tuned == ()
    with pytest.raises(NotFound):
        await effective.end("learning.feedback_integration")


async def test_what_cannot_be_is_refused_and_changes_nothing(effective: Effective, clock: FakeClock) -> None:
    later = clock.now() + timedelta(hours=1)
    for name, value, until, error in (
        ("segments.default", "x", later, NotFound),
        ("safety.pii_detection", False, later, NotFound),
        ("learning_rate", 2.0, later, Unprocessable),
        ("learning_rate", "much", later, Unprocessable),
        ("minimum_confidence", 0.9, later, Unprocessable),  # above the threshold
        ("learning_rate", 0.2, clock.now(), Unprocessable),
    ):
        with pytest.raises(error) as refused:
            await effective.tune(name, value, until, "ann")
        assert refused.value.where in (name, "until")
    assert effective.options is BASE


async def test_a_new_system_file_keeps_what_is_set_for_a_while_where_it_still_goes(
    effective: Effective, clock: FakeClock
) -> None:
    later = clock.now() + timedelta(hours=1)
    await effective.tune("minimum_confidence", 0.8, later, "ann")
    effective.replace(EngagementOptions(learning_rate=0.3))
    assert (effective.options.learning_rate, effective.options.minimum_confidence) == (0.3, 0.8)
    effective.replace(EngagementOptions(confidence_threshold=0.7, minimum_confidence=0.6))
    assert effective.options.minimum_confidence == 0.6, "a floor of 0.8 is above the new threshold"


def test_each_tunable_setting_can_be_set_to_what_it_is() -> None:
    options = EngagementOptions(learning=LearningOptions(holdout_share=0.2))
    for name in TUNABLE:
        value = options
        for part in name.split("."):
            value = getattr(value, part)
        assert changed(options, {name: value}) == options
