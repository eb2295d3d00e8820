"""News of conversations: who hears them, and how hearing ends."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from frontdesk.conversation.live import WAITING, LiveNews
from frontdesk.outgoing import Signal


class Wire:
    """A bus of two processes: what one publishes, the other one's receivers get."""

    def __init__(self) -> None:
        self.receivers: list[Callable[[bytes], None]] = []
        self.messages = 0

    def subscribe(self, topic: str, receive: Callable[[bytes], None]) -> None:
        self.receivers.append(receive)

    async def publish(self, topic: str, message: bytes) -> None:
        self.messages += 1
        self.receivers[-1](message)


def changed(conversation: str) -> Signal:
    return Signal(conversation_id=conversation, person_id="per_1", kind="changed")


async def hears(live: LiveNews, conversation: str | None, heard: list[str]) -> None:
    async with aclosing(live.follow(conversation)) as signals:
        async for signal in signals:
            heard.append(signal.conversation_id)


async def test_a_page_hears_its_conversation_and_the_team_hears_all_until_the_process_ends() -> None:
    live, own, every = LiveNews(), list[str](), list[str]()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(hears(live, "conv_1", own))
        group.create_task(hears(live, None, every))
        await asyncio.sleep(0)
        for conversation in ("conv_1", "conv_2", "conv_1"):
            await live.tell(changed(conversation))
        live.end()
    assert (own, every) == (["conv_1", "conv_1"], ["conv_1", "conv_2", "conv_1"])


async def test_a_reader_that_is_slow_misses_the_oldest_news_and_still_hears_the_end() -> None:
    live, heard = LiveNews(), list[str]()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(hears(live, None, heard))
        await asyncio.sleep(0)
        for number in range(WAITING + 10):
            await live.tell(changed(f"conv_{number}"))
        live.end()
    assert (heard[0], heard[-1]) == ("conv_11", f"conv_{WAITING + 9}")


async def test_another_process_hears_what_happened_within_a_moment_in_one_message_and_nothing_twice() -> None:
    wire = Wire()
    here, there = LiveNews(wire), LiveNews(wire)
    async with asyncio.timeout(30), aclosing(there.follow(None)) as signals:
        first = asyncio.ensure_future(anext(signals))
        await asyncio.sleep(0)
        for conversation in ("conv_1", "conv_2", "conv_1"):
            await here.tell(changed(conversation))
        heard = [await first, await anext(signals)]
    assert (wire.messages, heard) == (1, [changed("conv_1"), changed("conv_2")])


async def test_what_happens_while_news_is_on_its_way_follows_it() -> None:
    first, second, let_go = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Slow(Wire):
        async def publish(self, topic: str, message: bytes) -> None:
            await super().publish(topic, message)
            (second if first.is_set() else first).set()
            await let_go.wait()

    live = LiveNews(Slow())
    async with asyncio.timeout(30):
        await live.tell(changed("conv_1"))
        await first.wait()
        await live.tell(changed("conv_2"))
        let_go.set()
        await second.wait()
