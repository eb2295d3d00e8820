"""Promise 13: whatever a provider does, before or after its first word, the reader gets one whole answer."""

import asyncio

import pytest

from frontdesk.clock import SystemClock
from frontdesk.errors import ModelUnavailable
from frontdesk.messages import Usage
from frontdesk.models.accounting import added
from frontdesk.models.anthropic import AnthropicModel
from frontdesk.models.member import Member
from frontdesk.models.openai import OpenAIModel
from frontdesk.models.options import FactsOptions, Retry
from frontdesk.models.router import Router
from frontdesk.testing.upstream import AnthropicWire, OpenAIWire, Received, Reply, Upstream
from tests.models.asking import QUICK, Book, ask, hear, options, parts

WIRES = {"openai": (OpenAIModel, OpenAIWire), "anthropic": (AnthropicModel, AnthropicWire)}
WHOLE = "The quick brown fox jumps."
BEGINNING = ("The ", "quick ", "bro")

BEFORE = {
    "time-out": Reply(delay=30),
    "429": Reply(status=429, retry_after="0.01"),
    "500": Reply(status=500),
    "hang": Reply(fault="hang"),
    "cut": Reply(fault="cut"),
    "malformed": Reply(fault="malformed"),
    "10 MB": Reply(fault="flood"),
    "1 byte/s": Reply(fault="trickle"),
}
AFTER = {
    "time-out": Reply(pieces=BEGINNING, fault="hang", fault_after=3),
    "429": Reply(pieces=BEGINNING, fault="error_event", fault_after=3),
    "500": Reply(pieces=BEGINNING, fault="error_event", fault_after=3),
    "hang": Reply(pieces=BEGINNING, fault="hang", fault_after=3),
    "cut": Reply(pieces=BEGINNING, fault="cut", fault_after=3),
    "malformed": Reply(pieces=BEGINNING, fault="malformed", fault_after=3),
    "10 MB": Reply(pieces=BEGINNING, fault="flood", fault_after=3),
    "1 byte/s": Reply(pieces=BEGINNING, fault="trickle", fault_after=3),
}


def healthy(received: Received) -> Reply:
    """A model that goes on where it is asked to, and repeats the broken word, as many do."""
    return Reply(pieces=("brown", " fox", " jumps.")) if b"interrupted" in received.body else Reply(text=WHOLE)


@pytest.mark.proves("promise-13")
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", BEFORE)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_failing_model_leaves_one_whole_answer_paid_once(wire: str, fault: str, moment: str) -> None:
    reply = BEFORE[fault] if moment == "before" else AFTER[fault]
    build, speaks = WIRES[wire]
    book, clock = Book(), SystemClock()
    async with Upstream(speaks(), [reply]) as broken, Upstream(OpenAIWire(), healthy) as sound:
        prices = FactsOptions(prompt_price=1, completion_price=2)
        members = [
            Member(
                build.build(options(wire, broken.url, name="first", facts=prices), parts()),
                clock=clock,
                time_outs=QUICK,
            ),
            Member(OpenAIModel.build(options("openai", sound.url, name="second", facts=prices), parts()), clock=clock),
        ]
        router = Router(members, clock=clock, retry=Retry(tries=2, first_wait=0.001), ledger=book)
        async with asyncio.timeout(30):
            said = await hear(router, ask(account="turn-1"))
        await router.close()
    assert said.text == WHOLE
    assert said.done is not None
    assert said.done.model == "second"
    spent = [(model, usage) for account, model, usage in book.calls if account == "turn-1"]
    assert len(sound.received) == 1
    if moment == "before":
        assert said.changes == []
        assert spent == [("second", Usage(prompt_tokens=10, completion_tokens=5, cost=20))]
    else:
        assert [(change.from_model, change.to_model) for change in said.changes] == [("first", "second")]
        assert [model for model, _ in spent] == ["first", "second"]
        assert len(broken.received) == 1
    total = Usage()
    for _, usage in spent:
        total = added(total, usage)
    assert said.done.usage == total


@pytest.mark.proves("promise-13")
@pytest.mark.parametrize("fault", ["500", "hang", "cut", "malformed", "10 MB", "1 byte/s"])
async def test_an_answer_in_one_piece_falls_back_too(fault: str) -> None:
    clock = SystemClock()
    async with Upstream(OpenAIWire(), [BEFORE[fault]]) as broken, Upstream(OpenAIWire(), [Reply(text=WHOLE)]) as sound:
        members = [
            Member(OpenAIModel.build(options("openai", url, name=name), parts()), clock=clock, time_outs=QUICK)
            for name, url in (("first", broken.url), ("second", sound.url))
        ]
        router = Router(members, clock=clock, retry=Retry(tries=1))
        async with asyncio.timeout(30):
            said = await hear(router, ask(streamed=False))
        await router.close()
    assert said.text == WHOLE


async def test_an_only_model_that_is_cut_off_goes_on_by_itself_unmarked() -> None:
    clock = SystemClock()
    async with Upstream(OpenAIWire(), [AFTER["cut"], Reply(pieces=("wn fox", " jumps."))]) as upstream:
        model = OpenAIModel.build(options("openai", upstream.url), parts())
        router = Router([Member(model, clock=clock)], clock=clock, retry=Retry(first_wait=0.001))
        said = await hear(router, ask())
        await router.close()
    assert said.text == WHOLE
    assert said.changes == []


async def test_a_dead_address_is_an_unavailable_model_within_the_tries() -> None:
    clock = SystemClock()
    async with Upstream(OpenAIWire()) as upstream:
        url = upstream.url
    model = OpenAIModel.build(options("openai", url), parts())
    router = Router([Member(model, clock=clock)], clock=clock, retry=Retry(first_wait=0.001))
    with pytest.raises(ModelUnavailable, match="No model can answer") as caught:
        await hear(router, ask())
    await router.close()
    assert caught.value.where == "openai: connection"
    assert router.health()[0].failures == 3


async def test_closing_the_stream_hangs_up_on_the_provider_and_books_what_was_said() -> None:
    clock, book = SystemClock(), Book()
    async with Upstream(OpenAIWire(), [AFTER["hang"]]) as upstream:
        model = OpenAIModel.build(options("openai", upstream.url), parts())
        router = Router([Member(model, clock=clock)], clock=clock, ledger=book)
        stream = router.stream(ask(account="turn-2"))
        await anext(stream)
        await stream.aclose()
        await router.close()
    assert [(account, model) for account, model, _ in book.calls] == [("turn-2", "openai")]
