"""Messages that the desk means to send of its own accord, from a decision to a letter, or to why there was none.

A row is `writing` until its text is there, waits for people in `approval`, is `scheduled`, and ends `released` (a
letter stands in the outbox), or `withheld`, `rejected`, `expired` or `withdrawn`. Who ends it holds the customer's
lock, and gives back the place that it had under the customer's caps.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Channel, Check, Contact, Customer, Objective, OutreachState
from frontdesk.errors import NotFound
from frontdesk.ports import Clock, Ids
from frontdesk.store.customers import customers, locked, reserve
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.outbox import outbox
from frontdesk.store.prepared import Connection, Prepared, Row
from frontdesk.store.sealed import Sealed, SealedText

Checks = tuple[Check, ...]
SWEPT = 500  # rows that one sweep hands out

outreach = sa.Table(
    "outreach",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("decision_id", sa.Text, nullable=False, unique=True),
    sa.Column("customer_id", sa.Text, sa.ForeignKey("customers.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("arm", sa.Text, nullable=False),
    sa.Column("segment", sa.Text, nullable=False),
    sa.Column("objective", sa.Text, nullable=False),
    sa.Column("tone", sa.Text, nullable=False),
    sa.Column("risk", sa.Float, nullable=False),
    sa.Column("confidence", sa.Float, nullable=False),
    sa.Column("needs", sa.Integer, nullable=False),  # people who must approve
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("send_at", UtcDateTime, nullable=False),
    sa.Column("deadline", UtcDateTime),  # of the people who approve
    sa.Column("escalated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("subject", SealedText),
    sa.Column("body", SealedText),
    sa.Column("digest", sa.Text),  # of exactly what will be sent
    sa.Column("checks", Sealed[Checks](Checks)),
    sa.Column("prompt", SealedText),
    sa.Column("model", sa.Text),  # who wrote it: a model's name, or `template`
    sa.Column("letter_id", sa.Text),
    sa.Column("problem", sa.Text),  # why it ended unsent, or waits
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("due_at", UtcDateTime, nullable=False),  # when something is to be done next; a lease's end while it is
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index("ix_outreach_state_due_at", "state", "due_at"),
)

outreach_votes = sa.Table(
    "outreach_votes",
    metadata,
    sa.Column("outreach_id", sa.Text, sa.ForeignKey("outreach.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),  # no reference: the word of somebody who left still counts
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # of what they saw, or of what they made of it
    sa.Column("note", SealedText, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)


class NewOutreach(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a decision asks for. `tone` is the strategy's for the segment; `needs` people must approve it."""

    decision_id: str
    customer_id: str
    channel: Channel
    message: str
    arm: str
    segment: str
    objective: Objective
    tone: str
    risk: float
    confidence: float
    send_at: datetime
    needs: int = 0


class OutreachRow(msgspec.Struct, frozen=True, kw_only=True):
    """A message on its way. `subject`, `body` and `digest` are empty until it is written."""

    id: str
    decision_id: str
    customer_id: str
    channel: Channel
    message: str
    arm: str
    segment: str
    objective: Objective
    tone: str
    risk: float
    confidence: float
    needs: int
    state: OutreachState
    send_at: datetime
    deadline: datetime | None
    escalated: bool
    subject: str | None
    body: str | None
    digest: str | None
    checks: Checks | None
    model: str | None
    letter_id: str | None
    problem: str | None
    attempts: int
    fence: int
    due_at: datetime
    created_at: datetime
    updated_at: datetime

    @property
    def slot(self) -> str:
        """The time of day for which it was decided."""
        return self.arm.rpartition("/")[2]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A text that may go on: to people when it `needs` them, or to its moment."""

    subject: str
    body: str
    digest: str
    checks: Checks
    model: str
    needs: int
    prompt: str | None = None


_ROW = tuple(outreach.c[name] for name in OutreachRow.__struct_fields__)
_NOW = sa.bindparam("now", type_=UtcDateTime)
_THIS = outreach.c.id == sa.bindparam("outreach")
_OPEN = sa.or_(  # something is still to be done
    outreach.c.state == "writing", outreach.c.state == "approval", outreach.c.state == "scheduled"
)
_PROPOSE = Prepared(
    outreach.insert(), (*NewOutreach.__struct_fields__, "id", "state", "due_at", "created_at", "updated_at")
)
_GET = Prepared(sa.select(*_ROW).where(_THIS))
_OF_DECISION = Prepared(sa.select(outreach.c.id).where(outreach.c.decision_id == sa.bindparam("decision")))
_DUE = Prepared(
    sa.select(outreach.c.id).where(_OPEN, outreach.c.due_at <= _NOW).order_by(outreach.c.due_at).limit(SWEPT)
)
_CLAIM = Prepared(
    outreach.update()
    .where(_THIS, outreach.c.state == "writing", outreach.c.due_at <= _NOW)
    .values(
        due_at=sa.bindparam("until", type_=UtcDateTime),
        fence=outreach.c.fence + 1,
        attempts=outreach.c.attempts + 1,
        updated_at=_NOW,
    )
    .returning(*_ROW)
)
_HELD = sa.and_(_THIS, outreach.c.fence == sa.bindparam("held"), outreach.c.state == "writing")
_WRITTEN = Prepared(
    outreach.update()
    .where(_HELD)
    .values(
        state=sa.bindparam("then"),
        due_at=sa.bindparam("until", type_=UtcDateTime),
        deadline=sa.bindparam("ends", type_=UtcDateTime),
        subject=sa.bindparam("new_subject", type_=outreach.c.subject.type),
        body=sa.bindparam("new_body", type_=outreach.c.body.type),
        digest=sa.bindparam("new_digest"),
        checks=sa.bindparam("found", type_=outreach.c.checks.type),
        model=sa.bindparam("by"),
        prompt=sa.bindparam("told", type_=outreach.c.prompt.type),
        needs=sa.bindparam("people"),
        problem=None,
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)
_AGAIN = Prepared(
    outreach.update()
    .where(_HELD)
    .values(due_at=sa.bindparam("until", type_=UtcDateTime), problem=sa.bindparam("why"), updated_at=_NOW)
    .returning(outreach.c.id)
)
_WITHHELD = Prepared(
    outreach.update()
    .where(_HELD)
    .values(
        state="withheld",
        problem=sa.bindparam("why"),
        checks=sa.bindparam("found", type_=outreach.c.checks.type),
        prompt=sa.bindparam("told", type_=outreach.c.prompt.type),
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)
_END = Prepared(
    outreach.update()
    .where(_THIS, _OPEN)
    .values(state=sa.bindparam("then"), problem=sa.bindparam("why"), updated_at=_NOW)
    .returning(outreach.c.id)
)
_DEFER = Prepared(
    outreach.update()
    .where(_THIS, outreach.c.state == "scheduled")
    .values(
        send_at=sa.bindparam("until", type_=UtcDateTime),
        due_at=sa.bindparam("until", type_=UtcDateTime),
        problem=sa.bindparam("why"),
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)
_RELEASED = Prepared(
    outreach.update()
    .where(_THIS, outreach.c.state == "scheduled")
    .values(
        state="released",
        letter_id=sa.bindparam("letter"),
        digest=sa.bindparam("sent_digest"),
        problem=None,
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)
_OF_CUSTOMER = sa.and_(
    outreach.c.customer_id == sa.bindparam("customer"),
    sa.or_(outreach.c.channel == sa.bindparam("by"), sa.bindparam("every", type_=sa.Boolean)),
)
_WITHDRAW = Prepared(
    outreach.update()
    .where(_OF_CUSTOMER, _OPEN)
    .values(state="withdrawn", problem=sa.bindparam("why"), updated_at=_NOW)
    .returning(outreach.c.id)
)
_LETTERS = sa.and_(
    outbox.c.customer_id == sa.bindparam("customer"),
    sa.or_(outbox.c.channel == sa.bindparam("by"), sa.bindparam("every", type_=sa.Boolean)),
)
_WITHDRAW_LETTERS = Prepared(
    outbox.update()
    .where(_LETTERS, outbox.c.state == "waiting")
    .values(state="withdrawn", problem=sa.bindparam("why"), settled_at=_NOW)
)
_LET_NOBODY_REPEAT = Prepared(  # what failed, or is in doubt: a person's word could have it sent again
    outbox.update().where(_LETTERS, outbox.c.state != "sent", outbox.c.state != "withdrawn").values(not_after=_NOW)
)
_PRIVATE = Prepared(
    sa.select(customers.c.name, customers.c.addresses).where(customers.c.id == sa.bindparam("customer"))
)


# --- in another's transaction -------------------------------------------------


async def propose(connection: Connection, ids: Ids, now: datetime, new: Sequence[NewOutreach]) -> list[str]:
    """Write the messages that decisions ask for, in the decisions' transaction. Their ids, in order.

    The caller has reserved, or reserves with these ids, their places under the customers' caps, and says
    `ready("outreach", id)` after the commit.
    """
    begun = {"state": "writing", "due_at": now, "created_at": now, "updated_at": now}
    named = [ids.new("reach") for _ in new]
    rows = [msgspec.structs.asdict(each) | begun | {"id": name} for each, name in zip(new, named, strict=True)]
    await _PROPOSE.many(connection, rows)
    return named


async def of_decision(connection: Connection, decision_id: str) -> str | None:
    """The message of a decision, or None where there is none."""
    row = await _OF_DECISION.one(connection, {"decision": decision_id})
    return None if row is None else row["id"]


async def withdraw(connection: Connection, customer_id: str, channel: str | None, why: str, now: datetime) -> None:
    """Take back what was not sent yet to this customer by this channel, or by any: messages, and letters that wait.

    `why` is a name: it is kept with them.
    """
    customer = (await locked(connection, [customer_id])).get(customer_id)
    if customer is None:
        return
    values = {"customer": customer_id, "by": channel or "", "every": channel is None, "why": why, "now": now}
    withdrawn = [row["id"] for row in await _WITHDRAW(connection, values)]
    await _WITHDRAW_LETTERS(connection, values)
    await _LET_NOBODY_REPEAT(connection, values)
    await give_back(connection, customer, withdrawn)


async def of_locked(connection: Connection, outreach_id: str) -> tuple[OutreachRow, Customer]:
    """The message and its whole customer, whose lock is the caller's until the transaction ends. Raises `NotFound`."""
    row = _found(await _GET.one(connection, {"outreach": outreach_id}), outreach_id)
    customer = (await locked(connection, [row.customer_id])).get(row.customer_id)
    private = await _PRIVATE.one(connection, {"customer": row.customer_id})
    again = await _GET.one(connection, {"outreach": outreach_id})  # as it is now that nobody else may end it
    if customer is None or private is None:
        raise _unknown(outreach_id)
    return _found(again, outreach_id), msgspec.structs.replace(customer, **private)


async def end(
    connection: Connection, row: OutreachRow, customer: Customer, state: OutreachState, why: str | None, now: datetime
) -> bool:
    """End it unsent and give its place back; False when it has ended already. The caller holds the customer's lock."""
    ended = await _END(connection, {"outreach": row.id, "then": state, "why": why, "now": now})
    if ended:
        await give_back(connection, customer, [row.id])
    return bool(ended)


async def defer(
    connection: Connection, row: OutreachRow, customer: Customer, until: datetime, why: str, now: datetime
) -> None:
    """Let it wait until then, and count it there. The caller holds the customer's lock."""
    await _DEFER(connection, {"outreach": row.id, "until": until, "why": why, "now": now})
    await _move(connection, row, customer, until)


async def released(
    connection: Connection,
    row: OutreachRow,
    customer: Customer,
    *,
    letter_id: str,
    digest: str,
    not_after: datetime,
    now: datetime,
) -> None:
    """It left as this letter. It is counted as of the last moment at which it may arrive, so that no window of days
    ever holds more than its cap. The caller holds the customer's lock."""
    await _RELEASED(connection, {"outreach": row.id, "letter": letter_id, "sent_digest": digest, "now": now})
    await _move(connection, row, customer, not_after)


async def _move(connection: Connection, row: OutreachRow, customer: Customer, at: datetime) -> None:
    others = tuple(contact for contact in customer.contacts if contact.outreach_id != row.id)
    mine = Contact(at=at.timestamp(), channel=row.channel, outreach_id=row.id)
    await reserve(connection, [(customer.id, (*others, mine))])


async def give_back(connection: Connection, customer: Customer, outreach_ids: Collection[str]) -> None:
    """Free the places that these messages had under the customer's caps. The caller holds the customer's lock."""
    kept = tuple(contact for contact in customer.contacts if contact.outreach_id not in outreach_ids)
    if len(kept) < len(customer.contacts):
        await reserve(connection, [(customer.id, kept)])


# --- the desk's own questions and steps -----------------------------------------


class OutreachRows:
    """Finding messages, and the steps of their writing: claimed under a lease, settled under its fence."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def due(self) -> list[str]:
        """Messages for which something is to be done now: to write, to send, or to end because nobody approved."""
        return [row["id"] for row in await self._database.run(_DUE, {"now": self._clock.now()})]

    async def get(self, outreach_id: str) -> OutreachRow:
        """The message. Raises `NotFound`."""
        rows = await self._database.run(_GET, {"outreach": outreach_id})
        return _found(rows[0] if rows else None, outreach_id)

    async def page(
        self, *, state: OutreachState | None = None, customer_id: str | None = None, limit: int = 100
    ) -> list[OutreachRow]:
        """Messages in this state and of this customer: those that wait for people by deadline, others newest first."""
        where = [outreach.c.state == state] if state else []
        where += [outreach.c.customer_id == customer_id] if customer_id else []
        waiting = (outreach.c.escalated.desc(), outreach.c.deadline, outreach.c.id)
        order = waiting if state == "approval" else (outreach.c.created_at.desc(), outreach.c.id.desc())
        query = sa.select(*_ROW).where(*where).order_by(*order).limit(limit)
        async with self._database.read() as connection:
            return [_row(row) for row in (await connection.execute(query)).mappings()]

    async def claim(self, outreach_id: str, seconds: float) -> OutreachRow | None:
        """Take a message to write it, for `seconds`; None when it is written, not due, or another's."""
        now = self._clock.now()
        values = {"outreach": outreach_id, "now": now, "until": now + timedelta(seconds=seconds)}
        rows = await self._database.run(_CLAIM, values)
        return _row(rows[0]) if rows else None

    async def written(self, row: OutreachRow, text: Written, deadline: datetime) -> bool:
        """Keep the text. People have until `deadline`, where it needs them. False: withdrawn, or another's by now."""
        waits = text.needs > 0
        values = self._held(row) | {
            "then": "approval" if waits else "scheduled",
            "until": deadline if waits else row.send_at,
            "ends": deadline if waits else None,
            "new_subject": text.subject,
            "new_body": text.body,
            "new_digest": text.digest,
            "found": text.checks,
            "by": text.model,
            "told": text.prompt,
            "people": text.needs,
        }
        return bool(await self._database.run(_WRITTEN, values))

    async def again(self, row: OutreachRow, seconds: float, why: str) -> None:
        """Let go of it and try again after `seconds`."""
        until = self._clock.now() + timedelta(seconds=seconds)
        await self._database.run(_AGAIN, self._held(row) | {"until": until, "why": why})

    async def withheld(self, row: OutreachRow, why: str, checks: Checks, prompt: str | None) -> None:
        """No text of it may go out: it ends here, and its place is given back."""
        values = self._held(row) | {"why": why, "found": checks, "told": prompt}

        async def work(connection: Connection) -> None:
            customer = (await locked(connection, [row.customer_id])).get(row.customer_id)
            if await _WITHHELD(connection, values) and customer is not None:
                await give_back(connection, customer, [row.id])

        await self._database.act(work)

    def _held(self, row: OutreachRow) -> dict[str, object]:
        return {"outreach": row.id, "held": row.fence, "now": self._clock.now()}


def _found(row: Row | None, outreach_id: str) -> OutreachRow:
    if row is None:
        raise _unknown(outreach_id)
    return _row(row)


def _row(row: Any) -> OutreachRow:  # a mapping of mixed columns
    return OutreachRow(**row)


def _unknown(outreach_id: str) -> NotFound:
    return NotFound("There is no such message", where=outreach_id)
