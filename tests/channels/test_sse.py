"""Server-sent events on their way out."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from frontdesk.api.sse import EventStream, frame
from frontdesk.events import Numbered, TextAdded
from frontdesk.models.provider import EventReader

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Wire:
    """What a server sees of a response, and a client that leaves when told."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()
        self._more = asyncio.Event()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        self._more.set()

    async def holds(self, words: bytes, times: int = 1) -> None:
        """Return when the body holds the words so often."""
        async with asyncio.timeout(30):
            while self.body.count(words) < times:
                self._more.clear()
                await self._more.wait()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def test_frames_that_are_ready_together_leave_in_one_write() -> None:
    async def source() -> AsyncGenerator[bytes]:
        for number in range(100):
            yield b"data: %d\n\n" % number

    wire = Wire()
    await EventStream(source())({"type": "http"}, wire.receive, wire.send)
    assert wire.body.count(b"data: ") == 100
    assert len(wire.sent) <= 4
    assert wire.sent[-1]["more_body"] is False


async def test_a_quiet_stream_is_pinged() -> None:
    go_on = asyncio.Event()

    async def source() -> AsyncGenerator[bytes]:
        await go_on.wait()
        yield b"data: late\n\n"

    wire = Wire()
    stream = asyncio.create_task(EventStream(source(), ping=0.01)({"type": "http"}, wire.receive, wire.send))
    await wire.holds(b": ping\n\n", times=2)
    go_on.set()
    await stream
    assert wire.body.endswith(b"data: late\n\n")


async def test_the_source_is_closed_when_the_reader_leaves() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"data: more\n\n"
                await asyncio.sleep(0)
        finally:
            closed.set()

    wire = Wire()
    stream = asyncio.create_task(EventStream(source())({"type": "http"}, wire.receive, wire.send))
    await wire.holds(b"more")
    wire.left.set()
    await asyncio.wait_for(stream, 30)
    assert closed.is_set()


async def test_a_source_that_fails_ends_the_stream_with_its_error() -> None:
    async def source() -> AsyncGenerator[bytes]:
        yield b"data: first\n\n"
        raise RuntimeError("gone")

    wire = Wire()
    with pytest.raises(RuntimeError, match="gone"):
        await EventStream(source())({"type": "http"}, wire.receive, wire.send)
    assert wire.body == b"data: first\n\n"


async def test_a_slow_reader_holds_the_source_back() -> None:
    made = 0
    may_read = asyncio.Event()

    async def source() -> AsyncGenerator[bytes]:
        nonlocal made
        for _ in range(5_000):
            made += 1
            yield b"x"

    class Slow(Wire):
        async def send(self, message: Message) -> None:
            await may_read.wait()
            await super().send(message)

    wire = Slow()
    stream = asyncio.create_task(EventStream(source())({"type": "http"}, wire.receive, wire.send))
    for _ in range(50):
        await asyncio.sleep(0)
    assert made < 1_000
    may_read.set()
    await stream
    assert len(wire.body) == 5_000


def test_any_text_survives_the_frame_however_the_bytes_are_cut(size: Callable[[int, int], int]) -> None:
    @settings(max_examples=size(200, 100_000), deadline=None, database=None)
    @given(texts=st.lists(st.text(), max_size=5), data=st.data())
    def check(texts: list[str], data: st.DataObject) -> None:
        wire = b"".join(
            frame(Numbered(seq=seq, event=TextAdded(text=text), at=NOW)) for seq, text in enumerate(texts, 1)
        )
        reader = EventReader("test")
        got: list[str] = []
        while wire:
            cut = data.draw(st.integers(1, len(wire)))
            got += [json.loads(event)["text"] for event in reader.feed(wire[:cut])]
            wire = wire[cut:]
        assert got == texts

    check()
