"""Jobs at work: a row names a handler, and the handler does the thing, leased and again if it fails."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from frontdesk.errors import StoreUnavailable
from frontdesk.ports import Clock, Job
from frontdesk.work.options import WorkOptions

log = structlog.get_logger("frontdesk.work")

Handler = Callable[[Job], Awaitable[None]]

LEASE = 60.0  # seconds, renewed while the handler works
FIRST_WAIT = 10.0  # seconds before the second try; each further one waits twice as long
MOST_WAIT = 3600.0
WRITE_AGAIN = 2.0  # seconds between two tries to write an end while the database is away


class JobRows(Protocol):
    """The jobs of all processes; the store fulfils it. What returns False found the job in other hands."""

    async def claim(self, job_id: str, seconds: float) -> Job | None: ...

    async def renew(self, job: Job, seconds: float) -> bool: ...

    async def end(self, job: Job, problem: str | None = None) -> bool: ...

    async def again(self, job: Job, seconds: float, problem: str) -> bool: ...


class JobRunner:
    """Runs jobs by the handlers of their names. A job that keeps failing, or that nobody knows, is laid with the dead.

    A handler may be called again after it was cut off (its process died, or its time was over), so it bears repetition.
    """

    def __init__(self, rows: JobRows, handlers: Mapping[str, Handler], clock: Clock, options: WorkOptions) -> None:
        self._rows = rows
        self._handlers = handlers
        self._clock = clock
        self._options = options

    async def run(self, job_id: str) -> None:
        """Do the job if it is due and free."""
        job = await self._rows.claim(job_id, LEASE)
        if job is None:
            return
        handler = self._handlers.get(job.name)
        if handler is None:
            await self._rows.end(job, "no_handler")
        elif job.attempts > self._options.job_tries:  # each process that tried it died before it could say why
            await self._rows.end(job, "never_ended")
        else:
            await self._try(job, handler)

    async def _try(self, job: Job, handler: Handler) -> None:
        try:
            async with asyncio.timeout(self._options.job_seconds), asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep(job))
                await handler(job)
                await self._written(lambda: self._rows.end(job))
                keeping.cancel()
        except* _Lost:
            log.warning("lease_lost", kind="job", row=job.id)
        except* Exception as errors:
            await self._failed(job, errors.exceptions[0])

    async def _failed(self, job: Job, error: Exception) -> None:
        log.error("job_failed", row=job.id, attempt=job.attempts, exc_info=error)
        problem = type(error).__name__
        if job.attempts >= self._options.job_tries:
            await self._written(lambda: self._rows.end(job, problem))
        else:
            wait = min(MOST_WAIT, FIRST_WAIT * 2 ** (job.attempts - 1))
            await self._written(lambda: self._rows.again(job, wait, problem))

    async def _written(self, write: Callable[[], Awaitable[bool]]) -> None:
        """Write how a try ended, again and again while the database is away: what is not written happens twice."""
        while True:
            try:
                await write()
            except StoreUnavailable:
                await self._clock.sleep(WRITE_AGAIN)
            else:
                return

    async def _keep(self, job: Job) -> None:
        while True:
            await self._clock.sleep(LEASE / 3)
            with contextlib.suppress(StoreUnavailable):  # the next renewal may find it again before the lease runs out
                if not await self._rows.renew(job, LEASE):
                    raise _Lost


class _Lost(Exception):
    """Another process has taken the job over."""
