"""News between processes: what a listener cannot make sense of costs that news alone."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from frontdesk.work.bus import RedisBus, connect


@pytest.fixture
async def buses(valkey_url: str) -> AsyncGenerator[tuple[RedisBus, RedisBus]]:
    """Two processes' buses, that are not listening yet."""
    here, there = RedisBus(connect(valkey_url), prefix="of-a-test"), RedisBus(connect(valkey_url), prefix="of-a-test")
    yield here, there
    for bus in (here, there):
        await bus.close()


async def heard(bus: RedisBus, news: "asyncio.Queue[bytes]", message: bytes) -> None:
    """Publish until it is heard: who has not begun to listen yet hears nothing."""
    async with asyncio.timeout(20):
        while True:
            await bus.publish("turns", message)
            try:
                async with asyncio.timeout(0.2):
                    while await news.get() != message:
                        pass
                    return
            except TimeoutError:
                continue


async def test_a_message_that_a_listener_cannot_read_does_not_end_its_listening(
    buses: tuple[RedisBus, RedisBus],
) -> None:
    """While a desk is updated, processes of two versions publish to each other."""
    here, there = buses
    news: asyncio.Queue[bytes] = asyncio.Queue()

    def receive(message: bytes) -> None:
        if message == b"of another version":
            raise ValueError("no such thing is known here")
        news.put_nowait(message)

    there.subscribe("turns", receive)
    await there.start()
    await heard(here, news, b"first")
    await here.publish("turns", b"of another version")
    await heard(here, news, b"last")
