"""Serving ASGI applications until somebody asks to stop; then letting running answers end."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from frontdesk.operate.streams import Endable

KEEP_ALIVE = 75  # seconds: longer than proxies keep a connection (60), so that they never send into a closing one

LAST_REQUESTS = 1.0  # seconds that kept connections have for one more request, once the end has begun
LAST_WORDS = 2  # seconds that a stream has for its end once it was told to
LOOKS = 20  # within these seconds, at whether any connection is left

# Seconds after which a busy thread lets another one run. The database works in threads of its own: with Python's 5 ms a
# busy loop keeps each commit waiting so long (measured: ten writers at once, median 3.9 ms a commit against 0.5 ms).
THREAD_TURN = 0.0005


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """An application and the sockets that it answers on.

    `longest_drain` bounds, in seconds, how long its running answers may take at the end: for applications whose callers
    keep streams open as long as they live. What lasts longer then hears that its caller has left.
    """

    app: ASGIApp
    listeners: Sequence[socket.socket]
    longest_drain: int | None = None


class _Server(uvicorn.Server):
    """Leaves signals to `serve`, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # pyright: ignore[reportIncompatibleMethodOverride] — a wider type of the same use
        return contextlib.nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def take_leave(self) -> None:
        """Take no new connection, and let each answer say that it is the last one of its connection."""
        for server in self.servers:
            server.close()
        last = (b"connection", b"close")
        self.config.encoded_headers.append(last)
        self.server_state.default_headers = [*self.server_state.default_headers, last]


async def serve(
    faces: Sequence[Face],
    *,
    drain_seconds: int,
    ready: Callable[[], None],
    ending: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGTERM or SIGINT, then take no new connection, let running answers end and return.

    `ready` is called once all faces listen, `ending` when the stop begins: answers that would never end by themselves
    end then. A second signal ends without waiting.
    """
    sys.setswitchinterval(THREAD_TURN)
    bounded = {face: Endable(face.app) for face in faces if face.longest_drain is not None}
    servers = [_Server(_config(face, bounded.get(face, face.app), drain_seconds)) for face in faces]

    leaving: list[asyncio.Task[None]] = []

    def stop() -> None:
        if leaving:
            for server in servers:
                server.force_exit = server.should_exit = True
            return
        leaving.append(asyncio.create_task(_leave(servers), name="leave"))
        for face, app in bounded.items():
            patience = LAST_REQUESTS + _drain(face, drain_seconds)
            leaving.append(asyncio.create_task(_end_later(app, patience), name="end streams"))
        ending()

    with _signals(stop):
        running = [
            asyncio.create_task(server.serve(list(face.listeners)), name="http")
            for server, face in zip(servers, faces, strict=True)
        ]
        try:
            begun = asyncio.gather(*(server.listening.wait() for server in servers))
            await asyncio.wait([begun, *running], return_when=asyncio.FIRST_COMPLETED)
            if begun.done():
                ready()
            begun.cancel()
            await asyncio.wait(running, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for server in servers:
                server.should_exit = True
            for task in leaving:
                task.cancel()
            for app in bounded.values():
                app.end()
            ending()
            await asyncio.gather(*running)  # whoever cancels this gets servers that end well, too


async def _leave(servers: Sequence[_Server]) -> None:
    """Give connections that were kept a moment: what was sent on them just now is answered, and says that it was last.

    A kept connection that is closed at once may meet a request on its way, whose sender cannot know whether it counts.
    """
    for server in servers:
        server.take_leave()
    for _ in range(LOOKS):
        if not any(server.server_state.connections for server in servers):
            break
        await asyncio.sleep(LAST_REQUESTS / LOOKS)
    for server in servers:
        server.should_exit = True


async def _end_later(app: Endable, seconds: float) -> None:
    await asyncio.sleep(seconds)
    app.end()


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Generator[None]:
    loop = asyncio.get_running_loop()
    handled = (signal.SIGTERM, signal.SIGINT)
    try:
        for number in handled:
            loop.add_signal_handler(number, stop)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread: whoever runs us stops us
        yield
        return
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _config(face: Face, app: ASGIApp, drain_seconds: int) -> uvicorn.Config:
    patience = _drain(face, drain_seconds)
    return uvicorn.Config(
        app,
        access_log=False,  # telemetry writes one, by route
        log_config=None,
        proxy_headers=False,  # the gate alone decides whose X-Forwarded-For is believed
        server_header=False,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE,
        # What was told that its caller has left needs a moment to go before it is cancelled.
        timeout_graceful_shutdown=patience if face.longest_drain is None else patience + LAST_WORDS,
    )


def _drain(face: Face, drain_seconds: int) -> int:
    return drain_seconds if face.longest_drain is None else min(drain_seconds, face.longest_drain)
