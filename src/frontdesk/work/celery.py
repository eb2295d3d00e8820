"""Celery as the bell: a message says that a row is ready, and nothing else.

Messages may be lost, doubled or late without harm. They are not acknowledged, no results are kept, and there are no
timers in the broker: what is to happen later is a row (Celery on Redis hands out a task again whose time lies beyond
the visibility timeout).
"""

import asyncio
import importlib
import queue
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from frontdesk.errors import MissingExtra, QueueUnavailable
from frontdesk.ports import Clock
from frontdesk.work.kinds import QUEUES
from frontdesk.work.options import WorkOptions

log = structlog.get_logger("frontdesk.work")

READY = "frontdesk.ready"  # the one task: its arguments are a kind and a row's id
MOST_UNSENT = 10_000  # bells that wait for the broker; what comes on top is left to the sweeps
BREATHER = 1.0  # seconds between two tries to reach a broker that is away
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
SAMPLE_SECONDS = 1.0
DISTRUST_SECONDS = 10  # without a reply after which Celery itself takes a connection to Redis for dead

_END = ("", "")


def celery_app(broker: str, options: WorkOptions) -> Any:  # Celery has no types
    """A Celery application that knows the desk's queues. Raises `MissingExtra`."""
    try:
        celery: Any = importlib.import_module("celery")
        kombu: Any = importlib.import_module("kombu")
    except ImportError as error:
        raise MissingExtra(
            "A broker is set, and Celery is not installed", hint="pip install 'frontdesk[celery]'"
        ) from error
    app: Any = celery.Celery("frontdesk", broker=broker, set_as_current=False)
    app.conf.update(
        task_queues=[kombu.Queue(name, no_ack=True) for name in QUEUES],
        task_default_queue=QUEUES[0],
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_enable_prefetch_count_reduction=False,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=CONNECT_SECONDS,
        broker_transport_options=_transport(broker, options),
    )
    return app


def _transport(broker: str, options: WorkOptions) -> dict[str, object]:
    if broker.startswith("amqp"):
        return {"connect_timeout": CONNECT_SECONDS}
    return {
        "visibility_timeout": options.visibility_timeout,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "socket_keepalive": True,
        "health_check_interval": DISTRUST_SECONDS,
        "queue_order_strategy": "round_robin",
    }


class CeleryBell:
    """Tells workers through the broker. `ready` only puts the bell down; a thread of its own publishes it.

    `queues` says which queue each kind goes to, `open_turns` how many turns have not ended: that is the backlog.
    """

    def __init__(
        self, app: Any, queues: Mapping[str, str], open_turns: Callable[[], Awaitable[int]], clock: Clock
    ) -> None:
        self._app = app
        self._queues = queues
        self._open_turns = open_turns
        self._clock = clock
        self._bells: queue.Queue[tuple[str, str]] = queue.Queue(MOST_UNSENT)
        self._thread = threading.Thread(target=self._ring_forever, name="bell", daemon=True)
        self._ending = threading.Event()
        self._sampling: asyncio.Task[None] | None = None
        self._sampled = 0
        self._since = 0  # turns that were handed in after the sample

    async def start(self) -> None:
        """Begin to publish and to count."""
        self._thread.start()
        self._sampling = asyncio.create_task(self._sample_forever(), name="backlog")

    async def close(self) -> None:
        """Publish what is put down, if the broker takes it, and end."""
        if self._sampling is not None:
            self._sampling.cancel()
            await asyncio.gather(self._sampling, return_exceptions=True)
        self._ending.set()
        self._put(_END)
        await asyncio.to_thread(self._thread.join, CONNECT_SECONDS + ANSWER_SECONDS)

    async def ready(self, kind: str, row_id: str) -> None:
        """Tell a worker, soon and perhaps. Never waits and never fails.

        A kind that this version does not know is another version's, whose sweeps find its rows: were it told of again,
        two versions could hand a bell round without end.
        """
        self._since += kind == "turn"
        if kind in self._queues:
            self._put((kind, row_id))

    @property
    def backlog(self) -> int:
        """Turns that have not ended, in all processes."""
        return self._sampled + self._since

    async def check(self) -> None:
        """Raise `QueueUnavailable` unless the broker answers."""
        try:
            await asyncio.to_thread(self._connect_once)
        except Exception as error:  # each transport raises its own errors
            raise QueueUnavailable(f"The broker does not answer ({type(error).__name__})") from error

    def _put(self, bell: tuple[str, str]) -> None:
        try:
            self._bells.put_nowait(bell)
        except queue.Full:
            log.debug("bell_lost", kind=bell[0], row=bell[1])

    def _connect_once(self) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=CONNECT_SECONDS)

    def _ring_forever(self) -> None:
        while not self._ending.is_set():
            try:
                self._ring_until_it_breaks()
            except Exception as error:  # each transport raises its own errors; what was put down meanwhile is swept
                log.warning("broker_away", error=type(error).__name__)
                self._ending.wait(BREATHER)
                self._forget_waiting()

    def _ring_until_it_breaks(self) -> None:
        bell = self._bells.get()
        with self._app.connection_for_write() as connection, self._app.amqp.Producer(connection) as producer:
            while bell != _END:
                kind, _ = bell
                send(self._app, producer, self._queues[kind], bell)
                bell = self._bells.get()

    def _forget_waiting(self) -> None:
        while not self._bells.empty():
            self._bells.get_nowait()

    async def _sample_forever(self) -> None:
        while True:
            handed_in = self._since
            try:
                self._sampled = await self._open_turns()
                self._since -= handed_in
            except Exception as error:
                log.debug("backlog_unknown", error=type(error).__name__)
            await self._clock.sleep(SAMPLE_SECONDS)


def send(app: Any, producer: Any, where: str, arguments: tuple[str, str], task: str = READY) -> None:
    """Publish a task without a second try. Raises what the transport raises."""
    app.send_task(task, args=arguments, queue=where, producer=producer, retry=False, ignore_result=True)
