"""One person on many channels: two identities become one person's by a code that goes from one channel to the other.

Who shows on one channel a code that was given out on another holds both. Then the person of one of them is absorbed:
everything of theirs, words, files, memories and identities, becomes the other's in one transaction. Only a visitor can
be absorbed, so nobody's rights move, and two members stay two.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound, RateLimited, Unprocessable
from frontdesk.messages import Role
from frontdesk.ports import Clock, Ids
from frontdesk.store import words
from frontdesk.store.audit import Act, Audit
from frontdesk.store.conversations import conversations
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.people import identities, people, sign_in_links
from frontdesk.store.sessions import sessions

LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 that nobody takes for each other: 5 bits each, 40 in a code
LENGTH = 8
LIFETIME = timedelta(minutes=10)
TRIES = 5  # wrong codes of one person on one channel in `WINDOW`
WINDOW = timedelta(minutes=15)

link_codes = sa.Table(
    "link_codes",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

link_tries = sa.Table(
    "link_tries",
    metadata,
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("since", UtcDateTime, nullable=False),
)

Offered = tuple[str, datetime]
Column = sa.Column[Any]  # of whatever type its values have


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A channel on which a person is known, and since when."""

    channel: str
    since: datetime


class Links:
    """Giving out codes, taking them, and parting again.

    An identity's channel is its issuer up to a colon (`telegram`, `widget:site`); issuers that are addresses are
    providers of sign-in, and no channels.
    """

    def __init__(self, database: Database, clock: Clock, ids: Ids, audit: Audit) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._audit = audit

    async def offer(self, person_id: str, channel: str) -> Offered:
        """A code that the person can show on another channel within ten minutes, and when it ends.

        It works once, and the one before no longer.
        """
        code, now = _code(self._ids.secret()), self._clock.now()
        expires_at = now + LIFETIME

        async def work(connection: AsyncConnection) -> None:
            stale = (link_codes.c.person_id == person_id) | (link_codes.c.expires_at < now)
            await connection.execute(sa.delete(link_codes).where(stale))
            digest = words.fingerprint(code, await words.key(connection))
            row = {"digest": digest, "person_id": person_id, "channel": channel, "expires_at": expires_at}
            await connection.execute(link_codes.insert(), row)

        await self._database.commit(work)
        return f"{code[:4]}-{code[4:]}", expires_at

    async def redeem(self, code: str, *, person_id: str, channel: str) -> str:
        """Show on `channel`, as `person_id`, a code from another channel: both are one person now, whose id returns.

        Raises `Unprocessable` for a code that is wrong, used up, expired or of this very channel, `RateLimited` after
        five of them in a quarter of an hour, and `Conflict` when neither of the two can be absorbed.
        """
        now, plain = self._clock.now(), _plain(code)

        async def work(connection: AsyncConnection) -> str | Exception:
            refused = await _try(connection, person_id, channel, now)
            if refused is not None:
                return refused
            digest = words.fingerprint(plain, await words.key(connection))
            fits = (link_codes.c.digest == digest, link_codes.c.expires_at > now, link_codes.c.channel != channel)
            taken = sa.delete(link_codes).where(*fits).returning(link_codes.c.person_id)
            other = (await connection.execute(taken)).scalar_one_or_none()
            if other is None:
                return Unprocessable(
                    "This code is wrong, used up or expired",
                    where="code",
                    hint="Ask for a new one on your other channel.",
                )
            await connection.execute(
                sa.delete(link_tries).where(link_tries.c.person_id == person_id, link_tries.c.channel == channel)
            )
            if other == person_id:
                return person_id
            return await self._join(connection, other, person_id, now)

        outcome = await self._database.commit(work)  # a wrong try counts, so it is no error inside the transaction
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def keep(self, visitor_id: str, person_id: str) -> None:
        """Give a visitor's words to the person as whom they have just signed in: both credentials were shown."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            if visitor_id != person_id and await _is_visitor(connection, visitor_id):
                await self._absorb(connection, visitor_id, person_id, now)

        await self._database.commit(work)

    async def of(self, person_id: str) -> list[Link]:
        """The channels on which the person is known, the newest last."""
        query = sa.select(identities.c.issuer, identities.c.created_at).where(identities.c.person_id == person_id)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(identities.c.created_at))).all()
        known = {channel: row.created_at for row in rows if (channel := channel_of(row.issuer))}
        return [Link(channel=channel, since=since) for channel, since in known.items()]

    async def remove(self, person_id: str, channel: str) -> None:
        """Part with a channel: who comes from there is somebody new. What was said stays. Raises `NotFound`."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            mine = identities.c.person_id == person_id
            rows = (await connection.execute(sa.select(identities).where(mine).with_for_update())).all()
            parting = [row for row in rows if channel_of(row.issuer) == channel]
            if not parting:
                raise NotFound("You are not connected there", where=channel)
            for row in parting:
                fresh = self._ids.new("per")
                begun = {"id": fresh, "name": "Visitor", "role": Role.VISITOR, "state": "active", "created_at": now}
                await connection.execute(people.insert(), begun)
                here = (identities.c.issuer == row.issuer, identities.c.subject == row.subject)
                await connection.execute(identities.update().where(*here).values(person_id=fresh, created_at=now))
                await _leave_chat(connection, person_id, channel, row.subject)
            await self._note(connection, "person.unlink", person_id, channel)

        await self._database.commit(work)

    async def _join(self, connection: AsyncConnection, offered_by: str, redeemed_by: str, now: datetime) -> str:
        """Absorb whichever of the two can be; of two visitors the one who showed the code. The other's id."""
        for visitor, into in ((redeemed_by, offered_by), (offered_by, redeemed_by)):
            if await _is_visitor(connection, visitor) and await _has_identity(connection, visitor):
                await self._absorb(connection, visitor, into, now)
                return into
        raise Conflict(
            "These are two accounts of their own and cannot be made one",
            hint="Sign in where you are a visitor, then connect your channels.",
        )

    async def _absorb(self, connection: AsyncConnection, visitor: str, into: str, now: datetime) -> None:
        await connection.execute(identities.update().where(identities.c.person_id == visitor).values(created_at=now))
        for column in columns_of_people():
            await _give(connection, column, visitor, into)
        gone = {"state": "absorbed", "absorbed_by": into, "name": "Visitor", "email": None}
        await connection.execute(people.update().where(people.c.id == visitor).values(gone))
        await self._note(connection, "person.link", into, visitor)

    async def _note(self, connection: AsyncConnection, act: str, actor: str, subject: str) -> None:
        await self._audit.append_with(connection, [Act(act=act, actor=actor, subject=subject, outcome=200)])


def channel_of(issuer: str) -> str:
    """The channel on which an issuer's people come, or nothing for a provider of sign-in."""
    name = issuer.partition(":")[0]
    return "" if name in ("http", "https") else name


def columns_of_people() -> Iterator[Column]:
    """Every column of every table that names somebody, and whose rows are theirs rather than their right to come in."""
    kept = {people, sessions, sign_in_links, link_codes, link_tries, metadata.tables.get("api_keys")}
    for table in metadata.sorted_tables:
        if table not in kept:
            yield from (column for column in table.columns if column.references(people.c.id))


async def _give(connection: AsyncConnection, column: Column, source: str, target: str) -> None:
    """Rename the owner in one column. Where only one row may stand for an owner, the target's own stands."""
    table = column.table
    for unique in _unique_with(column):
        theirs = table.alias("theirs")
        same = [theirs.c[other.name] == table.c[other.name] for other in unique if other is not column]
        double = sa.exists().where(theirs.c[column.name] == target, *same)
        await connection.execute(sa.delete(table).where(column == source, double))
    await connection.execute(sa.update(table).where(column == source).values({column.name: target}))


def _unique_with(column: Column) -> Iterator[list[Column]]:
    """The sets of columns of which the table holds each combination once, and of which this one is a part."""
    table = column.table
    assert isinstance(table, sa.Table)
    constraints = [
        each for each in table.constraints if isinstance(each, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
    ]
    indexes = [index for index in table.indexes if index.unique]
    for each in (*constraints, *indexes):
        if column.name in each.columns:
            yield list(each.columns)


async def _try(connection: AsyncConnection, person_id: str, channel: str, now: datetime) -> RateLimited | None:
    """Count a try before its code is looked at, so that many at once are counted too."""
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    first = upsert(link_tries).values(person_id=person_id, channel=channel, tries=1, since=now)
    begins = link_tries.c.since <= sa.literal(now - WINDOW, UtcDateTime)
    counted = first.on_conflict_do_update(
        index_elements=["person_id", "channel"],
        set_={
            "tries": sa.case((begins, 1), else_=link_tries.c.tries + 1),
            "since": sa.case((begins, sa.literal(now, UtcDateTime)), else_=link_tries.c.since),
        },
    ).returning(link_tries.c.tries, link_tries.c.since)
    tries, since = (await connection.execute(counted)).one()
    if tries <= TRIES:
        return None
    wait = max(1.0, (since + WINDOW - now).total_seconds())
    return RateLimited("Too many codes were wrong", where="code", retry_after=wait)


async def _leave_chat(connection: AsyncConnection, person_id: str, channel: str, subject: str) -> None:
    """Their private chat there begins a new conversation: the old one is no longer at that place."""
    place = conversations.c.place
    there = sa.or_(place == subject, place.startswith(f"{subject}/", autoescape=True))
    own = (conversations.c.person_id == person_id, conversations.c.channel == channel, there)
    await connection.execute(conversations.update().where(*own).values(place=None))


async def _is_visitor(connection: AsyncConnection, person_id: str) -> bool:
    query = sa.select(people.c.id).where(
        people.c.id == person_id, people.c.role == Role.VISITOR, people.c.state == "active"
    )
    return (await connection.execute(query.with_for_update())).first() is not None


async def _has_identity(connection: AsyncConnection, person_id: str) -> bool:
    """Whether somebody vouches for them: a cookie alone would go on naming the one who was absorbed."""
    query = sa.select(identities.c.issuer).where(identities.c.person_id == person_id)
    return (await connection.execute(query)).first() is not None


def _code(secret: str) -> str:
    number = int.from_bytes(sha256(secret.encode()).digest()[:5], "big")
    return "".join(LETTERS[number >> 5 * place & 31] for place in range(LENGTH))


def _plain(code: str) -> str:
    """The code as it was made, however it was written, and if `/link` stands before it."""
    return "".join(sign for sign in code.upper() if sign in LETTERS)[-LENGTH:]
