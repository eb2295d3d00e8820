"""People, the identities that other sites vouch for, and one-time sign-in links."""

from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotFound, NotSignedIn
from frontdesk.messages import Person, Role
from frontdesk.ports import Clock, Ids
from frontdesk.store import updates
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared

people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False, index=True),
    sa.Column("email", sa.Text, unique=True),
    sa.Column("password_hash", sa.Text),
    sa.Column("state", sa.Text, nullable=False, server_default="active"),
    sa.Column("absorbed_by", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("signed_in_at", UtcDateTime),
)

identities = sa.Table(
    "identities",
    metadata,
    sa.Column("issuer", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

sign_in_links = sa.Table(
    "sign_in_links",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

SHORTEST_TOKEN = 32  # characters; a shorter one was never issued, so it is refused before it is looked up


class PersonRow(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a person. The password's hash never leaves the gate.

    `state` is `active`, `blocked`, or `absorbed` by another person, who has all that was theirs (`store.links`).
    """

    id: str
    name: str
    role: Role
    email: str | None
    state: str
    created_at: datetime
    signed_in_at: datetime | None
    password_hash: str | None = None

    @property
    def person(self) -> Person:
        """What the rest of the house may know."""
        return Person(id=self.id, name=self.name, role=self.role, email=self.email)


_BY_IDENTITY = Prepared(
    sa.select(*(people.c[name] for name in PersonRow.__struct_fields__))
    .join(identities, identities.c.person_id == people.c.id)
    .where(identities.c.issuer == sa.bindparam("issuer"), identities.c.subject == sa.bindparam("subject"))
)


class People:
    """Finding, inviting, changing and erasing people."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    async def get(self, person_id: str) -> PersonRow:
        """The person, or `NotFound`."""
        return _found(await self._one(people.c.id == person_id))

    async def names(self, person_ids: Collection[str]) -> dict[str, str]:
        """The names of those of them who exist."""
        if not person_ids:
            return {}
        query = sa.select(people.c.id, people.c.name).where(people.c.id.in_(person_ids))
        async with self._database.read() as connection:
            return {row.id: row.name for row in await connection.execute(query)}

    async def by_email(self, email: str) -> PersonRow | None:
        """Whoever has this address, however its letters are cased."""
        return await self._one(people.c.email == _folded(email))

    async def by_identity(self, issuer: str, subject: str) -> PersonRow | None:
        """Whoever this issuer's subject was linked to."""
        found = await self._database.run(_BY_IDENTITY, {"issuer": issuer, "subject": subject})
        if not found:
            return None
        known: dict[str, Any] = {**found[0]}
        known["role"] = Role(known["role"])
        return PersonRow(**known)

    async def page(self, *, query: str = "", after: str | None = None, limit: int = 50) -> list[PersonRow]:
        """In order of creation, from the id `after` on; `query` keeps names and addresses that hold it. No visitors."""
        where = [people.c.role != Role.VISITOR]
        if after is not None:
            where.append(people.c.id > after)
        if query:
            where.append(
                people.c.name.icontains(query, autoescape=True) | people.c.email.icontains(query, autoescape=True)
            )
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(people).where(*where).order_by(people.c.id).limit(limit))
            return [_row(row) for row in rows]

    async def count(self) -> int:
        """How many people there are; visitors are not counted."""
        query = sa.select(sa.func.count()).select_from(people).where(people.c.role != Role.VISITOR)
        async with self._database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    async def owner(self) -> PersonRow | None:
        """The first owner, or None at a desk that nobody owns yet."""
        return await self._one(people.c.role == Role.OWNER, people.c.state == "active")

    async def add(
        self, *, name: str, role: Role, email: str | None = None, identity: tuple[str, str] | None = None
    ) -> PersonRow:
        """A new person, linked to `identity` (issuer, subject) if given. `Conflict` when the address is taken."""
        person_id, now = self._ids.new("per"), self._clock.now()
        row = PersonRow(
            id=person_id,
            name=name,
            role=role,
            email=_folded(email) if email else None,
            state="active",
            created_at=now,
            signed_in_at=None,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.insert(people).values(**msgspec.structs.asdict(row)))
            if identity is not None:
                await _link(connection, identity, person_id, now)

        try:
            await self._database.commit(work)
        except IntegrityError as error:
            raise Conflict("Somebody at this desk has this e-mail address already", where="email") from error
        return row

    async def ensure_visitor(self, person_id: str) -> None:
        """The row of a visitor who came with a signed cookie; nothing when it stands already."""
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            known = await connection.scalar(sa.select(people.c.id).where(people.c.id == person_id))
            if known is None:
                await connection.execute(
                    sa.insert(people).values(
                        id=person_id, name="Visitor", role=Role.VISITOR, state="active", created_at=now
                    )
                )

        try:
            await self._database.commit(work)
        except IntegrityError:  # another process was faster
            return

    async def link(self, person_id: str, issuer: str, subject: str) -> None:
        """Let this issuer's subject sign in as the person. `Conflict` when it is linked to somebody already."""

        async def work(connection: AsyncConnection) -> None:
            await _link(connection, (issuer, subject), person_id, self._clock.now())

        try:
            await self._database.commit(work)
        except IntegrityError as error:
            raise Conflict("This account is connected to somebody at this desk already", where="identity") from error

    async def change(
        self, person_id: str, *, name: str | None = None, role: Role | None = None, state: str | None = None
    ) -> PersonRow:
        """Set what is given. `Conflict` when it would leave the desk without an active owner."""
        values = {key: value for key, value in (("name", name), ("role", role), ("state", state)) if value is not None}

        async def work(connection: AsyncConnection) -> PersonRow:
            if (role is not None and role is not Role.OWNER) or (state is not None and state != "active"):
                await _keep_an_owner(connection, person_id)
            if values:
                await connection.execute(sa.update(people).where(people.c.id == person_id).values(**values))
            found = (await connection.execute(sa.select(people).where(people.c.id == person_id))).first()
            return _found(_row(found) if found is not None else None)

        return await self._database.commit(work)

    async def set_password_hash(self, person_id: str, password_hash: str) -> None:
        """Replace the password's hash."""
        await self._set(person_id, password_hash=password_hash)

    async def signed_in(self, person_id: str) -> None:
        """Note that the person has just signed in."""
        await self._set(person_id, signed_in_at=self._clock.now())

    async def erase(self, person_id: str) -> None:
        """Delete the person and every row that belongs to them, in one transaction; no byte of them stays.

        `Conflict` for the last active owner, `NotFound` when there is no such person.
        """

        async def work(connection: AsyncConnection) -> int:
            await _keep_an_owner(connection, person_id)
            await updates.forget(connection, person_id)
            return (await connection.execute(sa.delete(people).where(people.c.id == person_id))).rowcount

        if await self._database.commit(work) == 0:
            raise NotFound("There is no such person", where=person_id)
        await self._database.wipe()

    async def issue_link(self, person_id: str, *, lifetime: timedelta) -> str:
        """A one-time token that signs the person in. Only its hash is stored; an earlier unused one stops working."""
        token, now = self._ids.secret(), self._clock.now()

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                sa.delete(sign_in_links).where(
                    (sign_in_links.c.person_id == person_id) | (sign_in_links.c.expires_at < now)
                )
            )
            await connection.execute(
                sa.insert(sign_in_links).values(
                    token_hash=_hash(token), person_id=person_id, created_at=now, expires_at=now + lifetime
                )
            )

        await self._database.commit(work)
        return token

    async def redeem_link(self, token: str) -> PersonRow:
        """Whoever the token signs in; it works once. `NotSignedIn` for any other token."""
        refused = NotSignedIn("This sign-in link is used up, expired or wrong", hint="Ask for a new link.")
        if len(token) < SHORTEST_TOKEN:
            raise refused
        now = self._clock.now()

        async def work(connection: AsyncConnection) -> str | None:
            taken = await connection.execute(
                sa.delete(sign_in_links)
                .where(sign_in_links.c.token_hash == _hash(token), sign_in_links.c.expires_at > now)
                .returning(sign_in_links.c.person_id)
            )
            return taken.scalar_one_or_none()

        person_id = await self._database.commit(work)
        if person_id is None:
            raise refused
        return await self.get(person_id)

    async def _one(self, *where: sa.ColumnElement[bool]) -> PersonRow | None:
        async with self._database.read() as connection:
            query = sa.select(people).where(*where).order_by(people.c.id).limit(1)
            row = (await connection.execute(query)).first()
        return _row(row) if row is not None else None

    async def _set(self, person_id: str, **values: object) -> None:
        async def work(connection: AsyncConnection) -> None:
            await connection.execute(sa.update(people).where(people.c.id == person_id).values(**values))

        await self._database.commit(work)


async def _keep_an_owner(connection: AsyncConnection, person_id: str) -> None:
    """Raise `Conflict` if the person is the only active owner. The owners' rows stay locked until the commit."""
    owners = await connection.scalars(
        sa.select(people.c.id)
        .where(people.c.role == Role.OWNER, people.c.state == "active")
        .order_by(people.c.id)
        .with_for_update()
    )
    if list(owners) == [person_id]:
        raise Conflict("The last owner of a desk cannot be removed", hint="Make somebody else an owner first.")


async def _link(connection: AsyncConnection, identity: tuple[str, str], person_id: str, now: datetime) -> None:
    issuer, subject = identity
    await connection.execute(
        sa.insert(identities).values(issuer=issuer, subject=subject, person_id=person_id, created_at=now)
    )


def _found(row: PersonRow | None) -> PersonRow:
    if row is None:
        raise NotFound("There is no such person")
    return row


def _row(row: sa.Row[Any]) -> PersonRow:  # a row of `select(people)`, whose type SQLAlchemy does not spell out
    return msgspec.convert(row, PersonRow, from_attributes=True)


def _folded(email: str) -> str:
    return email.strip().casefold()


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
