"""Letters to customers: by mail, by webhook, kept here. One that may have arrived is never sent again."""

import asyncio
import email
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.policy import default
from itertools import product
from typing import Literal

import httpx2
import msgspec
import pytest
from pydantic import ValidationError

from frontdesk.delivery.delivery import WEBHOOK, Delivery, Sender, Webhook
from frontdesk.delivery.options import Adapter, DeliveryOptions, SmtpOptions
from frontdesk.delivery.senders import customer_senders
from frontdesk.engagement import Channel, Customer, Envelope
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.outbox import LetterState, NewLetter, Outbox, put
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.delivery.smtp_server import MailServer, Step, mail_server

HOOK = "http://owner.test/messages"
LINK = f"https://engagement.staging.shop.test/unsubscribe/dec_{'0' * 40}.{'f' * 32}"


class Owner(httpx2.AsyncBaseTransport):
    """The owner's address: does what a test says, and counts what it took."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.status = 204
        self.before: Exception | None = None
        self.after: Exception | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.before is not None:
            raise self.before
        self.bodies.append(await request.aread())
        if self.after is not None:
            raise self.after
        return httpx2.Response(self.status)


@dataclass
class Post:
    """The post office of a desk, with a letter box for each way."""

    database: Database
    clock: FakeClock
    ids: CountingIds
    mail: MailServer
    http: httpx2.AsyncClient
    owner: Owner
    outbox: Outbox
    letters: list[str] = field(default_factory=list[str])

    def options(self) -> DeliveryOptions:
        """Mail by the server, short messages by the owner's address."""
        smtp = SmtpOptions(host="127.0.0.1", port=self.mail.port, security="none", sender="Desk <desk@shop.test>")
        ways: dict[Channel, Adapter] = {"email": "smtp", "sms": "webhook"}
        return DeliveryOptions(channels=ways, messages_url=HOOK, smtp=smtp, tries=3, seconds=5)

    def senders(self) -> dict[str, Sender]:
        """What brings letters out of the house."""
        options = self.options()
        return customer_senders(options, self.http, self.clock, {WEBHOOK: Webhook(self.http, options)})

    def delivery(self) -> Delivery:
        """A process that delivers."""
        return Delivery(self.outbox, self.senders(), self.options(), self.clock)

    async def write(self, channel: Channel = "email", *, not_after: datetime | None = None, **values: str) -> str:
        """A letter to a customer."""
        given = {"to": "ann@example.com", "subject": "Welcome, Zoë", "body": "Hi\n.\nthere"} | values
        envelope = Envelope(customer_id="c1", decision_id="dec_1", message="hello", **given)
        letter = NewLetter(
            key=f"outreach:{len(self.letters)}",
            channel=channel,
            customer_id="c1",
            body=msgspec.json.encode(envelope).decode(),
            proactive=True,
            not_after=not_after,
        )
        letter_id = await self.database.act(lambda connection: put(connection, self.ids, self.clock.now(), letter))
        self.letters.append(letter_id)
        return letter_id

    async def deliver_all(self, rounds: int = 6) -> None:
        """Deliver whatever is due, again and again, as time goes on."""
        for _ in range(rounds):
            for letter_id in await self.outbox.due():
                await self.delivery().deliver(letter_id)
            self.clock.advance(600)

    async def states(self) -> dict[str, int]:
        """How many letters are in each state."""
        kinds: tuple[LetterState, ...] = ("waiting", "sending", "sent", "failed", "unknown", "withdrawn")
        counts = {kind: await self.outbox.count(kind) for kind in kinds}
        return {kind: count for kind, count in counts.items() if count}


@pytest.fixture
async def post(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Post]:
    await Customers(database, clock).put(Customer(id="c1", segment="default"))
    owner = Owner()
    async with mail_server() as mail, httpx2.AsyncClient(transport=owner) as http:
        yield Post(database, clock, ids, mail, http, owner, Outbox(database, clock))


async def test_a_mail_arrives_as_it_was_written(post: Post) -> None:
    await post.write()
    await post.deliver_all()
    [(to, text)] = post.mail.taken
    message = email.message_from_string(text.replace("\r\n..", "\r\n."), policy=default)
    assert (to, message["To"], message["From"]) == ("ann@example.com", "ann@example.com", "Desk <desk@shop.test>")
    assert message["Subject"] == "Welcome, Zoë"
    assert message["Message-ID"].endswith("@shop.test>")
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_body()
    assert body is not None
    assert body.get_content().splitlines() == ["Hi", ".", "there"]
    assert await post.states() == {"sent": 1}


async def test_a_mail_tells_the_mailbox_and_its_reader_how_it_is_stopped(post: Post) -> None:
    await post.write(body=f"Hi\n\n-- \nStop these messages: {LINK}", unsubscribe_url=LINK)
    await post.deliver_all()
    [(_, text)] = post.mail.taken
    head, _, _ = text.partition("\r\n\r\n")
    assert f"List-Unsubscribe: <{LINK}>" in head.split("\r\n"), "in one line, and not as an encoded word"
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head.split("\r\n")
    body = email.message_from_string(text.replace("\r\n..", "\r\n."), policy=default).get_body()
    assert body is not None
    assert body.get_content().splitlines() == ["Hi", "", "-- ", f"Stop these messages: {LINK}"]


async def test_a_letter_without_a_link_promises_none(post: Post) -> None:
    await post.write()
    await post.deliver_all()
    [(_, text)] = post.mail.taken
    assert "unsubscribe" not in text.casefold()


async def test_a_gateway_gets_the_link_that_stops_its_messages(post: Post) -> None:
    await post.write("sms", unsubscribe_url=LINK)
    await post.deliver_all()
    [body] = post.owner.bodies
    told = msgspec.json.decode(body)
    assert (told["to"], told["body"], told["unsubscribe_url"]) == ("ann@example.com", "Hi\n.\nthere", LINK)


@pytest.mark.parametrize("address", ["ann@example.com\nBcc: bob@example.com", "", "nobody"])
async def test_an_address_that_is_none_gets_no_mail(post: Post, address: str) -> None:
    post.mail.answers["rcpt"] = "550 there is nobody of that name"
    await post.write(to=address)
    await post.deliver_all()
    assert post.mail.taken == []
    assert await post.states() == {"failed": 1}


@pytest.mark.parametrize(
    ("step", "answer", "state"),
    [
        ("mail", "550 no", "failed"),
        ("rcpt", "550 nobody", "failed"),
        ("data", "554 no", "failed"),
        ("text", "554 spam", "failed"),
    ],
)
async def test_what_the_server_refuses_for_ever_is_not_tried_again(
    post: Post, step: Step, answer: str, state: LetterState
) -> None:
    post.mail.answers[step] = answer
    await post.write()
    await post.deliver_all(1)
    assert await post.states() == {state: 1}


@pytest.mark.parametrize("step", ["connect", "mail", "rcpt", "data", "text"])
async def test_what_it_refuses_for_now_is_tried_again(post: Post, step: Step) -> None:
    post.mail.answers[step] = "451 later"
    await post.write()
    await post.deliver_all(1)
    assert await post.states() == {"waiting": 1}
    post.mail.answers.clear()
    await post.deliver_all()
    assert await post.states() == {"sent": 1}
    assert len(post.mail.taken) == 1


@pytest.mark.proves("promise-11")
@pytest.mark.parametrize(
    ("step", "state", "mails"),
    [("connect", "sent", 1), ("mail", "sent", 1), ("rcpt", "sent", 1), ("text", "unknown", 0), ("taken", "unknown", 1)],
)
async def test_a_mail_is_sent_again_only_where_it_was_surely_not_taken(
    post: Post, step: Step, state: LetterState, mails: int
) -> None:
    post.mail.fails = step
    await post.write()
    await post.deliver_all(1)
    post.mail.fails = None
    await post.deliver_all()
    assert await post.states() == {state: 1}
    assert len(post.mail.taken) == mails


@pytest.mark.proves("promise-11")
@pytest.mark.parametrize(
    ("before", "after", "status", "state"),
    [
        (httpx2.ConnectError("refused"), None, 204, "sent"),
        (httpx2.ConnectTimeout("slow"), None, 204, "sent"),
        (None, None, 429, "sent"),
        (None, None, 503, "sent"),
        (None, httpx2.ReadTimeout("slow"), 204, "unknown"),
        (None, httpx2.RemoteProtocolError("gone"), 204, "unknown"),
        (None, httpx2.ReadError("reset"), 204, "unknown"),
        (None, None, 500, "unknown"),
        (None, None, 502, "unknown"),
        (None, None, 410, "failed"),
    ],
)
async def test_a_message_by_webhook_is_sent_again_only_where_it_was_surely_not_taken(
    post: Post, before: Exception | None, after: Exception | None, status: int, state: LetterState
) -> None:
    owner = post.owner
    owner.before, owner.after, owner.status = before, after, status
    await post.write("sms")
    await post.deliver_all(1)
    first = len(owner.bodies)
    owner.before, owner.after, owner.status = None, None, 204
    await post.deliver_all()
    assert await post.states() == {state: 1}
    assert len(owner.bodies) == first + (state == "sent")


async def test_what_is_unknown_stays_so_until_a_person_finds_out(post: Post) -> None:
    post.mail.fails = "taken"
    letter_id = await post.write()
    await post.deliver_all()
    assert await post.outbox.decide(letter_id, "sent")
    assert await post.states() == {"sent": 1}


@pytest.mark.proves("promise-17")
async def test_a_letter_that_is_late_does_not_come_in_the_night(post: Post) -> None:
    post.mail.answers["connect"] = "421 busy"
    await post.write(not_after=post.clock.now() + timedelta(minutes=5))
    await post.deliver_all(1)
    post.mail.answers.clear()
    await post.deliver_all()
    assert await post.states() == {"failed": 1}
    assert post.mail.taken == []


async def test_news_and_messages_part_on_the_channel_of_both(post: Post) -> None:
    await post.write("webhook")
    await post.deliver_all(1)
    assert post.owner.bodies == []  # customers have no adapter there: it is kept
    assert await post.states() == {"sent": 1}


@pytest.mark.parametrize(
    "values",
    [
        {"channels": {"email": "smtp"}},
        {"channels": {"sms": "webhook"}},
        {"channels": {"email": "telegram"}},
        {"channels": {"fax": "local"}},
        {"messages_url": "ftp://owner.test"},
    ],
)
def test_an_adapter_that_is_not_set_up_is_refused_at_the_start(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeliveryOptions.model_validate(values)


# --- crashes ----------------------------------------------------------------------------------


Point = Step | Literal["claim", "claimed", "sent"]


@pytest.mark.proves("promise-11")
async def test_a_crash_at_any_point_sends_no_letter_twice(post: Post, size: Callable[[int, int], int]) -> None:
    """Before the claim, after it, after the connection, the address, the text, the taking, and before the settling."""
    points: tuple[Point, ...] = ("claim", "claimed", "connect", "mail", "rcpt", "text", "taken", "sent")
    for point, _ in product(points, range(size(2, 50))):
        await post.write()
        await _deliver_and_die(post, point)
        post.mail.fails = None
        post.clock.advance(120)  # past the lease of who died
        await post.deliver_all(2)
    states = await post.states()
    assert set(states) == {"sent", "unknown"}
    ids = [email.message_from_string(text)["Message-ID"] for _, text in post.mail.taken]
    assert len(ids) == len(set(ids))
    assert sum(states.values()) == len(post.letters)
    assert states["unknown"] == (len(points) - 1) * size(2, 50)  # whoever dies with a letter in hand leaves it so


async def _deliver_and_die(post: Post, point: Point) -> None:
    """Deliver as a process would that is killed there."""
    letter = None if point == "claim" else await post.outbox.claim(post.letters[-1], 60)
    if letter is None or point == "claimed":
        return
    post.mail.fails = None if point in ("claim", "claimed", "sent") else point
    await asyncio.gather(post.senders()["email"].send(letter), return_exceptions=True)
