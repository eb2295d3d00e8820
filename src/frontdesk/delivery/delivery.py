"""Delivery: claim a letter, send it by its channel, settle it or put it off."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Literal, Protocol

import httpx2
import structlog

from frontdesk.delivery.options import DeliveryOptions
from frontdesk.store.outbox import Letter, LostLetter, Outbox

log = structlog.get_logger("frontdesk.delivery")

WEBHOOK = "webhook"
LEASE = 60.0  # seconds; longer than any try


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

    def __init__(self, outbox: Outbox, senders: Mapping[str, Sender], options: DeliveryOptions) -> None:
        self._outbox = outbox
        self._senders = senders
        self._options = options

    async def deliver(self, letter_id: str) -> None:
        """Try to send the letter if it is due, and then those that wait behind it at the same place."""
        following: str | None = letter_id
        while following is not None:
            letter = await self._outbox.claim(following, LEASE)
            following = None if letter is None else await self._send(letter)

    async def _send(self, letter: Letter) -> str | None:
        try:
            sender = self._senders.get(letter.channel)
            if sender is None:
                raise NotSent("no_sender", final=True)
            external_id = await sender.send(letter)
        except NotSent as error:
            log.warning("letter_not_sent", channel=letter.channel, reason_code=error.reason)
            return await self._not_sent(letter, error)
        return await self._settle(letter, "sent", external_id=external_id)

    async def _not_sent(self, letter: Letter, error: NotSent) -> str | None:
        if error.retry_after is not None:
            await self._outbox.again(letter, error.retry_after, counted=False, problem=error.reason)
            return None
        if error.ambiguous:
            return await self._settle(letter, "unknown", problem=error.reason)
        if error.final or letter.attempts >= self._options.tries:
            return await self._settle(letter, "failed", problem=error.reason)
        await self._outbox.again(letter, self._options.first_wait * 2 ** (letter.attempts - 1), problem=error.reason)
        return None

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
            return await self._outbox.settle(letter, state, external_id=external_id or None, problem=problem)
        except LostLetter:
            return None


class Webhook:
    """POSTs letters to the owner's address. A repetition after a lost answer bears the same `Idempotency-Key`."""

    def __init__(self, http: httpx2.AsyncClient, options: DeliveryOptions) -> None:
        self._http = http
        self._options = options

    async def send(self, letter: Letter) -> str:
        body = letter.body.encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": letter.key}
        if self._options.webhook_secret:
            digest = hmac.new(self._options.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Frontdesk-Signature"] = f"sha256={digest}"
        try:
            answer = await self._http.post(
                self._options.webhook_url, content=body, headers=headers, timeout=self._options.seconds
            )
        except httpx2.HTTPError as error:
            raise NotSent(type(error).__name__) from error
        if not answer.is_success:
            hopeless = answer.status_code in (400, 401, 403, 404, 405, 410, 413, 422)
            raise NotSent(f"status_{answer.status_code}", final=hopeless)
        return ""
