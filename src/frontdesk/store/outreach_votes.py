"""What people say of messages that wait for them. A vote counts for the very text that its digest covers."""

from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.outreach import Checks, OutreachRow, outreach, outreach_votes
from frontdesk.store.prepared import Connection, Prepared

VerdictKind = Literal["approve", "edit", "reject"]


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word. `digest` is of what they saw, or of what they made of it."""

    outreach_id: str
    person_id: str
    verdict: VerdictKind
    digest: str
    note: str
    at: datetime


def _upsert(insert: sqlite.Insert | postgresql.Insert) -> sa.Executable:
    new = insert.excluded
    changed = {name: new[name] for name in ("verdict", "digest", "note", "at")}
    return insert.on_conflict_do_update(index_elements=["outreach_id", "person_id"], set_=changed)


_NOW = sa.bindparam("now", type_=UtcDateTime)
_WAITING = sa.and_(outreach.c.id == sa.bindparam("outreach"), outreach.c.state == "approval")
_CAST = Prepared(
    {
        "postgresql": _upsert(postgresql.insert(outreach_votes)),
        "sqlite": _upsert(sqlite.insert(outreach_votes)),
    },
    Vote.__struct_fields__,
)
_FOR_IT = Prepared(
    sa.select(sa.func.count().label("people")).where(
        outreach_votes.c.outreach_id == sa.bindparam("outreach"),
        outreach_votes.c.digest == sa.bindparam("seen"),
        outreach_votes.c.verdict != "reject",
    )
)
_OF = Prepared(
    sa.select(*(outreach_votes.c[name] for name in Vote.__struct_fields__))
    .where(outreach_votes.c.outreach_id == sa.bindparam("outreach"))
    .order_by(outreach_votes.c.at, outreach_votes.c.person_id)
)
_APPROVED = Prepared(
    outreach.update()
    .where(_WAITING)
    .values(state="scheduled", due_at=outreach.c.send_at, deadline=None, problem=None, updated_at=_NOW)
    .returning(outreach.c.id)
)
_EDITED = Prepared(
    outreach.update()
    .where(_WAITING)
    .values(
        subject=sa.bindparam("new_subject", type_=outreach.c.subject.type),
        body=sa.bindparam("new_body", type_=outreach.c.body.type),
        digest=sa.bindparam("new_digest"),
        checks=sa.bindparam("found", type_=outreach.c.checks.type),
        model="person",
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)
_ASKED = Prepared(
    outreach.update()
    .where(
        outreach.c.id == sa.bindparam("outreach"),
        sa.or_(outreach.c.state == "approval", outreach.c.state == "scheduled"),
    )
    .values(
        state="approval",
        due_at=sa.bindparam("until", type_=UtcDateTime),
        deadline=sa.bindparam("until", type_=UtcDateTime),
        needs=sa.bindparam("people"),
        digest=sa.bindparam("new_digest"),
        escalated=sa.bindparam("raised"),
        problem=sa.bindparam("why"),
        updated_at=_NOW,
    )
    .returning(outreach.c.id)
)


async def cast(connection: Connection, vote: Vote) -> None:
    """Keep the vote in place of the same person's earlier one."""
    await _CAST(connection, msgspec.structs.asdict(vote))


async def people_for(connection: Connection, outreach_id: str, digest: str | None) -> int:
    """How many people approved exactly this."""
    row = await _FOR_IT.one(connection, {"outreach": outreach_id, "seen": digest or ""})
    return row["people"] if row else 0


async def votes_of(database: Database, outreach_id: str) -> list[Vote]:
    """All votes on a message, the oldest first."""
    return [Vote(**row) for row in await database.run(_OF, {"outreach": outreach_id})]


async def approved(connection: Connection, outreach_id: str, now: datetime) -> None:
    """Enough people have approved: it leaves at its moment."""
    await _APPROVED(connection, {"outreach": outreach_id, "now": now})


async def edited(
    connection: Connection, outreach_id: str, *, subject: str, body: str, digest: str, checks: Checks, now: datetime
) -> None:
    """A person wrote it anew. Votes on the text before count no longer."""
    values = {"new_subject": subject, "new_body": body, "new_digest": digest, "found": checks}
    await _EDITED(connection, values | {"outreach": outreach_id, "now": now})


async def ask(
    connection: Connection,
    row: OutreachRow,
    *,
    needs: int,
    digest: str | None,
    until: datetime,
    why: str | None,
    now: datetime,
    escalated: bool = False,
) -> None:
    """Have people decide about it, once more or after all, until this moment."""
    values = {"outreach": row.id, "people": needs, "new_digest": digest, "until": until, "why": why, "now": now}
    await _ASKED(connection, values | {"raised": escalated or row.escalated})
