"""Letters leave the house once, in the end, and bear their key."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx2
import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.delivery.delivery import WEBHOOK, Delivery, Webhook
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.errors import NotFound, StoreUnavailable
from frontdesk.events import Inbound
from frontdesk.messages import Person, Role
from frontdesk.store.database import Database
from frontdesk.store.handoffs import Handoffs
from frontdesk.store.inbox import Inbox
from frontdesk.store.outbox import Letter, LostLetter, Outbox
from frontdesk.store.people import People
from frontdesk.testing.clock import CountingIds, FakeClock

SECRET = "a shared word"


@dataclass
class Receiver:
    """The owner's webhook: answers as told and keeps what it got."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.got.append((dict(request.headers), await request.body()))
        return Response(status_code=self.answers.pop(0) if self.answers else 204)


@dataclass
class Post:
    receiver: Receiver
    outbox: Outbox
    delivery: Delivery
    handoffs: Handoffs
    ada: Person
    conversation_id: str


@pytest.fixture
async def post(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Post]:
    receiver = Receiver()
    site = Starlette(routes=[Route("/hook", receiver.answer, methods=["POST"])])
    options = DeliveryOptions(webhook_url="http://owner.test/hook", webhook_secret=SECRET, tries=3)
    ada = (await People(database, clock, ids).add(name="Ada", role=Role.MEMBER)).person
    inbound = Inbound(channel="web", external_id="1", person_id=ada.id, text="Hello")
    accepted = await Inbox(database, clock, ids).accept(inbound)
    outbox = Outbox(database, clock)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=site)) as http:
        delivery = Delivery(outbox, {WEBHOOK: Webhook(http, options)}, options, clock)
        handoffs = Handoffs(database, clock, ids, notice=WEBHOOK)
        yield Post(receiver, outbox, delivery, handoffs, ada, accepted.conversation_id)


async def test_a_message_left_for_a_person_goes_out_signed(post: Post) -> None:
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Please call me", "+49 30 1")
    for letter_id in await post.outbox.due():
        await post.delivery.deliver(letter_id)
    (headers, body) = post.receiver.got[0]
    assert b"Please call me" in body
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["x-frontdesk-signature"] == f"sha256={digest}"
    assert headers["idempotency-key"].startswith("handoff:")
    assert await post.outbox.count("sent") == 1


async def test_a_message_that_was_not_kept_sends_nothing(post: Post) -> None:
    with pytest.raises(NotFound):
        await post.handoffs.leave("per_nobody", post.conversation_id, "Hello", "")
    assert await post.outbox.due() == []


async def test_a_receiver_that_is_away_is_tried_again_later_with_the_same_key(post: Post, clock: FakeClock) -> None:
    post.receiver.answers = [503, 204]
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    (letter_id,) = await post.outbox.due()
    await post.delivery.deliver(letter_id)
    assert await post.outbox.due() == []
    clock.advance(61)
    await post.delivery.deliver(letter_id)
    first, second = post.receiver.got
    assert first[0]["idempotency-key"] == second[0]["idempotency-key"]
    assert await post.outbox.count("sent") == 1


@pytest.mark.parametrize(("answers", "tries"), [([404], 1), ([500, 500, 500], 3)])
async def test_a_letter_that_cannot_be_sent_ends_as_failed(
    post: Post, clock: FakeClock, answers: list[int], tries: int
) -> None:
    post.receiver.answers = list(answers)
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    for _ in range(5):
        for letter_id in await post.outbox.due():
            await post.delivery.deliver(letter_id)
        clock.advance(3600)
    assert len(post.receiver.got) == tries
    assert await post.outbox.count("failed") == 1


async def test_many_deliverers_send_a_letter_once(post: Post) -> None:
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    (letter_id,) = await post.outbox.due()
    await asyncio.gather(*(post.delivery.deliver(letter_id) for _ in range(8)))
    assert len(post.receiver.got) == 1


async def test_a_deliverer_that_was_taken_over_from_settles_nothing(post: Post, clock: FakeClock) -> None:
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    (letter_id,) = await post.outbox.due()
    stale = await post.outbox.claim(letter_id, 60)
    assert stale is not None
    clock.advance(61)
    fresh = await post.outbox.claim(letter_id, 60)
    assert fresh is not None
    with pytest.raises(LostLetter):
        await post.outbox.settle(stale, "failed")
    await post.outbox.settle(fresh, "sent")
    assert await post.outbox.count("sent") == 1


class Dying:
    """A sender that is gone before it has heard how the letter fared."""

    async def send(self, letter: Letter) -> str:
        raise asyncio.CancelledError


async def test_a_letter_whose_sender_is_gone_is_looked_at_again_when_its_lease_is_over(
    post: Post, clock: FakeClock
) -> None:
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    (letter_id,) = await post.outbox.due()
    with pytest.raises(asyncio.CancelledError):
        await Delivery(post.outbox, {WEBHOOK: Dying()}, DeliveryOptions(lease_seconds=20), clock).deliver(letter_id)
    clock.advance(19)
    assert await post.outbox.due() == []
    clock.advance(1)
    assert await post.outbox.due() == [letter_id]


@pytest.mark.parametrize("answer", [204, 503])
async def test_how_a_letter_fared_is_written_when_the_database_is_back(
    post: Post, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    """Else a letter that arrived would be shown as unknown, and those behind it would wait for its lease."""
    post.receiver.answers = [answer]
    await post.handoffs.leave(post.ada.id, post.conversation_id, "Hello", "")
    (letter_id,) = await post.outbox.due()
    away = iter(range(3))

    def now_and_then(write: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def written(*arguments: object, **more: object) -> object:
            if next(away, None) is not None:
                raise StoreUnavailable("The database is away")
            return await write(*arguments, **more)

        return written

    for name in ("settle", "again"):
        monkeypatch.setattr(post.outbox, name, now_and_then(getattr(post.outbox, name)))
    delivering = asyncio.create_task(post.delivery.deliver(letter_id))
    async with asyncio.timeout(20):
        while not (await asyncio.wait({delivering}, timeout=0.005))[0]:
            clock.advance(0.25)
    await delivering
    assert await post.outbox.count("sent" if answer == 204 else "waiting") == 1
    assert len(post.receiver.got) == 1


def test_a_lease_that_ends_before_a_try_does_is_refused() -> None:
    with pytest.raises(ValidationError, match="lease_seconds must be longer than seconds"):
        DeliveryOptions(seconds=30, lease_seconds=30)
