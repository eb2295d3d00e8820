"""Delivery: claim a letter, send it by its channel, settle it or put it off."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol, TypeVar

import httpx2
import structlog

from frontdesk.delivery.options import DeliveryOptions
from frontdesk.errors import StoreUnavailable
from frontdesk.ports import Clock
from frontdesk.store.outbox import Letter, LostLetter, Outbox

log = structlog.get_logger("frontdesk.delivery")

T = TypeVar("T")

WEBHOOK = "webhook"
WRITE_AGAIN = 0.5  # seconds between two tries to write how a letter fared while the database is away
PATIENCE = 1.5  # seconds; a letter that is put off for no longer is waited for here, and others are left to the sweeps


class NotSent(Exception):  # a sender's report, not an error that anyone sees
    """The letter was not taken, for `reason` (a name).

    `final`: it never will be. `retry_after`: in so many seconds it may be; that was no try. `ambiguous`: perhaps it was
    taken, so it is never sent again of its own accord.
    """

    def __init__(
        self, reason: str, *, final: bool = False, retry_after: float | None = None, ambiguous: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final
        self.retry_after = retry_after
        self.ambiguous = ambiguous


class Sender(Protocol):
    """Brings letters of one channel out of the house."""

    async def send(self, letter: Letter) -> str:
        """Send it and return the channel's id of it, or nothing. Raises `NotSent`."""
        ...


class Delivery:
    """Sends letters of every channel that has a sender. `deliver` bears a letter that is done or taken."""

    def __init__(self, outbox: Outbox, senders: Mapping[str, Sender], options: DeliveryOptions, clock: Clock) -> None:
        self._outbox = outbox
        self._senders = senders
        self._options = options
        self._clock = clock

    async def deliver(self, letter_id: str) -> None:
        """Try to send the letter if it is due, and then those that wait behind it at the same place."""
        following: str | None = letter_id
        while following is not None:
            letter = await self._outbox.claim(following, self._options.lease_seconds)
            following = None if letter is None else await self._send(letter)

    async def _send(self, letter: Letter) -> str | None:
        try:
            sender = self._senders.get(letter.channel)
            if sender is None:
                raise NotSent("no_sender", final=True)
            external_id = await sender.send(letter)
        except NotSent as error:
            tell = log.debug if _soon(error) else log.warning
            tell("letter_not_sent", channel=letter.channel, reason_code=error.reason)
            return await self._not_sent(letter, error)
        return await self._settle(letter, "sent", external_id=external_id)

    async def _not_sent(self, letter: Letter, error: NotSent) -> str | None:
        if error.retry_after is not None:
            await self._put_off(letter, error.retry_after, counted=False, problem=error.reason)
            if not _soon(error):
                return None
            await self._clock.sleep(error.retry_after)  # it waits as all can see: whoever dies now was not sending it
            return letter.id
        if error.ambiguous:
            return await self._settle(letter, "unknown", problem=error.reason)
        if error.final or letter.attempts >= self._options.tries:
            return await self._settle(letter, "failed", problem=error.reason)
        wait = self._options.first_wait * 2 ** (letter.attempts - 1)
        await self._put_off(letter, wait, counted=True, problem=error.reason)
        return None

    async def _put_off(self, letter: Letter, seconds: float, *, counted: bool, problem: str) -> None:
        await self._written(lambda: self._outbox.again(letter, seconds, counted=counted, problem=problem))

    async def _settle(
        self,
        letter: Letter,
        state: Literal["sent", "failed", "unknown"],
        *,
        external_id: str | None = None,
        problem: str | None = None,
    ) -> str | None:
        """The letter that waits behind this one, if any; None too when another process has taken this one over."""
        try:
            return await self._written(
                lambda: self._outbox.settle(letter, state, external_id=external_id or None, problem=problem)
            )
        except LostLetter:
            return None

    async def _written(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write how the letter fared, again and again while the database is away and the lease lasts: what is not
        written is shown as unknown, and those behind it wait until then."""
        until = self._clock.monotonic() + self._options.lease_seconds
        while True:
            try:
                return await write()
            except StoreUnavailable:
                if self._clock.monotonic() >= until:
                    raise
                await self._clock.sleep(WRITE_AGAIN)


def _soon(error: NotSent) -> bool:
    return error.retry_after is not None and error.retry_after <= PATIENCE


NOT_TAKEN = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)  # before anything was said
BUSY = (429, 503)  # the receiver says itself that it has done nothing


class Webhook:
    """POSTs letters to the owner's addresses: one for news, one for messages to customers.

    News that found no answer are sent again under the same `Idempotency-Key`. A message of the desk's own accord that
    may have been taken never is: nobody knows what stands behind the receiver.
    """

    def __init__(self, http: httpx2.AsyncClient, options: DeliveryOptions) -> None:
        self._http = http
        self._options = options

    async def send(self, letter: Letter) -> str:
        body = letter.body.encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.key}
        if self._options.webhook_secret:
            digest = hmac.new(self._options.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Frontdesk-Signature"] = f"sha256={digest}"
        url = self._options.webhook_url if letter.customer_id is None else self._options.messages_url
        try:
            answer = await self._http.post(url, content=body, headers=headers, timeout=self._options.seconds)
        except httpx2.HTTPError as error:
            doubtful = letter.proactive and not isinstance(error, NOT_TAKEN)
            raise NotSent(type(error).__name__, ambiguous=doubtful) from error
        status = answer.status_code
        if not answer.is_success:
            hopeless = status in (400, 401, 403, 404, 405, 410, 413, 422)
            doubtful = letter.proactive and status >= 500 and status not in BUSY
            raise NotSent(f"status_{status}", final=hopeless, ambiguous=doubtful)
        return ""
