"""API keys: `fd_` and 43 random characters. Only the hash is stored; the key is shown once, when it is made."""

from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.messages import Caller, Person
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.people import people
from frontdesk.store.typed import Typed

PREFIX = "fd_"
SHOWN = 10  # characters of a key that are kept in clear, so that its owner can tell it from others
USE_NOTED_EVERY = timedelta(minutes=1)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("key_hash", sa.Text, nullable=False, unique=True),
    sa.Column("prefix", sa.Text, nullable=False),
    sa.Column("scopes", Typed[tuple[str, ...]](tuple[str, ...]), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("last_used_at", UtcDateTime),
)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner may see it. `last_used_at` is exact to a minute."""

    id: str
    person_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class Keys:
    """Making, checking and revoking API keys."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def create(
        self, person_id: str, *, name: str, scopes: tuple[str, ...], lifetime: timedelta | None = None
    ) -> tuple[ApiKey, str]:
        """A new key of the person and its secret text, which cannot be had again."""
        secret, now = PREFIX + self._ids.secret(), self._clock.now()
        key = ApiKey(
            id=self._ids.new("key"),
            person_id=person_id,
            name=name,
            prefix=secret[:SHOWN],
            scopes=scopes,
            created_at=now,
            expires_at=now + lifetime if lifetime else None,
            last_used_at=None,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(api_keys).values(key_hash=_hash(secret), **msgspec.structs.asdict(key)))

        await self._database.commit(work)
        return key, secret

    async def caller(self, secret: str) -> Caller | None:
        """Who calls with this key, or None when it is wrong, expired or revoked, or its person may not come in."""
        now = self._clock.now()
        query = (
            sa.select(api_keys, people.c.name.label("holder"), people.c.role, people.c.email)
            .join(people, people.c.id == api_keys.c.person_id)
            .where(
                api_keys.c.key_hash == _hash(secret),
                sa.or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
                people.c.state == "active",
            )
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        used: datetime | None = row["last_used_at"]
        if used is None or now - used >= USE_NOTED_EVERY:
            await self._note_use(str(row["id"]), now)
        person = msgspec.convert(
            {"id": row["person_id"], "name": row["holder"], "role": row["role"], "email": row["email"]}, Person
        )
        return Caller(person=person, credential="key", credential_id=row["id"], scopes=row["scopes"])

    async def page(self, person_id: str | None, *, after: str | None = None, limit: int = 50) -> list[ApiKey]:
        """A person's keys in order of creation; `person_id` None means everybody's, for operators alone."""
        where: list[sa.ColumnElement[bool]] = []
        if person_id is not None:
            where.append(api_keys.c.person_id == person_id)
        if after is not None:
            where.append(api_keys.c.id > after)
        query = sa.select(api_keys).where(*where).order_by(api_keys.c.id).limit(limit)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [msgspec.convert(row, ApiKey, from_attributes=True) for row in rows]

    async def get(self, key_id: str) -> ApiKey:
        """The key, or `NotFound`."""
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(api_keys).where(api_keys.c.id == key_id))).first()
        if row is None:
            raise NotFound("There is no such key", where=key_id)
        return msgspec.convert(row, ApiKey, from_attributes=True)

    async def revoke(self, key_id: str) -> None:
        """Delete the key; nothing happens when it is gone already."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(api_keys).where(api_keys.c.id == key_id))

        await self._database.commit(work)

    async def _note_use(self, key_id: str, now: datetime) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(api_keys).where(api_keys.c.id == key_id).values(last_used_at=now))

        await self._database.commit(work)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
