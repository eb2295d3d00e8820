"""News between processes, through Redis: fast, and lost without harm, for whoever listens also looks for itself."""

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from redis.asyncio import Redis

log = structlog.get_logger("frontdesk.work")

Receive = Callable[[bytes], None]
AGAIN = 1.0  # seconds between two tries to reach a Redis that is away
QUIET = 5.0  # seconds of silence after which the connection is looked at
MARK = 8  # bytes before each message that name its sender, so that nobody hears himself


def connect(address: str, most: int = 100) -> "Redis":
    """A client for a bus: it listens for as long as it takes, and notices a Redis that fell silent."""
    from redis.asyncio import Redis

    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] its types leave the keywords open
        address, max_connections=most, socket_connect_timeout=1, socket_keepalive=True, health_check_interval=10
    )


class RedisBus:
    """Publishes to the other processes of the desk and hears them. `start` it after the last `subscribe`.

    The client is the bus's own: `close` closes it.
    """

    def __init__(self, redis: "Redis", *, prefix: str = "frontdesk") -> None:
        self._redis = redis
        self._prefix = prefix
        self._mark = secrets.token_bytes(MARK)
        self._receivers: dict[bytes, Receive] = {}
        self._listening: asyncio.Task[None] | None = None

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Call `receive` with each message that another process publishes on `topic`."""
        self._receivers[self._name(topic).encode()] = receive

    async def publish(self, topic: str, message: bytes) -> None:
        """Send `message` to the other processes; while Redis is away it is lost."""
        from redis.exceptions import RedisError

        try:
            await self._redis.publish(self._name(topic), self._mark + message)  # pyright: ignore[reportUnknownMemberType] redis-py's loose types
        except (RedisError, OSError) as error:
            log.debug("news_lost", reason_code=type(error).__name__)

    async def start(self) -> None:
        """Begin to hear."""
        self._listening = asyncio.create_task(self._listen_forever(), name="bus")

    async def close(self) -> None:
        """Hear no more, and disconnect."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._redis.aclose()

    async def _listen_forever(self) -> None:
        from redis.exceptions import RedisError

        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                log.debug("bus_away", reason_code=type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def _listen(self) -> None:
        pubsub: Any = self._redis.pubsub()  # pyright: ignore[reportUnknownMemberType] redis-py leaves its types open
        try:
            await pubsub.subscribe(*self._receivers)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=QUIET)
                if message is not None and not message["data"].startswith(self._mark):
                    self._receivers[message["channel"]](message["data"][MARK:])
        finally:
            await pubsub.aclose()

    def _name(self, topic: str) -> str:
        return f"{self._prefix}:{topic}"
