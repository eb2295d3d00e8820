"""A whole desk on loopback: real store, gate, channels and rooms; only the model is scripted.

async with served_desk(tmp_path, model=[Reply(text="We open at nine.")]) as served:
    ann = await served.client()
    said = await served.ask(ann, "When do you open?")
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec
import sqlalchemy as sa

from frontdesk.app.rooms import Desk, open_desk
from frontdesk.messages import Role
from frontdesk.ports import Clock
from frontdesk.store.database import Database
from frontdesk.store.migrations import migrate
from frontdesk.system.load import load
from frontdesk.testing.serve import serve
from frontdesk.testing.upstream import OpenAIWire, Received, Reply, Upstream

FROM_A_PAGE = {"X-Frontdesk": "1"}  # what the desk's own pages send, so that no other page can act with their cookies
PATIENCE = 20.0  # seconds for anything that a test waits for
PLAIN = False  # `verify` of clients on loopback, which speak no TLS: to load authorities takes longer than a call
EVENTS = {"Accept": "text/event-stream"}

Replies = Sequence[Reply] | Callable[[Received], Reply]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A server-sent event."""

    id: int
    tag: str
    data: dict[str, object]


def settings_for(upstream: str) -> dict[str, object]:
    """Settings of a desk that knows nothing, reaches nothing, and asks the model at `upstream`."""
    model = {"name": "scripted", "wire": "openai", "model": "scripted-1", "base_url": upstream}
    return {
        "models.list": [model],
        "models.order": ["scripted"],
        "models.retry.first_wait": 0.01,
        "knowledge.own_documentation": False,
        "knowledge.embedder.kind": "none",
        "tools.discovery_urls": [],
        "gate.rate_limit_enabled": False,
    }


@dataclass(kw_only=True)
class ServedDesk:
    """A desk at work, its address, and the provider that its model asks."""

    desk: Desk
    address: str
    upstream: Upstream
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def client(self, role: Role = Role.MEMBER, name: str = "Ann", email: str | None = None) -> httpx2.AsyncClient:
        """A browser in which somebody new has signed in by their link."""
        person = await self.desk.store.people.add(name=name, role=role, email=email)
        client = await self.stranger(headers=FROM_A_PAGE)
        token = await self.desk.door.sign_in.invite(person.id)
        (await client.post("/api/v1/auth/link", json={"token": token})).raise_for_status()
        return client

    async def stranger(self, headers: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
        """A client that nobody knows."""
        client = httpx2.AsyncClient(base_url=self.address, headers=headers, timeout=PATIENCE, verify=PLAIN)
        return await self._stack.enter_async_context(client)

    async def program(self, client: httpx2.AsyncClient, *scopes: str) -> httpx2.AsyncClient:
        """A program that holds a fresh API key of whoever is signed in at `client`."""
        made = await client.post("/api/v1/keys", json={"name": "program", "scopes": scopes or ("*",)})
        return await self.stranger(headers={"Authorization": f"Bearer {made.raise_for_status().json()['key']}"})

    async def ask(self, client: httpx2.AsyncClient, text: str, **more: object) -> list[Event]:
        """Say something and read the whole stream."""
        body = {"text": text} | more
        async with asyncio.timeout(PATIENCE), client.stream("POST", "/api/v1/chat", json=body, headers=EVENTS) as sent:
            if sent.is_error:
                await sent.aread()
            sent.raise_for_status()
            return [event async for event in events(sent)]


@asynccontextmanager
async def served_desk(
    home: Path,
    *,
    model: Replies = (),
    settings: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    file: Path | None = None,
) -> AsyncGenerator[ServedDesk]:
    """A desk in the folder `home`, on a free port; as the system file `file` describes it, if one is given.

    `model` scripts what the model says; `settings` (`{"gate.visitors": True}`) go before those of `settings_for`.
    """
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(Upstream(OpenAIWire(), model))
        chosen = settings_for(upstream.url) | dict(settings or {})
        system = load(file, home=home, options=chosen, variables=variables or {})
        await _give_tables(system.database_url)
        desk = await stack.enter_async_context(open_desk(system, clock=clock))
        address = await stack.enter_async_context(serve(desk.asgi(), lifespan="on"))
        served = ServedDesk(desk=desk, address=address, upstream=upstream)
        async with served._stack:  # pyright: ignore[reportPrivateUsage] — its owner ends here
            yield served


_with_tables: list[bytes] = []  # the file of a database whose tables are up to date, once one was made


async def _give_tables(url: str) -> None:
    """Put tables where a desk would make them: its migrations take longer than all else of its start."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or _copied(Path(parsed.database)):
        return
    database = await Database.open(url)
    try:
        await migrate(database)
    finally:
        await database.close()
    _keep(Path(parsed.database))


def _copied(file: Path) -> bool:
    """Whether there is a database now."""
    if not file.exists() and _with_tables:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_with_tables[0])
    return file.exists()


def _keep(file: Path) -> None:
    _with_tables[:] = [file.read_bytes()]


async def events(response: httpx2.Response) -> AsyncGenerator[Event]:
    """The server-sent events of a response, comments left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif fields and not line:
            if "data" in fields:
                data = msgspec.json.decode(fields["data"], type=dict[str, object])
                yield Event(id=int(fields["id"]), tag=fields["event"], data=data)
            fields = {}


def text_of(said: Sequence[Event]) -> str:
    """The text that the events add up to."""
    return "".join(str(event.data["text"]) for event in said if event.tag == "text.added")
