"""The figures that are looked up when somebody reads the metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import frontdesk
from frontdesk.app.store import Store
from frontdesk.ports import Clock
from frontdesk.store.pulse import Pulse
from frontdesk.system.system import System
from frontdesk.telemetry import metrics
from frontdesk.telemetry.exposition import Exposition
from frontdesk.telemetry.machine import look_at_disk, look_at_memory

if TYPE_CHECKING:
    from redis.asyncio import Redis

PING_SECONDS = 1.0  # after which a part counts as away: less than a look may take, so that it is said


def open_exposition(
    system: System, store: Store, redis: "Redis | None", clock: Clock, *, role: str = "all"
) -> Exposition:
    """What `/metrics` tells of this process, whose role is a label."""
    metrics.build_info.labels(frontdesk.__version__, role).set(1)
    pulse = Pulse(store.database, clock)

    async def conversations() -> None:
        metrics.conversations_active.set(await pulse.active())
        metrics.conversation_length.show(await pulse.lengths())

    async def machine() -> None:
        await asyncio.to_thread(look_at_memory)
        await asyncio.to_thread(look_at_disk, system.home)

    looks = [conversations, machine, partial(_is_up, "database", store.database.ping)]
    if redis is not None:
        looks.append(partial(_is_up, "redis", partial(ping, redis)))
    return Exposition(looks, clock)


async def _is_up(part: str, ping: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(PING_SECONDS):
            await ping()
    except Exception:  # a foreign client may raise anything: whatever it is, the part is away
        metrics.part_up.labels(part).set(0)
    else:
        metrics.part_up.labels(part).set(1)


async def ping(redis: "Redis") -> None:
    """Whether Redis answers. Raises what its client does."""
    await redis.execute_command("PING")  # pyright: ignore[reportUnknownMemberType]  # redis-py's loose types
