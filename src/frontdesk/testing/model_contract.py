"""What every model must do, built-in or not.

A plug-in's test subclasses `ModelContract` and gives a fixture `model` (its model, ready to be asked) and, where the
default does not suit it, an attribute `request_for_contract`:

    class TestMyModel(ModelContract):
        @pytest.fixture
        async def model(self): ...
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from frontdesk.messages import (
    ModelDone,
    ModelEvent,
    ModelRequest,
    Passage,
    Prompt,
    TextDelta,
    TextPart,
    ToolCallDelta,
)
from frontdesk.ports import Model

PASSAGE = Passage(
    id="passage-1",
    document_id="document-1",
    title="Opening hours",
    source="hours.md",
    heading="Opening hours",
    text="The desk is open from nine to five. On Sundays it is closed.",
    start=0,
    end=61,
)
REQUEST = ModelRequest(
    messages=(Prompt(role="user", parts=(TextPart(text="When is the desk open?"),)),),
    passages=(PASSAGE,),
    max_tokens=8,
)
SOON = 60  # seconds in which a call must be over; local models load their weights first


class ModelContract:
    """The behaviour that rooms above count on. Each method is a test; `model` is a fixture of the subclass."""

    request_for_contract = REQUEST

    async def test_its_stream_ends_with_exactly_one_done(self, model: Model) -> None:
        events = await _all(model, self.request_for_contract)
        assert isinstance(events[-1], ModelDone)
        assert not any(isinstance(event, ModelDone) for event in events[:-1])

    async def test_it_says_something(self, model: Model) -> None:
        events = await _all(model, self.request_for_contract)
        said = "".join(event.text for event in events if isinstance(event, TextDelta))
        assert said.strip() or any(isinstance(event, ToolCallDelta) for event in events)

    async def test_done_names_a_model_and_counts_what_was_used(self, model: Model) -> None:
        done = (await _all(model, self.request_for_contract))[-1]
        assert isinstance(done, ModelDone)
        assert done.model
        assert min(done.usage.prompt_tokens, done.usage.completion_tokens, done.usage.cost) >= 0

    async def test_its_facts_and_name_do_not_change_by_asking(self, model: Model) -> None:
        before = (model.name, model.facts)
        await _all(model, self.request_for_contract)
        assert (model.name, model.facts) == before
        assert model.name
        assert model.facts.context_tokens > 0

    async def test_a_closed_stream_leaves_it_ready_for_the_next(self, model: Model) -> None:
        stream = model.stream(self.request_for_contract)
        assert isinstance(stream, AsyncGenerator), "a stream must be closable"
        async with asyncio.timeout(SOON), aclosing(stream):
            await anext(stream)
        assert isinstance((await _all(model, self.request_for_contract))[-1], ModelDone)

    async def test_it_answers_two_at_once(self, model: Model) -> None:
        both = await asyncio.gather(*(_all(model, self.request_for_contract) for _ in range(2)))
        assert all(isinstance(events[-1], ModelDone) for events in both)

    async def test_it_answers_in_one_piece_when_nobody_reads_along(self, model: Model) -> None:
        events = await _all(model, msgspec.structs.replace(self.request_for_contract, streamed=False))
        assert isinstance(events[-1], ModelDone)

    async def test_it_may_be_closed_twice(self, model: Model) -> None:
        await model.close()
        await model.close()


async def _all(model: Model, request: ModelRequest) -> list[ModelEvent]:
    async with asyncio.timeout(SOON):
        return [event async for event in model.stream(request)]
