"""How lively the desk's conversations are: figures for the metrics, the same whichever process asks."""

from datetime import timedelta

import sqlalchemy as sa

from frontdesk.ports import Clock
from frontdesk.store.conversations import conversations, messages
from frontdesk.store.database import Database

ACTIVE = timedelta(minutes=5)
RECENT = timedelta(hours=1)
MOST = 5_000  # conversations whose lengths are counted: the look must stay cheap on a busy desk


class Pulse:
    """Looks at conversations, and at no word of them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def active(self) -> int:
        """How many people were in a conversation within the last 5 minutes."""
        since = self._clock.now() - ACTIVE
        query = sa.select(sa.func.count(conversations.c.person_id.distinct())).where(
            conversations.c.updated_at >= since
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def lengths(self) -> list[int]:
        """How many messages each conversation of the last hour holds; of the latest 5,000 where there are more."""
        recent = (
            sa.select(conversations.c.id)
            .where(conversations.c.updated_at >= self._clock.now() - RECENT)
            .order_by(conversations.c.updated_at.desc())
            .limit(MOST)
            .subquery()
        )
        query = (
            sa.select(sa.func.count())
            .select_from(messages.join(recent, messages.c.conversation_id == recent.c.id))
            .group_by(messages.c.conversation_id)
        )
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())
