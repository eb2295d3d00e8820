"""Long polling, for machines that Telegram cannot reach: one process of the desk asks for updates."""

import asyncio
import contextlib

import msgspec
import structlog

from frontdesk.channels.telegram.client import CallFailed, LimitReached, Refused, TelegramClient
from frontdesk.channels.telegram.updates import KINDS, NotAnUpdate, read
from frontdesk.channels.telegram.webhook import Arrivals
from frontdesk.errors import StoreUnavailable, TelegramTokenRefused
from frontdesk.ports import Clock
from frontdesk.store.updates import NewUpdate, Updates

log = structlog.get_logger("frontdesk.telegram")

WAIT = 25  # seconds that Telegram holds a call that has nothing to tell
LEASE = 60.0  # seconds; longer than a call, so that the one who polls renews it between two calls
LOOK_AGAIN = 5.0  # seconds between two looks of those who wait for their turn
FIRST_WAIT, MOST_WAIT = 1.0, 60.0  # seconds after a failure; doubled with each that follows


class GetUpdates(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#getupdates"""

    offset: int | None = None
    timeout: int = WAIT
    limit: int = 100
    allowed_updates: tuple[str, ...] = KINDS


class Poller:
    """Asks Telegram for updates for as long as it runs. An update is confirmed only after it is a row."""

    def __init__(self, client: TelegramClient, updates: Updates, arrivals: Arrivals, clock: Clock, owner: str) -> None:
        self._client = client
        self._updates = updates
        self._arrivals = arrivals
        self._clock = clock
        self._owner = owner
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin, or wait for the turn: one process polls at a time."""
        self._task = asyncio.create_task(self._run(), name="telegram-poll")

    async def close(self) -> None:
        """End, and let another process poll."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            with contextlib.suppress(StoreUnavailable):  # then the lease runs out by itself
                await self._updates.leave_poll("telegram", self._owner)

    async def _run(self) -> None:
        offset: int | None = None
        wait = FIRST_WAIT
        while True:
            try:
                if not await self._updates.hold_poll("telegram", self._owner, LEASE):
                    offset = None
                    await self._clock.sleep(LOOK_AGAIN)
                    continue
                if offset is None:
                    await self._client.call("deleteWebhook", None, bool)
                    offset = 0
                offset = await self._poll(offset)
                wait = FIRST_WAIT
            except TelegramTokenRefused as error:
                log.error("telegram_refused", code=error.code)
                wait = await self._pause(MOST_WAIT)
            except (CallFailed, StoreUnavailable) as error:
                self._tell(error)
                wait = await self._pause(error.retry_after if isinstance(error, LimitReached) else wait)

    async def _poll(self, offset: int) -> int:
        """Take in what there is; the offset that confirms it."""
        asked = GetUpdates(offset=offset or None)
        bodies = await self._client.call("getUpdates", asked, tuple[msgspec.Raw, ...], seconds=WAIT + 10)
        found = [update for update in map(_read, bodies) if update is not None]
        await asyncio.gather(*(self._arrivals.take(update) for update in found))
        return max((update.number + 1 for update in found), default=offset)

    async def _pause(self, seconds: float) -> float:
        await self._clock.sleep(seconds)
        return min(MOST_WAIT, seconds * 2)

    def _tell(self, error: CallFailed | StoreUnavailable) -> None:
        if isinstance(error, Refused) and error.status == 409:
            log.warning("telegram_polled_elsewhere")  # another desk has the same token, or has set a webhook
        elif isinstance(error, CallFailed):
            log.warning("telegram_poll_failed", method=error.method, reason_code=error.reason)
        else:
            log.warning("telegram_poll_failed", code=error.code)


def _read(body: msgspec.Raw) -> NewUpdate | None:
    try:
        return read(bytes(body))
    except NotAnUpdate:
        return None
