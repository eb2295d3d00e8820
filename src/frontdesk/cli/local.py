"""The desk's database, opened by somebody at this machine: who may read its files may do what owners may."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from frontdesk.app.rooms import secrets_of
from frontdesk.app.store import Store, open_store
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.errors import NotFound
from frontdesk.messages import Role
from frontdesk.store.audit import Act
from frontdesk.store.people import PersonRow
from frontdesk.system.system import System


@dataclass(frozen=True, slots=True)
class Local:
    """The store, without the rooms that stand on it."""

    store: Store

    async def person(self, email: str | None) -> PersonRow:
        """Whoever has this address; None: the owner, who is made when the desk has none. Raises `NotFound`."""
        return await person_of(self.store, email)

    async def note_act(self, act: str, subject: str) -> None:
        """Into the audit log: what was done here, under the credential `terminal`."""
        await self.store.audit.append(Act(act=act, credential="terminal", subject=subject, outcome=200))


async def open_local(system: System, work: Callable[[Local], Awaitable[None]]) -> None:
    """Open the store, do the work, close it."""
    async with AsyncExitStack() as stack:
        secrets = secrets_of(system)
        await work(Local(await open_store(system, secrets.desk, SystemClock(), RandomIds(), stack)))


async def person_of(store: Store, email: str | None) -> PersonRow:
    """Whoever has this address; None: the owner, who is made when the desk has none. Raises `NotFound`."""
    if email is None:
        return await store.people.owner() or await store.people.add(name="Owner", role=Role.OWNER)
    row = await store.people.by_email(email)
    if row is None:
        raise NotFound("Nobody at this desk has that address", where=email, hint="frontdesk people list")
    return row
