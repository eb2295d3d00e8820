"""The live side of streams: stored events, handed to whoever follows the turn in this process."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from frontdesk.messages import Numbered


class Feeds:
    """Followers of running turns. A follower that is too slow loses live events, never stored ones: it reads again."""

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._followers: dict[str, list[asyncio.Queue[Numbered]]] = {}

    @contextmanager
    def follow(self, turn_id: str) -> Generator[asyncio.Queue[Numbered]]:
        """A queue that gets the turn's events from now on, as they are stored."""
        queue: asyncio.Queue[Numbered] = asyncio.Queue(self._capacity)
        self._followers.setdefault(turn_id, []).append(queue)
        try:
            yield queue
        finally:
            rest = self._followers[turn_id]
            rest.remove(queue)
            if not rest:
                del self._followers[turn_id]

    def publish(self, turn_id: str, events: list[Numbered]) -> None:
        """Hand stored events to the followers."""
        for queue in self._followers.get(turn_id, ()):
            for event in events:
                if queue.full():
                    break
                queue.put_nowait(event)
