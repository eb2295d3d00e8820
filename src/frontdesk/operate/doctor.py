"""What keeps the desk from working: each check looks at one thing as it really is, and says how to mend it.

A check returns a finding and never raises; the words of foreign errors, which may hold addresses with passwords, are
not shown.
"""

import asyncio
import os
import platform
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files as package_files
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx2
import msgspec
import sqlalchemy as sa

import frontdesk
from frontdesk import registry
from frontdesk.clock import SystemClock
from frontdesk.errors import FrontdeskError, StoreUnavailable
from frontdesk.operate.ports import address_at, holder_of
from frontdesk.operate.probe.run import probe
from frontdesk.operate.probe.target import target
from frontdesk.ports import Clock
from frontdesk.store.database import Database
from frontdesk.store.migrations import revision
from frontdesk.system.options import HttpOptions, RedisOptions
from frontdesk.system.system import System

PATIENCE = 5.0  # seconds for each check
LITTLE_SPACE = 1_000_000_000  # bytes
NO_SPACE = 100_000_000
APART = 5.0  # seconds between two clocks; the shortest leases last 15 and are renewed each 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found. `cause` is one sentence; `remedy` the mending act, empty when there is nothing to mend."""

    check: str
    result: Literal["ok", "warn", "fail"]
    cause: str
    remedy: str = ""


Check = Callable[[System], AsyncIterator[Finding]]


async def examine(system: System, checks: Sequence[Check] = ()) -> list[Finding]:
    """The findings of all checks, run side by side, in the order of the checks; `checks` are the caller's own."""
    results = await asyncio.gather(*(_all(check, system) for check in (*CHECKS, *checks)))
    return [finding for findings in results for finding in findings]


async def _all(check: Check, system: System) -> list[Finding]:
    name = check.__name__.replace("_", " ")
    findings: list[Finding] = []
    try:
        async with asyncio.timeout(PATIENCE):
            findings.extend([finding async for finding in check(system)])
    except TimeoutError:
        findings.append(Finding(check=name, result="fail", cause=f"No answer within {PATIENCE:g} seconds"))
    except FrontdeskError as error:
        findings.append(Finding(check=name, result="fail", cause=str(error), remedy=error.hint))
    except Exception as error:
        findings.append(Finding(check=name, result="fail", cause=f"The check itself broke: {type(error).__name__}"))
    return findings


# --- this machine -----------------------------------------------------------


async def python(_: System) -> AsyncIterator[Finding]:
    version = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding(check="python", result="ok", cause=f"{version}, Frontdesk {frontdesk.__version__}")


async def configuration(system: System) -> AsyncIterator[Finding]:
    for warning in system.warnings:
        yield Finding(check="configuration", result="warn", cause=str(warning), remedy=warning.hint)
    if not system.warnings:
        yield Finding(
            check="configuration", result="ok", cause=f"{system.file or 'All defaults'}, {system.environment}"
        )


async def home(system: System) -> AsyncIterator[Finding]:
    place = next(folder for folder in (system.home, *system.home.parents) if folder.exists())
    if not os.access(place, os.W_OK):
        remedy = "Let FRONTDESK_HOME name a folder that this user may write to."
        yield Finding(check="home", result="fail", cause=f"{place} cannot be written", remedy=remedy)
        return
    free = shutil.disk_usage(place).free
    result = "fail" if free < NO_SPACE else "warn" if free < LITTLE_SPACE else "ok"
    remedy = "" if result == "ok" else "Make room: a full disk stops the desk from taking messages."
    yield Finding(check="home", result=result, cause=f"{system.home}, {free / 1e9:.1f} GB free", remedy=remedy)


async def port(system: System) -> AsyncIterator[Finding]:
    http = system.section(HttpOptions)
    for number in (http.port, http.frontend_port):
        if number:
            yield await _port(number, address_at(http.host, number))


async def _port(number: int, address: str) -> Finding:
    try:
        async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
            ready = await client.get(f"{address}/ready")
    except httpx2.ConnectError:
        return Finding(check="port", result="ok", cause=f"{number} is free")
    except httpx2.HTTPError:
        ready = None
    if ready is not None and ready.headers.get("content-type") == "application/json" and b'"checks"' in ready.content:
        if ready.status_code == 200:
            return Finding(check="port", result="ok", cause=f"{number}: a desk answers there, and is ready")
        states: dict[str, str] = ready.json()["checks"]
        down = ", ".join(f"{name} ({state})" for name, state in states.items() if state != "ok")
        remedy = "See what stands there below."
        return Finding(check="port", result="fail", cause=f"{number}: a desk answers, not ready: {down}", remedy=remedy)
    holder = holder_of(number) or "another program"
    remedy = "Stop it, or choose another port with --port."
    return Finding(check="port", result="warn", cause=f"{number} is taken by {holder}", remedy=remedy)


async def pages(_: System) -> AsyncIterator[Finding]:
    if (package_files(frontdesk) / "pages" / "index.html").is_file():
        yield Finding(check="pages", result="ok", cause="Built")
        return
    yield Finding(check="pages", result="warn", cause="The pages are not built", remedy="make setup")


# --- stores -----------------------------------------------------------------


async def database(system: System) -> AsyncIterator[Finding]:
    """What it is when it answers; why it does not is one of the cases of `diagnosis`."""
    kind = "SQLite" if system.database_url.startswith("sqlite") else "PostgreSQL"
    file = Path(system.database_url.removeprefix("sqlite:///"))
    if kind == "SQLite" and not await asyncio.to_thread(file.exists):
        yield Finding(check="database", result="ok", cause="SQLite, made at the first start")
        return
    try:
        opened = await Database.open(system.database_url, pool_size=1, max_overflow=0, lock_wait=PATIENCE - 1)
    except StoreUnavailable:
        return
    try:
        tables = await revision(opened)
        yield Finding(check="database", result="ok", cause=f"{kind} answers, tables at revision {tables}")
        if not opened.is_sqlite:
            yield await clocks(opened, SystemClock())
    finally:
        await opened.close()


async def clocks(opened: Database, clock: Clock) -> Finding:
    """Whether this machine's time is PostgreSQL's.

    Processes tell leases and what is due by their own clocks: one that is ahead takes work away from those that are at
    it, and takes letters on their way for lost.
    """
    asked = clock.now()
    async with opened.read() as connection:
        told = (await connection.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
    apart = max(0.0, (asked - told).total_seconds(), (told - clock.now()).total_seconds())
    if apart < APART:
        return Finding(check="clock", result="ok", cause="This machine's clock is the database's")
    cause = f"This machine's clock is {apart:.0f} s {'ahead of' if asked > told else 'behind'} the database's"
    remedy = "Let all machines of the desk keep time by NTP (chrony, systemd-timesyncd)."
    return Finding(check="clock", result="fail", cause=cause, remedy=remedy)


async def redis(system: System) -> AsyncIterator[Finding]:
    """The same for Redis."""
    address = system.section(RedisOptions).address
    if not address:
        yield Finding(check="redis", result="ok", cause="None: each process counts limits for itself")
    elif find_spec("redis") is None:
        remedy = "pip install 'frontdesk[redis]'"
        yield Finding(check="redis", result="fail", cause="Its package is not installed", remedy=remedy)
    elif address.startswith("unix:") or (await asyncio.to_thread(probe, [target(address)]))[0].well:
        yield Finding(check="redis", result="ok", cause="PING is answered")


# --- what is plugged in -----------------------------------------------------


async def plugins(_: System) -> AsyncIterator[Finding]:
    count = 0
    for kind in ("sections", "models", "embedders", "readers", "guards"):
        for name in registry.names(kind):
            try:
                registry.load(kind, name, object)
                count += 1
            except FrontdeskError as error:
                yield Finding(check="plug-ins", result="warn", cause=str(error), remedy=error.hint)
    yield Finding(check="plug-ins", result="ok", cause=f"{count} can be used")


async def reachable(check: str, url: str, remedy: str) -> Finding:
    """Whether anything answers HTTP at `url`; for the checks of those who know such addresses."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    try:
        async with httpx2.AsyncClient(timeout=2, trust_env=False) as client:
            answer = await client.get(url)
    except httpx2.HTTPError as error:
        cause = f"{place} does not answer: {type(error).__name__}"
        return Finding(check=check, result="warn", cause=cause, remedy=remedy)
    if answer.status_code >= 500:
        return Finding(check=check, result="warn", cause=f"{place} answers {answer.status_code}", remedy=remedy)
    return Finding(check=check, result="ok", cause=f"{place} answers")


CHECKS: tuple[Check, ...] = (python, configuration, home, port, pages, database, redis, plugins)
