"""What the desk forgets by itself, and when: the rules of the section `retention`, worked off in small transactions.

The audit log is never shortened: it is a chain. What people ask to be erased goes at once and by other ways.
"""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.messages import Role
from frontdesk.store.calls import calls
from frontdesk.store.conversations import conversations, remove
from frontdesk.store.database import Database
from frontdesk.store.files import files
from frontdesk.store.outbox import outbox
from frontdesk.store.people import identities, people
from frontdesk.store.requests import requests
from frontdesk.store.turns import turn_events, turns
from frontdesk.store.updates import updates
from frontdesk.system.options import RetentionOptions

BATCH = 500  # rows that one transaction deletes: bounds how long others wait for it on SQLite


class Retention:
    """Forgetting by age."""

    def __init__(self, database: Database, options: RetentionOptions) -> None:
        self._database = database
        self._options = options

    async def run(self, now: datetime) -> dict[str, int]:
        """Forget what is older than its rule says: how many rows of each table. May be cut off, and run twice."""
        counts = {"turn_events": await self._events(now - timedelta(days=self._options.turn_events_days))}
        if self._options.conversations_days is not None:
            counts["conversations"] = await self._conversations(now - timedelta(days=self._options.conversations_days))
        for table, old in self._rules(now):
            gone = await self._rows(table, old)
            counts[table.name] = counts.get(table.name, 0) + gone
        if any(counts.values()):
            await self._database.wipe()
        return counts

    def _rules(self, now: datetime) -> list[tuple[sa.Table, sa.ColumnElement[bool]]]:
        """Which rows are old, in the order in which they go."""
        options = self._options
        letters, told = now - timedelta(days=options.letters_days), now - timedelta(days=options.updates_days)
        used = now - timedelta(days=options.usage_days)
        rules = [
            (outbox, sa.and_(outbox.c.state.in_(("sent", "failed", "withdrawn")), outbox.c.due_at < letters)),
            (updates, updates.c.settled_at < told),
            (updates, sa.and_(updates.c.state == "kept", updates.c.received_at < told)),
            (requests, requests.c.accepted_at < used),
            (calls, calls.c.day < used.date().isoformat()),
        ]
        if options.conversations_days is not None:
            said = now - timedelta(days=options.conversations_days)
            rules += [
                (files, sa.and_(files.c.created_at < said, ~_talks(files.c.person_id))),
                (people, _gone_visitors(said)),
            ]
        return rules

    async def _rows(self, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
        key = list(table.primary_key)
        oldest = sa.select(*key).where(old).order_by(*key).limit(BATCH)
        batch = sa.delete(table).where(sa.tuple_(*key).in_(oldest))

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(batch)).rowcount

        total = 0
        while gone := await self._database.commit(work):
            total += gone
        return total

    async def _conversations(self, before: datetime) -> int:
        """Conversations of which nobody has heard since, with the files that were sent in them."""
        old = sa.and_(conversations.c.updated_at < before, conversations.c.held_by.is_(None))
        oldest = sa.select(conversations.c.id).where(old).order_by(conversations.c.updated_at).limit(BATCH)

        async def work(connection: AsyncConnection) -> int:
            ids = list((await connection.execute(oldest)).scalars())
            await remove(connection, ids)
            return len(ids)

        total = 0
        while gone := await self._database.commit(work):
            total += gone
        return total

    async def _events(self, before: datetime) -> int:
        """Of turns that ended before then, every event but the last: it tells late readers that there is no more."""
        total = 0
        async for ids in self._ended_turns(before):
            last = sa.select(turns.c.last_seq).where(turns.c.id == turn_events.c.turn_id).scalar_subquery()
            batch = sa.delete(turn_events).where(turn_events.c.turn_id.in_(ids), turn_events.c.seq < last)

            async def work(connection: AsyncConnection, batch: sa.Delete = batch) -> int:
                return (await connection.execute(batch)).rowcount

            total += await self._database.commit(work)
        return total

    async def _ended_turns(self, before: datetime) -> AsyncGenerator[list[str]]:
        after = ""
        while True:
            page = sa.select(turns.c.id).where(turns.c.finished_at < before, turns.c.id > after)
            async with self._database.read() as connection:
                ids = list((await connection.execute(page.order_by(turns.c.id).limit(BATCH))).scalars())
            if not ids:
                return
            yield ids
            after = ids[-1]


def _talks(person_id: sa.Column[str]) -> sa.ColumnElement[bool]:
    return sa.exists().where(conversations.c.person_id == person_id)


def _gone_visitors(before: datetime) -> sa.ColumnElement[bool]:
    """Visitors of long ago of whom nothing is left, and whom no channel would name again."""
    named = sa.exists().where(identities.c.person_id == people.c.id)
    return sa.and_(
        people.c.role == Role.VISITOR,
        people.c.state == "active",
        people.c.created_at < before,
        ~_talks(people.c.id),
        ~named,
    )
