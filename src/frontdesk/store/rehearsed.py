"""Messages of a rehearsal: those of a past that nobody lived, and those that people who do not exist may answer.

A message of the past is written down as sent, with a letter that has arrived already: nothing of it leaves now.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Envelope
from frontdesk.ports import Ids
from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.outbox import outbox
from frontdesk.store.outreach import outreach
from frontdesk.store.prepared import Connection, Prepared, Row

MOST = 1000


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A message that reached somebody at `at`, decided as `arm`."""

    outreach_id: str
    decision_id: str
    customer_id: str
    arm: str
    channel: str
    at: datetime


_OF_DECISION = outreach.c.decision_id == sa.bindparam("decision")
_OPEN = sa.or_(outreach.c.state == "writing", outreach.c.state == "approval", outreach.c.state == "scheduled")
_AS_SENT = Prepared(
    outreach.update()
    .where(_OF_DECISION, _OPEN)
    .values(
        state="released",
        subject=sa.bindparam("new_subject", type_=outreach.c.subject.type),
        body=sa.bindparam("new_body", type_=outreach.c.body.type),
        model="template",
        letter_id=sa.bindparam("letter"),
        updated_at=sa.bindparam("now", type_=UtcDateTime),
    )
    .returning(outreach.c.id, outreach.c.decision_id, outreach.c.customer_id, outreach.c.arm, outreach.c.channel)
)
_ARRIVED = Prepared(
    outbox.insert(),
    (
        *("id", "key", "channel", "customer_id", "body", "proactive", "state", "attempts"),
        *("due_at", "created_at", "settled_at"),
    ),
)
_SENT = Prepared(
    sa.select(
        outreach.c.id,
        outreach.c.decision_id,
        outreach.c.customer_id,
        outreach.c.arm,
        outreach.c.channel,
        outreach.c.updated_at,
    )
    .where(
        outreach.c.state == "released",
        outreach.c.updated_at >= sa.bindparam("since", type_=UtcDateTime),
        outreach.c.customer_id.startswith(sa.bindparam("prefix")),
    )
    .order_by(outreach.c.updated_at)
    .limit(MOST)
)


async def as_sent(connection: Connection, ids: Ids, envelopes: Sequence[Envelope], now: datetime) -> list[Sent]:
    """Let messages that are still to be written count as sent at `now`, in these letters."""
    sent: list[Sent] = []
    letters: list[dict[str, object]] = []
    for each in envelopes:
        letter_id = ids.new("out")
        values = {"decision": each.decision_id, "new_subject": each.subject, "new_body": each.body}
        for row in await _AS_SENT(connection, values | {"letter": letter_id, "now": now}):
            letters.append(_arrived(letter_id, row, each, now))
            sent.append(
                Sent(
                    outreach_id=row["id"],
                    decision_id=row["decision_id"],
                    customer_id=row["customer_id"],
                    arm=row["arm"],
                    channel=row["channel"],
                    at=now,
                )
            )
    await _ARRIVED.many(connection, letters)
    return sent


def _arrived(letter_id: str, row: Row, envelope: Envelope, now: datetime) -> dict[str, object]:
    return {
        "id": letter_id,
        "key": f"outreach:{row['id']}:0",
        "channel": row["channel"],
        "customer_id": row["customer_id"],
        "body": msgspec.json.encode(envelope).decode(),
        "proactive": True,
        "state": "sent",
        "attempts": 1,
        "due_at": now,
        "created_at": now,
        "settled_at": now,
    }


async def sent_since(database: Database, since: datetime, prefix: str) -> list[Sent]:
    """What left the desk since then for customers whose ids begin so, the oldest first."""
    rows = await database.run(_SENT, {"since": since, "prefix": prefix})
    return [
        Sent(
            outreach_id=row["id"],
            decision_id=row["decision_id"],
            customer_id=row["customer_id"],
            arm=row["arm"],
            channel=row["channel"],
            at=row["updated_at"],
        )
        for row in rows
    ]
