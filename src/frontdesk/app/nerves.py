"""What carries news between the processes of a desk: the streams of turns, and changes of conversations."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from frontdesk.conversation.feed import Feeds
from frontdesk.conversation.live import LiveNews
from frontdesk.system.options import RedisOptions
from frontdesk.system.system import System
from frontdesk.work.bus import RedisBus, connect


@dataclass(frozen=True, slots=True, kw_only=True)
class Nerves:
    """Live streams and news: over Redis where there is one, else within this process."""

    feeds: Feeds
    live: LiveNews


async def open_nerves(system: System, stack: AsyncExitStack) -> Nerves:
    """The nerves of a process; `stack` closes them. Raises `MissingExtra` where Redis' package is absent."""
    redis = system.section(RedisOptions)
    if not redis.address:
        return Nerves(feeds=Feeds(), live=LiveNews())
    bus = RedisBus(connect(redis.address, redis.max_connections))
    nerves = Nerves(feeds=Feeds(bus), live=LiveNews(bus))
    await bus.start()
    stack.push_async_callback(bus.close)
    return nerves
