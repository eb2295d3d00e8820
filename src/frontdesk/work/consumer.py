"""A worker process: Celery consumes in the main thread, the desk's rooms live on one event loop in another.

A message is handed on as it arrives, without a pool and without being acknowledged: whatever a process has in hand when
it dies is found in the database by the sweeps of others, and what one cannot get to is worked on by those who can.
"""

import asyncio
import concurrent.futures
import functools
import importlib
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import FrameType
from typing import Any

import structlog

from frontdesk.work.celery import ANSWER_SECONDS, READY, send
from frontdesk.work.local import LocalWork

log = structlog.get_logger("frontdesk.work")

WATCH = "frontdesk.watch"  # the task that a worker sends to itself
WATCHES = 5  # times that it does so within the seconds after which silence means that it no longer consumes
STALLED = 75  # exit code of a process that no longer consumed (EX_TEMPFAIL): whoever looks after it starts it anew

Opened = Callable[[], AbstractAsyncContextManager[LocalWork]]


class Rooms:
    """The desk's rooms on an event loop of their own thread, from `start` to `stop`."""

    def __init__(self, opened: Opened, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> None:
        self._opened = opened
        self._loop_factory = loop_factory
        self._thread = threading.Thread(target=self._live, name="rooms")
        self._begun: concurrent.futures.Future[LocalWork] = concurrent.futures.Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leave = asyncio.Event()

    def start(self) -> LocalWork:
        """Return when the rooms are open. Raises what opening them raises."""
        self._thread.start()
        return self._begun.result()

    def leave(self) -> None:
        """Begin to drain and close. Safe in a signal's handler, and more than once."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave.set)

    def stop(self) -> None:
        """Drain, close, and return at the end."""
        self.leave()
        self._thread.join()

    def ready(self, kind: str, row_id: str) -> None:
        """Have a row worked on there, soon. When the rooms are closed, others find it."""
        assert self._loop is not None
        row = self._begun.result().ready(kind, row_id)
        try:
            asyncio.run_coroutine_threadsafe(row, self._loop)
        except RuntimeError:  # the loop is closed
            row.close()

    def _live(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            self._loop = runner.get_loop()
            runner.run(self._open())

    async def _open(self) -> None:
        try:
            async with self._opened() as work:
                self._begun.set_result(work)
                await self._leave.wait()
        except BaseException as error:
            if self._begun.done():
                raise
            self._begun.set_exception(error)


class Watch:
    """Notices a consumer that has stopped consuming though the broker takes messages.

    Celery on Redis is known for that after a connection was lost (celery/celery #8030, #8091, #10205). So the process
    writes to a queue of its own, through which only a consumer at work hears itself, `WATCHES` times within `seconds`;
    `stalled` is called when it has written so often and heard nothing. Messages are counted, not seconds: a process
    that gets no time to consume gets none to write. While the broker is away, none counts.
    """

    def __init__(self, app: Any, queue: str, *, seconds: float, stalled: Callable[[], None]) -> None:
        self._app = app
        self._queue = queue
        self._seconds = seconds
        self._stalled = stalled
        self._unheard = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(2 * ANSWER_SECONDS)

    def heard(self) -> None:
        """The consumer has taken a message of the queue."""
        self._unheard = 0

    def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                with self._app.connection_for_write() as connection, self._app.amqp.Producer(connection) as producer:
                    self._write_until_it_breaks(producer)
            except Exception as error:  # each transport raises its own errors
                log.debug("broker_away", error=type(error).__name__)
                self.heard()
                self._ending.wait(1)

    def _write_until_it_breaks(self, producer: Any) -> None:
        while not self._ending.wait(self._seconds / WATCHES):
            send(self._app, producer, self._queue, ("", ""), WATCH)
            self._unheard += 1
            if self._unheard > WATCHES:
                log.error("consumer_stalled", seconds=self._seconds)
                self._stalled()
                return


def consume(
    app: Any,  # Celery's application, which has no types
    rooms: Rooms,
    *,
    name: str,
    queues: Sequence[str],
    silent_seconds: float,
    ready: Callable[[], None],
) -> int:
    """Work until SIGTERM or SIGINT, then let running rows end: exit code 0, or `STALLED` after the watch called.

    `ready` is called when the rooms are open. Raises what opening them raises.
    """
    state: Any = importlib.import_module("celery.worker.state")
    own_queue = f"frontdesk.worker.{name}"

    def leave(code: int) -> None:
        state.should_stop = code
        rooms.leave()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # a second one ends at once
        leave(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    rooms.start()
    watch = Watch(app, own_queue, seconds=silent_seconds, stalled=functools.partial(leave, STALLED))
    try:
        ready()
        _declare(app, rooms, own_queue, watch)
        worker = _worker(app, name, [*queues, own_queue])
        watch.start()
        worker.start()
        return int(worker.exitcode or 0)
    finally:
        watch.stop()
        rooms.stop()


def _declare(app: Any, rooms: Rooms, own_queue: str, watch: Watch) -> None:
    kombu: Any = importlib.import_module("kombu")

    def unused(_kind: str, _row_id: str) -> None:
        """The strategies below take the tasks before they come here."""

    def at_once(act: Callable[[str, str], None]) -> Any:
        """A strategy: what Celery does when a task's message arrives, in the consumer itself and on no thread."""

        def receive(message: Any, _body: object, *_: object) -> None:
            (kind, row_id), _options, _embedded = message.payload  # Celery's message protocol 2
            act(kind, row_id)

        def strategy(_task: Any, _app: Any, _consumer: Any) -> Callable[..., None]:
            return receive

        return staticmethod(strategy)

    def heard(_kind: str, _row_id: str) -> None:
        watch.heard()

    app.task(name=READY, Strategy=at_once(rooms.ready))(unused)
    app.task(name=WATCH, Strategy=at_once(heard))(unused)
    app.amqp.queues.add(kombu.Queue(own_queue, durable=False, auto_delete=True, expires=60, no_ack=True))


def _worker(app: Any, name: str, queues: Sequence[str]) -> Any:
    worker: Any = importlib.import_module("celery.worker")
    return worker.WorkController(
        app=app,
        hostname=name,
        pool="threads",
        concurrency=1,  # no task ever comes to it
        queues=list(queues),
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        task_events=False,
    )
