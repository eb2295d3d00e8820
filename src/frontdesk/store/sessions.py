"""Sessions and their refresh tokens. A token is good for one rotation; one that comes back ends its session."""

from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotSignedIn
from frontdesk.messages import Person
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.people import people

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

refresh_tokens = sa.Table(
    "refresh_tokens",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("session_id", sa.Text, sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
)


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A session with the refresh token that continues it, which is shown this once."""

    id: str
    person_id: str
    expires_at: datetime
    refresh_token: str


class Sessions:
    """Opening, continuing and ending sessions. An ended session is a deleted row."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def open(self, person_id: str, *, lifetime: timedelta) -> Opened:
        """A new session, which ends after `lifetime` however often it is continued."""
        now, token = self._clock.now(), self._ids.secret()
        opened = Opened(id=self._ids.new("ses"), person_id=person_id, expires_at=now + lifetime, refresh_token=token)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(sessions).where(sessions.c.expires_at < now))
            await connection.execute(
                sa.insert(sessions).values(
                    id=opened.id, person_id=person_id, created_at=now, expires_at=opened.expires_at
                )
            )
            await _add_token(connection, opened.id, token, now)

        await self._database.commit(work)
        return opened

    async def rotate(self, token: str) -> Opened:
        """Trade a refresh token for the next one.

        Raises `NotSignedIn` for a token that is unknown, ended, expired or was traded before; the last of these means
        that two hold it, so the whole session ends.
        """
        now, fresh = self._clock.now(), self._ids.secret()

        async def work(connection: AsyncConnection) -> Opened | str | None:
            query = (
                sa.select(sessions, refresh_tokens.c.used_at)
                .join(refresh_tokens, refresh_tokens.c.session_id == sessions.c.id)
                .where(refresh_tokens.c.token_hash == _hash(token), sessions.c.expires_at > now)
                .with_for_update()
            )
            row = (await connection.execute(query)).mappings().first()
            if row is None:
                return None
            session_id = str(row["id"])
            if row["used_at"] is not None:
                await connection.execute(sa.delete(sessions).where(sessions.c.id == session_id))
                return session_id
            await connection.execute(
                sa.update(refresh_tokens).where(refresh_tokens.c.token_hash == _hash(token)).values(used_at=now)
            )
            await _add_token(connection, session_id, fresh, now)
            return Opened(
                id=session_id, person_id=str(row["person_id"]), expires_at=row["expires_at"], refresh_token=fresh
            )

        outcome = await self._database.commit(work)
        if isinstance(outcome, Opened):
            return outcome
        raise TokenReused(outcome) if outcome else NotSignedIn("This session has ended", hint="Sign in again.")

    async def holder(self, session_id: str) -> Person | None:
        """Whose session this is, or None when it has ended or its person may no longer come in."""
        query = (
            sa.select(people.c.id, people.c.name, people.c.role, people.c.email)
            .join(sessions, sessions.c.person_id == people.c.id)
            .where(sessions.c.id == session_id, sessions.c.expires_at > self._clock.now(), people.c.state == "active")
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return msgspec.convert(row, Person, from_attributes=True) if row is not None else None

    async def end(self, session_id: str) -> None:
        """End one session."""
        await self._delete(sessions.c.id == session_id)

    async def end_all(self, person_id: str, *, but: str | None = None) -> None:
        """End all sessions of a person, or all but one."""
        await self._delete(sessions.c.person_id == person_id, sessions.c.id != (but or ""))

    async def _delete(self, *where: sa.ColumnElement[bool]) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.delete(sessions).where(*where))

        await self._database.commit(work)


class TokenReused(NotSignedIn):
    """A refresh token came a second time; its session has been ended."""

    def __init__(self, session_id: str) -> None:
        super().__init__("This session was continued from two places and has been ended", hint="Sign in again.")
        self.session_id = session_id


async def _add_token(connection: AsyncConnection, session_id: str, token: str, now: datetime) -> None:
    await connection.execute(
        sa.insert(refresh_tokens).values(token_hash=_hash(token), session_id=session_id, created_at=now)
    )


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
