"""Channels that reach nobody outside: the letter is kept, and the console shows it with all others to customers."""

import contextlib
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Envelope
from frontdesk.store.cursors import cursor, seen
from frontdesk.store.database import Database
from frontdesk.store.outbox import Letter, LetterState, outbox
from frontdesk.store.outreach import outreach


class Local:
    """Delivery's `Sender` where a channel has no adapter: the letter in the outbox is all that happens."""

    async def send(self, letter: Letter) -> str:
        return ""


class CustomerLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A letter to a customer, and what it says, to its last line. `unknown`: perhaps it arrived, and nobody sends it
    again."""

    id: str
    customer_id: str
    decision_id: str
    channel: str
    message: str
    subject: str
    body: str
    state: LetterState
    problem: str | None
    created_at: datetime
    settled_at: datetime | None


class CustomerLetters:
    """All letters to customers, by whichever adapter they go."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        *,
        channel: str | None = None,
        state: LetterState | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> tuple[list[CustomerLetter], str | None]:
        """The newest first, and the cursor of the next page."""
        place = sa.tuple_(outbox.c.created_at, outbox.c.id)
        query = (
            sa.select(
                *(outbox.c[name] for name in ("id", "customer_id", "channel", "state", "problem", "created_at")),
                *(outreach.c[name] for name in ("decision_id", "message", "subject", "body")),
                outbox.c.settled_at,
                outbox.c.body.label("letter"),
            )
            .join(outreach, outreach.c.letter_id == outbox.c.id)
            .where(outbox.c.customer_id.is_not(None))
            .order_by(outbox.c.created_at.desc(), outbox.c.id.desc())
            .limit(limit + 1)
        )
        query = query if channel is None else query.where(outbox.c.channel == channel)
        query = query if state is None else query.where(outbox.c.state == state)
        query = query if before is None else query.where(place < seen(before))
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).mappings().all()
        found = [_letter(**row) for row in rows[:limit]]
        return found, cursor(found[-1].created_at, found[-1].id) if len(rows) > limit else None


def _letter(letter: str, body: str, **more: Any) -> CustomerLetter:
    """With the text of the letter itself; one in a form of its channel's own says what was written."""
    with contextlib.suppress(msgspec.ValidationError):
        body = msgspec.json.decode(letter, type=Envelope).body
    return CustomerLetter(body=body, **more)
