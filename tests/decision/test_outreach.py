"""A decision's message is written, approved where somebody must, and leaves at its moment or never."""

from datetime import datetime

import msgspec
import pytest

from frontdesk.decision.options import EngagementOptions
from frontdesk.engagement import Envelope
from frontdesk.models.scripted import Rule, ScriptedModel
from frontdesk.store.customers import withdraw_consent
from frontdesk.store.database import Database
from frontdesk.store.outreach import OutreachRow, withdraw
from frontdesk.store.prepared import Connection
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.outreaching import ANN, BEN, Knowledge, Room, away, options, writing

GOOD = "Subject: Welcome, Cleo\n\nHi Cleo,\n\nhere is how to begin."


@pytest.fixture
def room(database: Database, clock: FakeClock, ids: CountingIds) -> Room:
    return Room(database, clock, ids, options(), writing(clock, GOOD))


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


async def letter_of(room: Room) -> Envelope:
    [letter] = await room.letters()
    return msgspec.json.decode(letter.body, type=Envelope)


@pytest.mark.proves("engagement-1", "engagement-3")
async def test_a_sure_message_is_written_and_leaves_without_a_person(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose()
    row = await room.run(outreach_id)
    assert (row.state, row.model, row.checks) == ("released", "writer", ())
    envelope = await letter_of(room)
    assert (envelope.to, envelope.subject) == ("c1@example.com", "Welcome, Cleo")
    assert envelope.body.startswith("Hi Cleo,")
    assert room.bells.rung == [("letter", row.letter_id)]
    assert await room.contacts() == [outreach_id]
    profile = (await room.customers.get("c1")).profile
    assert profile.messages == pytest.approx(1)  # pyright: ignore[reportUnknownMemberType]


@pytest.mark.proves("engagement-2")
async def test_a_message_that_is_handed_out_twice_leaves_once(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose()
    await room.run(outreach_id, steps=5)
    assert len(await room.letters()) == 1
    assert await room.rows.due() == []


@pytest.mark.proves("engagement-3")
async def test_a_doubtful_one_waits_for_a_person_and_leaves_on_their_word(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(needs=1, confidence=0.8)
    row = await room.run(outreach_id)
    assert row.state == "approval"
    assert await room.letters() == []
    assert (await room.say(row)).state == "scheduled"
    assert (await room.run(outreach_id)).state == "released"
    assert (await letter_of(room)).body == row.body


async def test_a_message_for_later_waits_for_its_moment(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(at=at("2026-01-05T17:00"))
    assert (await room.run(outreach_id)).state == "scheduled"
    assert await room.rows.due() == []
    room.pass_time(hours=5)
    assert await room.rows.due() == [outreach_id]
    assert (await room.run(outreach_id)).state == "released"


# --- the models ---------------------------------------------------------------------------


@pytest.mark.proves("engagement-9")
async def test_the_fallback_writes_while_the_first_model_is_away(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    room = Room(database, clock, ids, options(), [away(clock, "first"), *writing(clock, GOOD)])
    await room.customer()
    row = await room.run(await room.propose())
    assert (row.state, row.model) == ("released", "writer")


@pytest.mark.proves("engagement-9")
async def test_with_all_models_away_messages_wait_and_none_is_lost(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    second = ScriptedModel("second", [Rule(answer=(GOOD,))], clock=clock, once=[Rule(fails="unavailable")])
    room = Room(database, clock, ids, options(), [away(clock, "first"), second])
    await room.customer()
    outreach_id = await room.propose()
    row = await room.run(outreach_id)
    assert (row.state, row.problem) == ("writing", "model_unavailable")
    assert await room.letters() == []
    room.pass_time(minutes=1)
    assert await room.rows.due() == [outreach_id]
    assert (await room.run(outreach_id)).model == "second"
    assert len(await room.letters()) == 1


async def test_a_message_that_waited_too_long_for_its_models_says_the_template(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    room = Room(database, clock, ids, options(), [away(clock, "first")])
    await room.customer()
    outreach_id = await room.propose()
    assert (await room.run(outreach_id)).state == "writing"
    room.pass_time(hours=7)
    row = await room.run(outreach_id)
    assert (row.state, row.model, row.subject) == ("released", "template", "Welcome, Cleo")


async def test_a_writer_that_dies_leaves_its_message_to_the_next(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose()
    dead = await room.rows.claim(outreach_id, 60)
    assert dead is not None
    assert (await room.run(outreach_id)).state == "writing"
    room.pass_time(minutes=2)
    assert (await room.run(outreach_id)).state == "released"
    await room.rows.withheld(dead, "late", (), None)
    assert (await room.rows.get(outreach_id)).state == "released"


# --- what the checks say --------------------------------------------------------------------


@pytest.mark.proves("engagement-5")
@pytest.mark.parametrize("bad", ["Ask bob@example.com.", "Call +1 202 555 0143.", "Hurray 🎉"])
async def test_a_text_that_may_not_go_out_gives_way_to_the_template_and_is_audited(
    database: Database, clock: FakeClock, ids: CountingIds, bad: str
) -> None:
    room = Room(database, clock, ids, options(), writing(clock, f"Subject: Hi\n\nHi Cleo. {bad}"))
    await room.customer(segment="enterprise")
    row = await room.run(await room.propose(segment="enterprise", needs=1))
    assert (row.state, row.model) == ("approval", "template")
    assert row.checks is not None
    assert [(found.weight, found.of) for found in row.checks] == [("block", "model")]
    assert [act.act for act in await room.audit.page()] == ["outreach.blocked"]


async def test_where_the_template_may_not_go_out_either_nothing_does(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    bad = {"friendly": {"body": "Your plan {plan}"}}
    some = options(messages=[{"key": "hello", "templates": bad}])
    room = Room(database, clock, ids, some, writing(clock, GOOD))
    await room.customer(traits={"plan": "bob@example.com"})
    row = await room.run(await room.propose())
    assert (row.state, row.problem) == ("withheld", "checks_failed")
    assert await room.contacts() == []
    assert await room.letters() == []


@pytest.mark.parametrize(("filtering", "state"), [("moderate", "approval"), ("strict", "released")])
async def test_a_doubtful_text_is_looked_at_or_given_up(
    database: Database, clock: FakeClock, ids: CountingIds, filtering: str, state: str
) -> None:
    some = options(safety={"content_filtering": filtering})
    room = Room(database, clock, ids, some, writing(clock, "Subject: Hi\n\nHi Cleo, save 30 %."))
    await room.customer()
    row = await room.run(await room.propose())
    assert row.state == state
    assert row.model == ("writer" if filtering == "moderate" else "template")


async def test_a_number_that_the_knowledge_holds_is_no_doubt(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    models = writing(clock, "Subject: Hi\n\nHi Cleo, save 30 %.")
    room = Room(database, clock, ids, options(), models, knowledge=Knowledge("New customers save 30 % in May."))
    await room.customer()
    assert (await room.run(await room.propose())).state == "released"
    assert [passage.text for passage in models[0].asked[0].passages] == ["New customers save 30 % in May."]


@pytest.mark.parametrize(("kept", "logging"), [(True, "comprehensive"), (False, "detailed")])
async def test_the_prompt_is_kept_where_the_audit_is_comprehensive(
    database: Database, clock: FakeClock, ids: CountingIds, *, kept: bool, logging: str
) -> None:
    room = Room(database, clock, ids, options(safety={"audit_logging": logging}), writing(clock, GOOD))
    await room.customer()
    outreach_id = await room.propose()
    await room.run(outreach_id)
    prompt = (await room.customers.export("c1"))["outreach"][0]["prompt"]
    assert (prompt is not None and "Say welcome." in str(prompt)) == kept


# --- the rules, asked again at the release ----------------------------------------------------


async def withdraw_all(room: Room, channel: str | None = None) -> None:
    async def work(connection: Connection) -> None:
        await withdraw_consent(connection, "c1", channel)
        await withdraw(connection, "c1", channel, "unsubscribed", room.clock.now())

    await room.database.act(work)


@pytest.mark.proves("promise-17")
async def test_who_unsubscribes_gets_nothing_that_was_not_sent(room: Room) -> None:
    await room.customer()
    released = await room.propose()
    await room.run(released)
    waiting = await room.propose(at=at("2026-01-05T17:00"))
    await room.run(waiting)
    await withdraw_all(room)
    assert (await room.rows.get(waiting)).state == "withdrawn"
    assert await room.letters() == []
    assert await room.contacts() == [released]
    assert await room.outbox.count("withdrawn") == 1


@pytest.mark.proves("promise-17")
async def test_who_unsubscribes_from_one_channel_still_gets_the_others(room: Room) -> None:
    await room.customer()
    mail = await room.propose(at=at("2026-01-05T17:00"))
    app = await room.propose(at=at("2026-01-05T17:00"), channel="in_app", arm="hello/in_app/now")
    for outreach_id in (mail, app):
        await room.run(outreach_id)
    await withdraw_all(room, "email")
    room.pass_time(hours=6)
    assert [(await room.run(each)).state for each in (mail, app)] == ["withdrawn", "released"]


@pytest.mark.proves("promise-17")
async def test_consent_that_went_otherwise_is_seen_at_the_release(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(at=at("2026-01-05T17:00"))
    await room.run(outreach_id)
    await room.customer(consents=0)
    room.pass_time(hours=6)
    row = await room.run(outreach_id)
    assert (row.state, row.problem) == ("withdrawn", "consent")
    assert await room.contacts() == []


@pytest.mark.proves("engagement-4", "promise-17")
async def test_enterprise_is_written_to_at_nine_and_not_at_night(room: Room) -> None:
    await room.customer(segment="enterprise")
    room.pass_time(hours=9)  # 21:00 on Monday
    outreach_id = await room.propose(segment="enterprise", needs=1)
    await room.say(await room.run(outreach_id))
    room.pass_time(hours=1)
    row = await room.run(outreach_id)
    assert (row.state, row.problem, row.send_at) == ("scheduled", "hours", at("2026-01-06T09:00"))
    assert await room.letters() == []
    room.pass_time(hours=11)
    row = await room.run(outreach_id)
    assert row.state == "released"
    [letter] = await room.letters()
    assert letter.not_after == at("2026-01-06T13:00")


@pytest.mark.proves("engagement-4", "promise-17")
async def test_the_fourth_message_in_seven_days_is_refused_at_the_release_too(room: Room) -> None:
    await room.customer(segment="enterprise")
    four = [await room.propose(segment="enterprise", needs=1) for _ in range(4)]
    states: list[str] = []
    for outreach_id in four:
        await room.say(await room.run(outreach_id))
        states.append((await room.run(outreach_id)).state)
    assert states.count("released") == 3
    assert len(await room.letters()) == 3


@pytest.mark.proves("engagement-4")
async def test_unapproved_a_message_that_needs_a_person_is_never_sent(room: Room) -> None:
    await room.customer(segment="enterprise")
    outreach_id = await room.propose(segment="enterprise", needs=0)  # decided under looser rules
    row = await room.run(outreach_id)
    assert (row.state, row.problem) == ("approval", "must_be_approved")
    assert await room.letters() == []
    await room.say(row)
    assert (await room.run(outreach_id)).state == "released"


async def test_another_address_than_the_approved_one_is_asked_about_again(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(needs=1)
    row = await room.run(outreach_id)
    await room.say(row)
    await room.customer(addresses={"email": "other@example.com"})
    again = await room.run(outreach_id)
    assert again.state == "approval"
    assert again.digest != row.digest
    await room.say(again, BEN)
    await room.run(outreach_id)
    assert (await letter_of(room)).to == "other@example.com"


async def test_a_message_whose_time_is_long_past_is_withdrawn(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(at=at("2026-01-05T17:00"))
    await room.run(outreach_id)
    room.pass_time(days=3)
    row = await room.run(outreach_id)
    assert (row.state, row.problem) == ("withdrawn", "too_late")


async def test_a_message_that_harms_more_than_is_tolerated_by_now_is_withdrawn(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(at=at("2026-01-05T17:00"))
    await room.run(outreach_id)
    room.options = EngagementOptions.model_validate(room.options.model_dump() | {"risk_tolerance": 0.001})
    room.pass_time(hours=6)
    assert (await room.run(outreach_id)).problem == "risk"


async def test_a_message_that_the_owner_dropped_is_withheld(room: Room) -> None:
    await room.customer()
    row = await room.run(await room.propose(message="gone"))
    assert (row.state, row.problem) == ("withheld", "unknown_message")


async def test_messages_are_listed_by_state_and_customer(room: Room) -> None:
    await room.customer()
    await room.customer("c2")
    first = await room.run(await room.propose())
    second = await room.run(await room.propose("c2", needs=1))

    def ids_of(rows: list[OutreachRow]) -> list[str]:
        return [row.id for row in rows]

    assert ids_of(await room.rows.page(state="approval")) == [second.id]
    assert ids_of(await room.rows.page(customer_id="c1")) == [first.id]
    assert set(ids_of(await room.rows.page())) == {first.id, second.id}


async def test_nobody_is_written_to_after_their_erasure(room: Room) -> None:
    await room.customer()
    outreach_id = await room.propose(needs=1)
    await room.say(await room.run(outreach_id), ANN)
    await room.customers.erase("c1")
    assert await room.rows.page() == []
    assert await room.rows.due() == []
