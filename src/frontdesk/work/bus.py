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
        self._outgoing: list[tuple[str, bytes]] = []
        self._sending: asyncio.Task[None] | None = None

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Call `receive` with each message that another process publishes on `topic`."""
        self._receivers[self._name(topic).encode()] = receive

    async def publish(self, topic: str, message: bytes) -> None:
        """Have `message` sent to the other processes, soon; while Redis is away it is lost."""
        self._outgoing.append((self._name(topic), self._mark + message))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send(), name="bus-sending")

    async def _send(self) -> None:
        """What comes while messages are on their way leaves together."""
        from redis.exceptions import RedisError

        try:
            while self._outgoing:
                batch, self._outgoing = self._outgoing, []
                try:
                    async with self._redis.pipeline(transaction=False) as pipeline:
                        for name, message in batch:
                            pipeline.publish(name, message)  # pyright: ignore[reportUnknownMemberType] redis-py's loose types
                        await pipeline.execute()
                except (RedisError, OSError) as error:
                    log.debug("news_lost", reason_code=type(error).__name__)
        finally:
            self._sending = None

    async def start(self) -> None:
        """Begin to hear."""
        self._listening = asyncio.create_task(self._listen_forever(), name="bus")

    async def close(self) -> None:
        """Hear no more, and disconnect."""
        for task in filter(None, (self._listening, self._sending)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._redis.aclose()

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # whatever the end of a connection brings: nobody else would listen here
                log.debug("bus_away", reason_code=type(error).__name__)
            await asyncio.sleep(AGAIN)

    async def _listen(self) -> None:
        pubsub: Any = self._redis.pubsub()  # pyright: ignore[reportUnknownMemberType] redis-py leaves its types open
        try:
            await pubsub.subscribe(*self._receivers)
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=QUIET)
                if message is not None and not message["data"].startswith(self._mark):
                    self._hand_on(message["channel"], message["data"][MARK:])
        finally:
            await pubsub.aclose()

    def _hand_on(self, name: bytes, message: bytes) -> None:
        """Processes of another version may say what nobody here understands: that costs this news and no other."""
        try:
            self._receivers[name](message)
        except Exception as error:
            log.warning("news_unreadable", topic=name.decode(), reason_code=type(error).__name__)

    def _name(self, topic: str) -> str:
        return f"{self._prefix}:{topic}"
