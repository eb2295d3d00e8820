"""approvals: what waits for a person, and their word on it."""

import asyncio
import json
from pathlib import Path

from frontdesk.cli.local import Local, open_local
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.engagement import Customer
from frontdesk.store.customers import Customers
from frontdesk.store.outreach import NewOutreach, OutreachRows, Written, propose
from frontdesk.system.load import load
from tests.cli.conftest import Command

DIGEST = "3f2a" * 16


def waiting(home: Path) -> str:
    """A message that waits for a person, in the database of this home."""
    made: list[str] = []

    async def work(desk: Local) -> None:
        clock, database = SystemClock(), desk.store.database
        await Customers(database, clock).put(Customer(id="c1", segment="default", name="Cleo"))
        new = NewOutreach(
            decision_id="dec_1",
            customer_id="c1",
            channel="email",
            message="hello",
            arm="hello/email/now",
            segment="default",
            objective="onboard",
            tone="friendly",
            risk=0.01,
            confidence=0.8,
            send_at=clock.now(),
        )
        made.extend(await database.act(lambda connection: propose(connection, RandomIds(), clock.now(), [new])))
        rows = OutreachRows(database, clock)
        row = await rows.claim(made[0], 60)
        assert row is not None
        text = Written(subject="Welcome", body="Hi Cleo", digest=DIGEST, checks=(), model="template", needs=1)
        await rows.written(row, text, clock.now().replace(year=2100))

    asyncio.run(open_local(load(home=home), work))
    return made[0]


def test_what_waits_is_shown_and_approved_as_it_was_seen(frontdesk: Command, home: Path) -> None:
    assert frontdesk("approvals", "list").err == "No message waits for a person.\n"
    outreach_id = waiting(home)
    assert outreach_id in frontdesk("approvals", "list").out
    shown = frontdesk("approvals", "show", outreach_id)
    assert "Hi Cleo" in shown.out
    assert DIGEST in shown.out
    assert frontdesk("approvals", "approve", outreach_id, "--digest", "0" * 64).code == 1
    assert frontdesk("approvals", "approve", outreach_id, "--digest", DIGEST[:12]).err == f"{outreach_id}: scheduled.\n"
    told = json.loads(frontdesk("approvals", "show", outreach_id, "--json").out)
    assert told["state"] == "scheduled"
    assert json.loads(frontdesk("approvals", "list", "--json").out) == []


def test_a_message_is_rejected(frontdesk: Command, home: Path) -> None:
    outreach_id = waiting(home)
    assert frontdesk("approvals", "reject", outreach_id, "--note", "no").err == f"{outreach_id}: rejected.\n"
    ended = frontdesk("approvals", "reject", outreach_id)
    assert (ended.code, "does not wait" in ended.err) == (1, True)
