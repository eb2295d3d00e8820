"""Messages in the owner's own app: a letter is delivered by being there for the app to fetch."""

from datetime import datetime

import msgspec
import sqlalchemy as sa

from frontdesk.engagement import Envelope
from frontdesk.store.database import Database
from frontdesk.store.outbox import Letter, outbox

CHANNEL = "in_app"


class InApp:
    """Delivery's `Sender`: from the moment on at which it is settled, the letter stands in the customer's list."""

    async def send(self, letter: Letter) -> str:
        return letter.id


class InAppMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message in the app. `decision_id` is what its opens and clicks are reported under; `unsubscribe_url` is where
    its customer stops such messages, or empty."""

    id: str
    decision_id: str
    subject: str
    body: str
    unsubscribe_url: str
    at: datetime


class InAppMessages:
    """The list of each customer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, customer_id: str, *, limit: int = 50) -> list[InAppMessage]:
        """The customer's messages, the newest first."""
        query = (
            sa.select(outbox.c.id, outbox.c.body, outbox.c.settled_at)
            .where(outbox.c.customer_id == customer_id, outbox.c.channel == CHANNEL, outbox.c.state == "sent")
            .order_by(outbox.c.settled_at.desc(), outbox.c.id.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [_message(row.id, row.body, row.settled_at) for row in rows]


def _message(letter_id: str, body: str, at: datetime) -> InAppMessage:
    envelope = msgspec.json.decode(body, type=Envelope)
    return InAppMessage(
        id=letter_id,
        decision_id=envelope.decision_id,
        subject=envelope.subject,
        body=envelope.body,
        unsubscribe_url=envelope.unsubscribe_url,
        at=at,
    )
