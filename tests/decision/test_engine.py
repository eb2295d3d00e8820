"""An event becomes one decision and what follows from it, on both databases."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from frontdesk.decision.explain import reasons
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import share_of
from frontdesk.decision.replay import replay
from frontdesk.engagement import Ask, Decision, Genes, Policy
from frontdesk.errors import BadFeature, Conflict, UnknownCustomer
from frontdesk.store.database import Database
from frontdesk.store.decisions import Wanted
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.deciding import Desk, believing, customer, options, policy, served


@pytest.fixture
async def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    desk = Desk(database, clock, ids)
    await desk.customers.put(customer())
    return desk


@pytest.mark.proves("engagement-1")
async def test_an_event_becomes_one_decision_with_its_reasons_and_one_message(desk: Desk) -> None:
    await desk.event("evt_1")
    await desk.engine.on_event("evt_1")
    (decision,) = await desk.decisions.page(Wanted())
    assert (decision.state, decision.event_id, decision.customer_id) == ("act", "evt_1", "ann")
    assert 0.85 <= decision.confidence <= 1
    assert reasons(decision)
    assert sum(decision.probabilities) == pytest.approx(1)
    assert decision.propensity == decision.probabilities[decision.eligible.index(decision.arm)]
    ((kind, outreach_id),) = desk.bell.rung
    message = await desk.outreach.get(outreach_id)
    assert (kind, message.decision_id, message.channel) == ("outreach", decision.id, decision.channel)
    (contact,) = (await desk.customers.get("ann")).contacts
    assert (contact.outreach_id, contact.at) == (outreach_id, message.send_at.timestamp())


@pytest.mark.proves("engagement-2")
async def test_the_same_event_is_decided_once_however_often_it_is_handed_out(desk: Desk) -> None:
    await desk.event("evt_1")
    await asyncio.gather(*(desk.engine.on_event("evt_1") for _ in range(8)))
    await desk.engine.on_event("evt_1")
    assert len(await desk.decisions.page(Wanted())) == 1
    assert await desk.count() == 1
    assert (await desk.decide(event_id="evt_1")).event_id == "evt_1"
    assert len(await desk.decisions.page(Wanted())) == 1


async def test_events_that_are_gone_or_dealt_with_ask_for_nothing(desk: Desk) -> None:
    await desk.engine.on_event("evt_none")
    await desk.event("evt_1")
    await desk.customers.erase("ann")
    await desk.engine.on_event("evt_1")
    assert await desk.decisions.page(Wanted()) == []


@pytest.mark.proves("engagement-3")
@pytest.mark.parametrize(("worth", "state"), [(0.9, "act"), (0.8, "approval"), (0.6, "hold")])
async def test_confidence_decides_who_decides(desk: Desk, worth: float, state: str) -> None:
    line = msgspec.convert({"x": [0.0, 1.0], "y": [worth, worth]}, type(policy().calibration))
    desk.policies.now = served(policy(calibration=line))
    decision = await desk.decide()
    assert (decision.confidence, decision.state) == (worth, state)
    assert await desk.count() == (0 if state == "hold" else 1)


async def test_whatever_the_confidence_predicted_harm_above_the_stricter_tolerance_holds(desk: Desk) -> None:
    desk.policies.now = served(policy(harm=believing(policy().harm, "bias × message", 0.03)))
    assert (await desk.decide()).state == "act"
    await desk.customers.put(customer("big", segment="enterprise"))
    decision = await desk.decide("big")
    assert (decision.state, decision.risk) == ("hold", pytest.approx(0.03, abs=0.001))


async def test_who_is_supervised_or_must_be_asked_gets_nothing_unapproved(desk: Desk) -> None:
    await desk.customers.put(customer("big", segment="enterprise"))
    assert (await desk.decide("big")).state == "approval"
    desk.options = options(mode="supervised")
    assert (await desk.decide()).state == "approval"
    assert await desk.count(state="writing") == 2


@pytest.mark.proves("engagement-4")
async def test_three_messages_in_seven_days_are_all_that_the_enterprise_gets_also_in_one_batch(desk: Desk) -> None:
    await desk.customers.put(customer("big", segment="enterprise"))
    results = await desk.engine.decide([Ask(customer_id="big") for _ in range(5)])
    states = [result.state for result in results if isinstance(result, Decision)]
    assert states == ["approval"] * 3 + ["nothing"] * 2
    fourth = results[3]
    assert isinstance(fourth, Decision)
    assert "cap" in [mask.rule for mask in fourth.masks]
    assert any("limit of messages" in reason for reason in reasons(fourth))


@pytest.mark.proves("promise-17")
async def test_caps_hold_when_many_decide_about_one_customer_at_once(desk: Desk) -> None:
    await desk.customers.put(customer("big", segment="enterprise"))
    await asyncio.gather(*(desk.decide("big") for _ in range(20)))
    assert await desk.count() == 3
    assert len((await desk.customers.get("big")).contacts) == 3


@pytest.mark.proves("engagement-4")
async def test_a_message_that_is_decided_in_the_night_is_planned_for_the_morning(desk: Desk) -> None:
    desk.clock.advance(10 * 3600)
    await desk.customers.put(customer("big", segment="enterprise"))
    decision = await desk.decide("big")
    assert decision.send_at == datetime(2026, 1, 6, 9, tzinfo=UTC)


async def test_without_consent_nothing_is_decided_and_why_is_said(desk: Desk) -> None:
    await desk.customers.put(customer("shy", consents=0))
    decision = await desk.decide("shy")
    assert (decision.state, decision.arm, decision.eligible) == ("nothing", "nothing", ("nothing",))
    assert decision.propensity == 1
    assert reasons(decision)[0] == "Nothing, because the rules leave no message."
    assert any("not agreed" in reason for reason in reasons(decision))


async def test_a_customer_of_a_segment_that_is_gone_is_left_alone(desk: Desk) -> None:
    await desk.customers.put(customer("old", segment="gone"))
    decision = await desk.decide("old")
    assert (decision.state, [mask.rule for mask in decision.masks]) == ("nothing", ["unknown_segment"])


async def test_each_question_of_a_batch_has_its_own_answer(desk: Desk) -> None:
    await desk.customers.put(customer("ben"))
    asks = [Ask(customer_id=name) for name in ("ann", "nobody", "ben")]
    asks += [Ask(customer_id="ann", context={"intent": float("nan")}), Ask(customer_id="ann", context={"mood": 1})]
    kinds = [type(result) for result in await desk.engine.decide(asks)]
    assert kinds == [Decision, UnknownCustomer, Decision, BadFeature, BadFeature]
    assert len(await desk.decisions.page(Wanted())) == 2


async def test_a_dry_question_leaves_no_trace(desk: Desk) -> None:
    await desk.event("evt_1")
    assert (await desk.decide(dry=True, event_id="evt_1")).state == "act"
    assert await desk.decisions.page(Wanted()) == []
    assert (await desk.customers.get("ann")).contacts == ()
    await desk.engine.on_event("evt_1")
    assert len(await desk.decisions.page(Wanted())) == 1


async def test_an_event_of_two_customers_spoils_no_other_answer(desk: Desk) -> None:
    await desk.customers.put(customer("ben"))
    await desk.customers.put(customer("cleo"))
    asks = [Ask(customer_id="ann", event_id="x"), Ask(customer_id="ben", event_id="x"), Ask(customer_id="cleo")]
    assert [type(result) for result in await desk.engine.decide(asks)] == [Decision, Conflict, Decision]
    assert isinstance(await desk.error("ben", event_id="x"), Conflict)


async def test_the_objective_follows_from_the_event_the_customer_or_the_asker(desk: Desk) -> None:
    assert (await desk.decide()).objective == "onboard"
    assert (await desk.decide(objective="win_back")).objective == "win_back"
    await desk.event("evt_1", "payment_failed")
    await desk.engine.on_event("evt_1")
    (decision, *_) = await desk.decisions.page(Wanted(objective="support"))
    assert decision.event_id == "evt_1"


async def test_what_is_kept_of_a_decision_is_enough_to_make_it_again(desk: Desk) -> None:
    desk.policies.now = served(policy(sure=False))
    made = [await desk.decide() for _ in range(5)]
    kept = await desk.decisions.page(Wanted())
    assert kept == made[::-1]
    assert all(replay(each, policy(sure=False), desk.options).same for each in kept)


# --- who decides -----------------------------------------------------------------


async def test_a_challenger_decides_about_its_share_of_the_people_always_the_same(desk: Desk) -> None:
    names = [f"cus_{number}" for number in range(40)]
    await desk.customers.put_many([customer(name) for name in names])
    desk.policies.now = served(policy(), challenger=policy("pol_2"), share=0.5)
    roles = {name: (await desk.decide(name)).role for name in names}
    assert roles == {name: "challenger" if share_of(name, "pol_2") < 0.5 else "champion" for name in names}
    assert roles == {name: (await desk.decide(name)).role for name in names}
    assert set(roles.values()) == {"champion", "challenger"}


async def test_in_no_segment_a_young_strategy_decides_about_more_than_the_innovation_level(desk: Desk) -> None:
    names = [f"cus_{number}" for number in range(60)]
    await desk.customers.put_many([customer(name, segment="smb") for name in names])
    young = policy("pol_2", generation=1)
    desk.policies.now = served(policy(), challenger=young, share=1.0)
    results = await desk.engine.decide([Ask(customer_id=name) for name in names])
    assert {name for name, result in zip(names, results, strict=True) if result.role == "challenger"} == {  # type: ignore[union-attr]
        name for name in names if share_of(name, "pol_2") < 0.5
    }
    desk.policies.now = served(young)
    results = await desk.engine.decide([Ask(customer_id=name, dry=True) for name in names])
    masked = [result for result in results if isinstance(result, Decision) and result.eligible == ("nothing",)]
    assert 15 < len(masked) < 45
    assert all("innovation" in [mask.rule for mask in result.masks] for result in masked)
    old = policy("pol_3", generation=1, born_at=desk.clock.now() - timedelta(days=31))
    desk.policies.now = served(old)
    results = await desk.engine.decide([Ask(customer_id=name, dry=True) for name in names])
    assert not [result for result in results if isinstance(result, Decision) and result.eligible == ("nothing",)]


async def test_a_young_challenger_does_for_all_its_people_what_it_would(desk: Desk) -> None:
    """Doing nothing about some of them would make it look worse than the champion that it is compared with."""
    names = [f"cus_{number}" for number in range(60)]
    await desk.customers.put_many([customer(name, segment="smb") for name in names])
    young = policy("pol_2", generation=1)

    async def masked(champion: Policy) -> set[str]:
        desk.policies.now = served(champion, challenger=young, shadow=young, share=0.4)
        results = [await desk.decide(name, dry=True) for name in names]
        return {each.role for each in results if "innovation" in [mask.rule for mask in each.masks]}

    assert await masked(policy()) == set()
    assert await masked(policy("pol_3", generation=1)) == {"champion", "challenger"}
    desk.policies.now = served(policy(), challenger=young, share=0.4, shadow=young)
    await desk.engine.decide([Ask(customer_id=name) for name in names])
    shadow = await desk.decisions.page(Wanted(state="shadow"), limit=100)
    assert len(shadow) == 60
    assert not [each for each in shadow if each.eligible == ("nothing",)]


async def test_where_the_challenger_fails_the_champion_decides_and_it_is_told(desk: Desk) -> None:
    desk.policies.now = served(policy(), challenger=policy("pol_2", features=("other",)), share=1.0)
    decision = await desk.decide()
    assert (decision.role, decision.policy_id) == ("champion", "pol_1")
    assert desk.watched == [("challenger", True), ("champion", False)]


@pytest.mark.proves("engagement-7")
async def test_a_shadow_policy_scores_and_serves_nobody(desk: Desk) -> None:
    desk.policies.now = served(policy(), shadow=policy("pol_2"))
    await desk.event("evt_1")
    await desk.engine.on_event("evt_1")
    (shadow,) = await desk.decisions.page(Wanted(state="shadow"))
    assert (shadow.policy_id, shadow.event_id) == ("pol_2", None)
    assert await desk.count() == 1
    assert len((await desk.customers.get("ann")).contacts) == 1


async def test_tired_people_and_plans_are_respected(desk: Desk) -> None:
    desk.policies.now = served(policy(genes=Genes(weekly_low=1, gap_hours=24)))
    assert (await desk.decide()).state == "act"
    assert {mask.rule for mask in (await desk.decide()).masks} == {"plan", "gap"}
    desk.clock.advance(7 * 86400)
    assert (await desk.decide()).masks == ()


async def test_options_that_change_hold_for_the_next_decision(desk: Desk) -> None:
    assert (await desk.decide()).state == "act"
    desk.options = EngagementOptions.model_validate(options().model_dump() | {"confidence_threshold": 1.0})
    line = msgspec.convert({"x": [0.0, 1.0], "y": [0.9, 0.9]}, type(policy().calibration))
    desk.policies.now = served(policy("pol_3", calibration=line))
    assert (await desk.decide()).state == "approval"
