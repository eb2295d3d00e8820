"""A customer stops e-mail with one press: over HTTP, on a whole desk, with a mail server on loopback."""

import email
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.policy import default
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from frontdesk.app.mail import stop_links
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.messages import Role
from frontdesk.store.decisions import decisions
from frontdesk.store.outcomes import outcomes
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.desk import ServedDesk, served_desk
from tests.decision.logged import Desk
from tests.delivery.smtp_server import MailServer, mail_server
from tests.scenarios.test_engagement import PEOPLE, SETTINGS, items, until

PUBLIC = "https://desk.test"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}  # the body that RFC 8058 has mailbox providers send


@dataclass
class Shop:
    """A desk, its owner's program, and somebody who has got a letter of the decision `dec_1`."""

    served: ServedDesk
    owner: httpx2.AsyncClient
    ann: httpx2.AsyncClient
    rows: Desk

    def path(self, decision_id: str = "dec_1") -> str:
        """Where the letter's link leads."""
        return urlsplit(stop_links(self.served.desk.system, self.served.desk.secrets.desk).of(decision_id)).path

    async def customer(self) -> dict[str, Any]:
        return (await self.owner.get("/api/v1/customers/ann")).raise_for_status().json()

    async def agrees(self) -> bool:
        """Whether she may be written to by e-mail."""
        return "email" in (await self.customer())["consents"]

    async def unsubscriptions(self) -> int:
        query = sa.select(sa.func.count()).where(outcomes.c.kind == "unsubscribe")
        async with self.rows.database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def promise(self, decision_id: str) -> None:
        """A message to her that waits for its moment."""
        clock = FakeClock(datetime.now(UTC) + timedelta(days=2))
        await Desk(self.rows.database, clock, CountingIds()).decide(decision_id, released=False)

    async def states(self) -> dict[str, str]:
        return {each["decision_id"]: each["state"] for each in await items(self.owner, "/api/v1/outreach")}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncGenerator[Shop]:
    settings = {"engagement.enabled": True, "gate.public_url": PUBLIC, "desk.name": "Brass & Bells"}
    async with served_desk(tmp_path, settings=settings) as served:
        rows = Desk(served.desk.store.database, SystemClock(), RandomIds())  # type: ignore[arg-type]
        await rows.customer()
        await rows.decide("dec_1")
        yield Shop(served, await served.client(Role.OPERATOR), await served.stranger(), rows)


async def test_a_letter_by_mail_bears_the_link_that_stops_its_customers_mail(tmp_path: Path) -> None:
    async with mail_server() as mail:
        settings = SETTINGS | mail_settings(mail) | {"gate.public_url": PUBLIC}
        async with served_desk(tmp_path, settings=settings) as served:
            owner, customer_by_mail = await served.client(Role.OPERATOR), await served.stranger()
            await write_to_many(owner)

            async def taken() -> list[tuple[str, str]]:
                return list(mail.taken)

            (to, text), *_ = await until(taken)
            message = email.message_from_string(text.replace("\r\n..", "\r\n."), policy=default)
            link = message["List-Unsubscribe"].strip("<>")
            assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            assert link.startswith(f"{PUBLIC}/unsubscribe/")
            assert link in text.replace("=\r\n", "").partition("\r\n\r\n")[2], "and for people, in the text"
            assert to not in link
            answer = await customer_by_mail.post(urlsplit(link).path, data=ONE_CLICK)
            assert answer.status_code == 200
            customer = (await owner.get(f"/api/v1/customers/{to.partition('@')[0]}")).raise_for_status().json()
            assert customer["consents"] == []


def mail_settings(mail: MailServer) -> dict[str, object]:
    smtp = {"host": "127.0.0.1", "port": mail.port, "security": "none", "sender": "Desk <desk@shop.test>"}
    return {"delivery.channels": {"email": "smtp"}, "delivery.smtp": smtp}


async def write_to_many(owner: httpx2.AsyncClient) -> None:
    """Have the desk decide about so many that somebody gets a letter."""
    names = [f"customer-{number}" for number in range(PEOPLE)]
    for name in names:
        addresses = {"email": f"{name}@example.com"}
        body = {"segment": "default", "name": "Ann", "consents": ["email"], "addresses": addresses}
        (await owner.put(f"/api/v1/customers/{name}", json=body)).raise_for_status()
    events = [{"id": f"signed-up-{name}", "customer_id": name, "type": "signed_up"} for name in names]
    (await owner.post("/api/v1/events", json={"events": events})).raise_for_status()


async def test_opening_the_link_asks_and_changes_nothing(shop: Shop) -> None:
    for method in ("GET", "HEAD", "GET"):
        answer = await shop.ann.request(method, shop.path())
        assert answer.status_code == 200
    assert "No more messages from Brass &amp; Bells by e-mail?" in answer.text
    assert '<form method="post">' in answer.text
    assert await shop.agrees()
    assert await shop.unsubscriptions() == 0


async def test_the_page_runs_nothing_loads_nothing_and_is_kept_nowhere(shop: Shop) -> None:
    answer = await shop.ann.get(shop.path())
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"].startswith("'sha256-")
    assert (policy["form-action"], policy["frame-ancestors"]) == ("'self'", "'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers
    assert "<script" not in answer.text
    assert "example.com" not in answer.text


@pytest.mark.proves("engagement-10", "promise-17")
async def test_one_press_ends_the_consent_and_withdraws_what_waits(shop: Shop) -> None:
    await shop.promise("dec_2")
    answer = await shop.ann.post(shop.path(), data=ONE_CLICK)
    assert answer.status_code == 200
    assert "Brass &amp; Bells writes to you by e-mail no more" in answer.text
    assert not await shop.agrees()
    assert "in_app" in (await shop.customer())["consents"], "the other channels stay"
    assert (await shop.states())["dec_2"] == "withdrawn"


@pytest.mark.parametrize(
    "request_",
    [
        {"data": ONE_CLICK, "headers": {"Origin": PUBLIC, "Cookie": "fd_session=of-somebody"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
    ],
    ids=["from the button, in a signed-in browser", "as multipart", "without a body"],
)
async def test_mailboxes_and_browsers_may_all_press_it(shop: Shop, request_: dict[str, Any]) -> None:
    assert (await shop.ann.post(shop.path(), **request_)).status_code == 200
    assert not await shop.agrees()


async def test_pressed_twice_it_counts_once_and_holds_again_after_a_new_consent(shop: Shop) -> None:
    for _ in range(2):
        assert (await shop.ann.post(shop.path(), data=ONE_CLICK)).status_code == 200
    assert await shop.unsubscriptions() == 1
    await shop.rows.customer()
    assert await shop.agrees()
    await shop.promise("dec_2")
    assert (await shop.ann.post(shop.path(), data=ONE_CLICK)).status_code == 200
    assert not await shop.agrees()
    assert (await shop.states())["dec_2"] == "withdrawn"
    assert await shop.unsubscriptions() == 1


async def test_a_letter_of_long_ago_still_stops_them(shop: Shop) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=900)
    settled = decisions.update().values(at=long_ago, outcome_due_at=long_ago, settled_at=long_ago, reward=0.0)
    await shop.rows.database.commit(lambda connection: connection.execute(settled))
    assert (await shop.ann.post(shop.path(), data=ONE_CLICK)).status_code == 200
    assert not await shop.agrees()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_forged_link_stops_nobody_and_tells_nothing(shop: Shop, method: str) -> None:
    path = shop.path()
    seal = path.rpartition(".")[2]
    forged = [path[:-1] + ("0" if path[-1] != "0" else "1"), path.rpartition(".")[0], f"/unsubscribe/dec_2.{seal}"]
    for wrong in (*forged, "/unsubscribe/%C3%BC.%FF", "/unsubscribe/dec_1.%00"):
        answer = await shop.ann.request(method, wrong)
        assert answer.status_code == 404, wrong
        assert "This link is not whole" in answer.text
    assert await shop.agrees()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_was_erased_is_told_that_nothing_is_left(shop: Shop, method: str) -> None:
    (await shop.owner.delete("/api/v1/customers/ann")).raise_for_status()
    answer = await shop.ann.request(method, shop.path())
    assert answer.status_code == 200
    assert "There is nothing left to stop" in answer.text
    assert await shop.unsubscriptions() == 0
