"""What a checklist is held against: the description, this machine's settings and stores, and a running desk."""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from frontdesk.errors import FrontdeskError, StoreUnavailable
from frontdesk.operate.diagnosis.figures import Figures
from frontdesk.operate.diagnosis.seen import NOTHING, ClusterSeen
from frontdesk.operate.probe.known import stores
from frontdesk.operate.probe.run import Result, probe
from frontdesk.store.database import Database
from frontdesk.store.migrations import known, revision
from frontdesk.system.layout.plan import Plan
from frontdesk.system.options import TelemetryOptions
from frontdesk.system.system import System

PATIENCE = 5.0  # seconds for each look
FOREIGN = "https://elsewhere.example"  # an origin that no desk lists
HOSTILE = "' OR '1'='1' --"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskSeen:
    """A running desk. Statuses are 0 where nothing came back; `headers` are those of its first page, names in small
    letters; `foreign`, `malformed` and `hostile` are statuses of calls that must be refused, and not break anything."""

    address: str
    health: int = 0
    ready: int = 0
    away: Sequence[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    foreign: int = 0
    malformed: int = 0
    hostile: int = 0
    figures: Figures = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """A public host: whether its name leads somewhere, and for how many days its certificate is good (None: it has none
    that is trusted; `fault` says why)."""

    host: str
    resolves: bool = False
    days: float | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything.

    `problems` keep the desk from starting; `tables`: whether those of the database, and so their indexes, are of this
    version, None where it did not tell.
    """

    system: System
    problems: Sequence[FrontdeskError] = ()
    stores: Sequence[Result] = ()
    tables: bool | None = None
    desk: DeskSeen | None = None
    hosts: Sequence[HostSeen] = ()
    cluster: ClusterSeen | None = None
    now: float = field(default_factory=time.time)

    @property
    def plan(self) -> Plan:
        """What follows from the description."""
        return Plan(self.system)

    def store(self, name: str) -> Result | None:
        """What was found of the database or Redis."""
        return next((each for each in self.stores if each.name == name), None)


async def look(
    system: System, problems: Sequence[FrontdeskError], *, address: str = "", cluster: ClusterSeen | None = None
) -> Sight:
    """Look at everything at once. Raises nothing for what is away."""
    hosts = [public.host for public in Plan(system).edge.hosts]
    found, tables, desk, public = await asyncio.gather(
        asyncio.to_thread(probe, list(stores(system)), seconds=PATIENCE),
        _tables(system),
        _desk(system, address),
        asyncio.gather(*(asyncio.to_thread(host_seen, host) for host in hosts)),
    )
    return Sight(
        system=system, problems=problems, stores=found, tables=tables, desk=desk, hosts=public, cluster=cluster
    )


async def _tables(system: System) -> bool | None:
    url = system.database_url
    if url.startswith("sqlite") and not await asyncio.to_thread(Path(url.removeprefix("sqlite:///")).exists):
        return None  # opening it would make it
    try:
        async with asyncio.timeout(PATIENCE):
            database = await Database.open(system.database_url, pool_size=1, max_overflow=1, lock_wait=PATIENCE)
            try:
                return await revision(database) in await asyncio.to_thread(known)
            finally:
                await database.close()
    except (StoreUnavailable, OSError):
        return None


async def _desk(system: System, address: str) -> DeskSeen | None:
    if not address:
        return None
    address = address.rstrip("/")
    async with httpx2.AsyncClient(base_url=address, timeout=PATIENCE, trust_env=False) as client:
        health, ready, page, foreign, malformed, hostile = await asyncio.gather(
            _asked(client, "GET", "/health"),
            _asked(client, "GET", "/ready"),
            _asked(client, "GET", "/"),
            _asked(client, "GET", "/api/v1/me", headers={"Origin": FOREIGN}),
            _asked(client, "POST", "/api/v1/chat", headers={"X-Frontdesk": "1"}, content=b'{"text": '),
            _asked(client, "GET", "/api/v1/me", headers={"Authorization": f"Bearer {HOSTILE}"}),
        )
        return DeskSeen(
            address=address,
            health=_status(health),
            ready=_status(ready),
            away=_away(ready),
            headers={name.lower(): value for name, value in page.headers.items()} if page else {},
            foreign=_status(foreign),
            malformed=_status(malformed),
            hostile=_status(hostile),
            figures=await figures_of(client, system, address),
        )


async def figures_of(client: httpx2.AsyncClient, system: System, address: str) -> Figures:
    """The desk's figures: from its own port for them, or from `/metrics`."""
    port = system.section(TelemetryOptions).metrics_port
    scheme, _, place = address.partition("://")
    host = place.partition("/")[0].rpartition(":")[0] or place
    for url in (f"{scheme}://{host}:{port}/metrics" if port else "", f"{address}/metrics"):
        answer = await _asked(client, "GET", url) if url else None
        if answer is not None and answer.status_code == 200:
            try:
                return Figures.of(answer.text)
            except ValueError:
                continue
    return NOTHING


async def _asked(
    client: httpx2.AsyncClient,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx2.Response | None:
    try:
        return await client.request(method, path, headers=headers, content=content)
    except httpx2.HTTPError:
        return None


def _status(answer: httpx2.Response | None) -> int:
    return answer.status_code if answer else 0


def _away(answer: httpx2.Response | None) -> Sequence[str]:
    try:
        checks: dict[str, str] = answer.json()["checks"] if answer else {}
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(f"{name} ({state})" for name, state in checks.items() if state != "ok")


def host_seen(host: str, port: int = 443) -> HostSeen:
    """The name and the certificate of a public host."""
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return HostSeen(host=host, fault="its name leads to no address")
    try:
        with (
            socket.create_connection((host, port), timeout=PATIENCE) as line,
            ssl.create_default_context().wrap_socket(line, server_hostname=host) as secured,
        ):
            until = str((secured.getpeercert() or {}).get("notAfter", ""))
    except ssl.SSLCertVerificationError as error:
        return HostSeen(host=host, resolves=True, fault=error.verify_message)
    except OSError as error:
        return HostSeen(host=host, resolves=True, fault=f"it does not answer: {type(error).__name__}")
    return HostSeen(host=host, resolves=True, days=(ssl.cert_time_to_seconds(until) - time.time()) / 86_400)
