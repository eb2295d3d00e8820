"""A turn, from message to reply."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from frontdesk.conversation import words
from frontdesk.errors import ModelUnavailable, NotFound, Overloaded
from frontdesk.events import (
    ApprovalAsked,
    Cited,
    Failed,
    Finished,
    ModelSwitched,
    Numbered,
    Started,
    TextAdded,
    ToolCalled,
    ToolReturned,
    Working,
)
from frontdesk.messages import (
    Found,
    Grounding,
    ModelChanged,
    ModelDone,
    ModelEvent,
    ModelRequest,
    Passage,
    TextDelta,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from frontdesk.store.database import Database
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.conversation.conftest import Desk, Script, make_desk

HOURS = Passage(
    id="p1",
    document_id="d1",
    title="Opening hours",
    source="hours.md",
    heading="Opening hours",
    text="We open at nine.",
    start=0,
    end=16,
)
CLOCK_TOOL = ToolSpec(name="example__time", description="The time", parameters=msgspec.Raw(b"{}"), server="example")


SMALL = Usage(prompt_tokens=3, completion_tokens=2)


def says(*pieces: str) -> Script:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        for piece in pieces:
            yield TextDelta(text=piece)
        yield ModelDone(reason="stop", model="played", usage=SMALL)

    return script


def calls_then_says(name: str, arguments: str, answer: str) -> Script:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if request.messages[-1].role == "tool":
            yield TextDelta(text=answer)
            yield ModelDone(reason="stop", model="played")
            return
        yield ToolCallDelta(index=0, id="call-1", name=name, arguments=arguments[:3])
        yield ToolCallDelta(index=0, arguments=arguments[3:])
        yield ModelDone(reason="tool_calls", model="played")

    return script


def text(events: list[Numbered]) -> str:
    return "".join(item.event.text for item in events if isinstance(item.event, TextAdded))


def of(events: list[Numbered], kind: type) -> list[object]:
    return [item.event for item in events if isinstance(item.event, kind)]


def end(events: list[Numbered]) -> Finished:
    assert isinstance(events[-1].event, Finished), events[-1].event
    return events[-1].event


# --- streams ---------------------------------------------------------------------------------------------------------


async def test_a_reply_streams_in_numbered_events_without_gaps_and_is_stored(desk: Desk) -> None:
    desk.models.script = says("Good ", "day ", "to you.")
    events = await desk.ask("Hello")
    assert [item.seq for item in events] == list(range(1, len(events) + 1))
    assert isinstance(events[0].event, Started)
    assert text(events) == "Good day to you."
    assert end(events).usage == Usage(prompt_tokens=3, completion_tokens=2)
    reply = await desk.conversations.message(end(events).reply_id, desk.ada.id)
    assert (reply.text, reply.state, reply.model) == ("Good day to you.", "complete", "played")


@pytest.mark.proves("promise-14")
async def test_a_stream_that_is_read_from_any_event_on_gives_the_rest(desk: Desk) -> None:
    desk.models.script = says(*(f"{number} " for number in range(30)))
    accepted = await desk.converse.accept(desk.said("Count"))
    whole = [item async for item in desk.converse.follow(accepted.turn_id)]
    for cut in range(len(whole)):
        rest = [item async for item in desk.converse.follow(accepted.turn_id, after=cut)]
        assert whole[:cut] + rest == whole


async def test_readers_who_come_and_go_do_not_stop_a_turn(desk: Desk) -> None:
    go_on = asyncio.Event()

    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text="One. ")
        await go_on.wait()
        yield TextDelta(text="Two.")
        yield ModelDone(reason="stop", model="played")

    desk.models.script = script
    accepted = await desk.converse.accept(desk.said("Count"))
    seen = 0
    async for item in desk.converse.follow(accepted.turn_id):
        seen = item.seq
        if isinstance(item.event, TextAdded):
            break
    go_on.set()
    rest = [item async for item in desk.converse.follow(accepted.turn_id, after=seen)]
    assert text(rest).endswith("Two.")


async def test_a_reader_of_a_conversation_that_is_deleted_is_told_so(desk: Desk) -> None:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text="I begin ")
        await asyncio.Event().wait()

    desk.models.script = script
    accepted = await desk.converse.accept(desk.said("Tell me everything"))

    async def read() -> None:
        async for item in desk.converse.follow(accepted.turn_id):
            if isinstance(item.event, TextAdded):
                await desk.conversations.delete(accepted.conversation_id, desk.ada.id)

    with pytest.raises(NotFound):
        await asyncio.wait_for(read(), 30)


async def test_stop_ends_the_turn_with_what_was_said(desk: Desk) -> None:
    closed = asyncio.Event()

    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        try:
            yield TextDelta(text="I begin ")
            await asyncio.Event().wait()
        finally:
            closed.set()

    desk.models.script = script
    accepted = await desk.converse.accept(desk.said("Tell me everything"))
    events: list[Numbered] = []
    async with asyncio.timeout(30):
        async for item in desk.converse.follow(accepted.turn_id):
            events.append(item)
            if isinstance(item.event, TextAdded):
                await desk.converse.stop(accepted.turn_id)
        await closed.wait()
    assert end(events).reason == "stopped"
    reply = await desk.conversations.message(accepted.reply_id, desk.ada.id)
    assert (reply.text, reply.state) == ("I begin ", "stopped")


@pytest.mark.proves("promise-4")
async def test_messages_of_one_conversation_are_answered_in_order(desk: Desk) -> None:
    desk.models.script = says("Yes.")
    first = await desk.converse.accept(desk.said("One", "1"))
    rest = [
        await desk.converse.accept(desk.said(f"More {number}", str(number), conversation_id=first.conversation_id))
        for number in range(2, 6)
    ]
    async with asyncio.timeout(30):
        for accepted in [first, *rest]:
            assert [item async for item in desk.converse.follow(accepted.turn_id)]
    asked = [request.messages[-1].text for request in desk.models.asked]
    assert asked == ["One", *(f"More {number}" for number in range(2, 6))]


@pytest.mark.proves("promise-18")
async def test_beyond_its_backlog_the_desk_turns_messages_away_and_recovers(desk: Desk) -> None:
    go_on = asyncio.Event()

    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        await go_on.wait()
        yield TextDelta(text="Yes.")
        yield ModelDone(reason="stop", model="played")

    desk.models.script = script
    most = desk.parts.options.most_waiting
    accepted = [await desk.converse.accept(desk.said("Hello", str(number))) for number in range(most)]
    with pytest.raises(Overloaded) as refused:
        await desk.converse.accept(desk.said("Hello", "one too many"))
    assert refused.value.retry_after
    go_on.set()
    async with asyncio.timeout(30):
        for one in accepted:
            assert [item async for item in desk.converse.follow(one.turn_id)]
    assert text(await desk.ask("Hello", "one too many")) == "Yes."


# --- what dies ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("promise-1", "promise-13")
async def test_a_turn_whose_process_died_is_finished_by_another_without_repeating_itself(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    dead = await make_desk(database, clock, ids, "process-a")

    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text="The first half, ")
        await asyncio.Event().wait()

    dead.models.script = script
    accepted = await dead.parts.inbox.accept(dead.said("Go"))
    run = asyncio.create_task(dead.converse.run(accepted.turn_id))
    seen: list[Numbered] = []
    async for item in dead.converse.follow(accepted.turn_id):
        seen.append(item)
        if isinstance(item.event, TextAdded):
            break
    run.cancel()  # as a kill does: nothing more is written
    await asyncio.gather(run, return_exceptions=True)
    assert await dead.turns.waiting() == []
    clock.advance(dead.parts.options.lease_seconds + 1)

    alive = await make_desk(database, clock, ids, "process-b")
    alive.models.script = says("the second half.")
    for turn_id in await alive.turns.waiting():
        await alive.converse.run(turn_id)
    seen += [item async for item in alive.converse.follow(accepted.turn_id, after=seen[-1].seq)]
    assert alive.models.asked[0].continue_from == "The first half, "
    assert text(seen) == "The first half, the second half."
    assert [item.seq for item in seen] == list(range(1, len(seen) + 1))
    assert "resuming" in [event.activity for event in of(seen, Working)]  # type: ignore[attr-defined]


async def test_a_tool_call_that_a_crash_cut_off_is_said_to_be_unknown_and_not_repeated(
    database: Database, clock: FakeClock, ids: CountingIds
) -> None:
    dead = await make_desk(database, clock, ids, "process-a")
    reached = asyncio.Event()

    def never(call: object) -> str:
        reached.set()
        raise asyncio.CancelledError

    dead.tools.offered, dead.tools.answer = (CLOCK_TOOL,), never
    dead.models.script = calls_then_says("example__time", "{}", "")
    accepted = await dead.parts.inbox.accept(dead.said("Go"))
    run = asyncio.create_task(dead.converse.run(accepted.turn_id))
    await reached.wait()
    await asyncio.gather(run, return_exceptions=True)
    clock.advance(dead.parts.options.lease_seconds + 1)
    alive = await make_desk(database, clock, ids, "process-b")
    alive.models.script = says("I do not know whether it was done.")
    await alive.converse.run(accepted.turn_id)
    assert "unknown" in alive.models.asked[0].messages[-1].text
    assert alive.tools.calls == []


async def test_a_failed_model_ends_the_turn_with_a_coded_error_and_an_offer(desk: Desk) -> None:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text="Well, ")
        raise ModelUnavailable("No model answers")

    desk.models.script = script
    events = await desk.ask("Why?")
    failed = events[-1].event
    assert isinstance(failed, Failed)
    assert failed.code == "model_unavailable"
    started = events[0].event
    assert isinstance(started, Started)
    message = await desk.conversations.message(started.reply_id, desk.ada.id)
    assert (message.state, message.text, message.can_leave_message) == ("failed", "Well, ", True)


async def test_a_model_that_takes_over_in_mid_answer_is_named(desk: Desk) -> None:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta(text="One, ")
        yield ModelChanged(from_model="a", to_model="b", reason="cut", after_text=True)
        yield TextDelta(text="two.")
        yield ModelDone(reason="stop", model="b")

    desk.models.script = script
    events = await desk.ask("Count")
    assert of(events, ModelSwitched) == [ModelSwitched(from_model="a", to_model="b", reason="cut")]
    assert (text(events), end(events).model) == ("One, two.", "b")


# --- grounded first --------------------------------------------------------------------------------------------------


async def test_a_strong_model_gets_the_passages_and_its_marks_become_citations(desk: Desk) -> None:
    desk.shelf.found = Found(passages=(HOURS,), confidence=0.9)
    desk.models.script = says("We open at nine [1]. Not [7].")
    events = await desk.ask("When do you open?")
    assert desk.models.asked[0].passages == (HOURS,)
    cited = of(events, Cited)[-1]
    assert isinstance(cited, Cited)
    assert [(citation.number, citation.passage_id) for citation in cited.citations] == [(1, "p1")]
    assert end(events).grounding is Grounding.SOURCED


async def test_with_a_small_model_the_desk_quotes(desk: Desk) -> None:
    desk.models.strength = "small"
    desk.shelf.found = Found(passages=(HOURS,), confidence=0.9)
    desk.quote.script = says("We open at nine. [1]")
    events = await desk.ask("When do you open?")
    assert end(events).grounding is Grounding.QUOTED
    assert desk.models.asked == []
    assert of(events, Cited)


async def test_with_a_small_model_the_desk_says_when_it_does_not_know_and_offers_a_person(desk: Desk) -> None:
    desk.models.strength = "small"
    events = await desk.ask("Do you sell umbrellas?")
    assert end(events).grounding is Grounding.UNKNOWN
    assert end(events).can_leave_message
    assert text(events).startswith(words.UNKNOWN)
    assert desk.models.asked == []


@pytest.mark.parametrize("said", ["Hello!", "Thanks a lot", "Write a poem about rain", "Explain what irony is"])
async def test_small_talk_and_open_questions_go_to_the_small_model_and_are_marked(desk: Desk, said: str) -> None:
    desk.models.strength = "small"
    desk.models.script = says("Hi.")
    events = await desk.ask(said)
    assert end(events).grounding is Grounding.UNSOURCED


async def test_when_no_strong_model_answers_the_desk_quotes_instead_of_failing(desk: Desk) -> None:
    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        raise ModelUnavailable("All circuits are open")
        yield TextDelta(text="")

    desk.models.script = script
    desk.shelf.found = Found(passages=(HOURS,), confidence=0.9)
    desk.quote.script = says("We open at nine. [1]")
    events = await desk.ask("When do you open?")
    assert end(events).grounding is Grounding.QUOTED
    assert of(events, ModelSwitched)


# --- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.proves("assistant-3")
async def test_a_question_that_needs_a_tool_calls_it_and_the_history_shows_call_result_and_reply(desk: Desk) -> None:
    desk.tools.offered, desk.tools.answer = (CLOCK_TOOL,), lambda call: "12:00"
    desk.models.script = calls_then_says("example__time", '{"zone":"UTC"}', "It is noon.")
    events = await desk.ask("What time is it?")
    assert [call.arguments for call in desk.tools.calls] == ['{"zone":"UTC"}']
    assert of(events, ToolCalled)
    assert of(events, ToolReturned)
    reply = await desk.conversations.message(end(events).reply_id, desk.ada.id)
    assert [(use.name, use.result) for use in reply.tools] == [("example__time", "12:00")]
    assert reply.text == "It is noon."
    result = desk.models.asked[1].messages[-1]
    assert (result.role, result.untrusted, result.tool_call_id) == ("tool", True, "call-1")
    again = await desk.ask("And now?", "2", conversation_id=reply.conversation_id)
    assert end(again)
    assert [prompt.role for prompt in desk.models.asked[2].messages] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


@pytest.mark.parametrize(
    ("decision", "ran", "told"),
    [("approved", 1, "done"), ("denied", 0, words.APPROVAL_DENIED), ("expired", 0, words.APPROVAL_EXPIRED)],
)
@pytest.mark.proves("abuse-15")
async def test_a_call_that_needs_approval_runs_only_when_a_person_said_so(
    desk: Desk, decision: str, ran: int, told: str
) -> None:
    desk.tools.offered = (msgspec.structs.replace(CLOCK_TOOL, needs_approval=True),)
    desk.approvals.state = decision
    desk.models.script = calls_then_says("example__time", "{}", "So be it.")
    events = await desk.ask("Do it")
    assert len(of(events, ApprovalAsked)) == 1
    assert len(desk.tools.calls) == ran
    assert desk.models.asked[1].messages[-1].text == told


async def test_a_model_that_calls_tools_for_ever_is_made_to_answer(desk: Desk) -> None:
    desk.tools.offered = (CLOCK_TOOL,)

    async def script(request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if request.tools:
            yield ToolCallDelta(index=0, id=f"call-{len(request.messages)}", name="example__time", arguments="{}")
            yield ModelDone(reason="tool_calls", model="played")
        else:
            yield TextDelta(text="Enough.")
            yield ModelDone(reason="stop", model="played")

    desk.models.script = script
    events = await desk.ask("Loop")
    assert text(events) == "Enough."
    assert len(desk.tools.calls) == desk.parts.options.tool_rounds


async def test_a_tool_that_does_not_exist_is_told_to_the_model(desk: Desk) -> None:
    desk.models.script = calls_then_says("nobody__nothing", "{}", "I cannot.")
    await desk.ask("Do it")
    assert "no tool" in desk.models.asked[1].messages[-1].text


# --- memory, history, guards ------------------------------------------------------------------------------------------


@pytest.mark.proves("assistant-8")
async def test_a_fact_told_once_is_recalled_in_a_later_conversation_and_never_for_somebody_else(desk: Desk) -> None:
    desk.models.script = says("Noted.")
    await desk.ask("Remember that my dog is called Rex", "1")
    desk.models.asked.clear()
    await desk.ask("What is my dog called?", "2")
    assert "my dog is called Rex" in "".join(prompt.text for prompt in desk.models.asked[0].messages)
    desk.models.asked.clear()
    await desk.ask("What is my dog called?", "3", person=desk.bob)
    assert "Rex" not in "".join(prompt.text for prompt in desk.models.asked[0].messages)
    desk.models.strength = "small"
    events = await desk.ask("What is my dog called?", "4")
    assert text(events) == words.TOLD_ME.format(fact="my dog is called Rex")


async def test_old_messages_are_summed_up_and_the_newest_are_kept(desk: Desk) -> None:
    desk.models.script = says("Yes.")
    events = await desk.ask("Question 0. It is long.", "0")
    started = events[0].event
    assert isinstance(started, Started)
    for number in range(1, 16):
        await desk.ask(f"Question {number}.", str(number), conversation_id=started.conversation_id)
    conversation = await desk.conversations.get(started.conversation_id, desk.ada.id)
    assert conversation.summary
    last = desk.models.asked[-1].messages
    assert len(last) == 2 + desk.parts.options.history_messages
    assert conversation.summary in last[1].text


async def test_a_refused_subject_gets_the_owners_words_and_no_model(desk: Desk) -> None:
    events = await desk.ask("Tell me about the forbidden thing")
    assert (text(events), end(events).grounding) == ("I do not talk about that.", Grounding.NOTICE)
    assert desk.models.asked == []


async def test_a_secret_never_reaches_the_model_nor_leaves_it(desk: Desk) -> None:
    key = "sk-" + "a1" * 20
    desk.models.script = says("Your key is sk-", "b2" * 8, "b2" * 12, " indeed.")
    events = await desk.ask(f"My key is {key}")
    assert key not in desk.models.asked[0].messages[-1].text
    assert text(events) == "Your key is [secret removed] indeed."


async def test_a_file_is_read_as_data_of_the_message(desk: Desk) -> None:
    file = await desk.files.add(desk.ada.id, "note.txt", "text/plain", b"The code word is swordfish.")
    desk.models.script = says("I read it.")
    await desk.ask("What does it say?", file_ids=(file.id,))
    assert "swordfish" in desk.models.asked[0].messages[-1].text
    with pytest.raises(NotFound):
        await desk.ask("And for me?", "2", person=desk.bob, file_ids=(file.id,))


async def test_a_regenerated_answer_is_a_sibling_and_remembers_nothing_of_the_first(desk: Desk) -> None:
    desk.models.script = says("First.")
    events = await desk.ask("Tell me")
    started = events[0].event
    assert isinstance(started, Started)
    desk.models.script = says("Second.")
    again = await desk.ask("", "2", conversation_id=started.conversation_id, regenerate=started.message_id)
    assert text(again) == "Second."
    assert [prompt.text for prompt in desk.models.asked[-1].messages if prompt.role == "assistant"] == []
    siblings = [m for m in await desk.conversations.messages(started.conversation_id) if m.role == "assistant"]
    assert {message.parent_id for message in siblings} == {started.message_id}
