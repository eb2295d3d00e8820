"""Desks to back up, and places to put their backups."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from frontdesk.clock import SystemClock
from frontdesk.operate.backup.creating import Subject, create
from frontdesk.operate.backup.databases import store_of
from frontdesk.operate.backup.manifest import Manifest
from frontdesk.operate.backup.restoring import Keys, Target
from frontdesk.operate.backup.shelves import Folder
from frontdesk.store.audit import Act, Audit
from frontdesk.store.database import Database
from frontdesk.store.keyring import key_id
from frontdesk.store.migrations import migrate
from frontdesk.store.words import key as word_key
from frontdesk.testing.keys import key_ring
from tests.servers import PostgresServer
from tests.store.everything import fill

KEY = bytes(range(32))
AUDIT_KEY = b"signs the audit log"
NAME = "desk_20260105_020000"
MOMENT = datetime(2026, 1, 5, 2, tzinfo=UTC)
SECRET = "the-secret-that-no-backup-shows"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a system file, keys, a kept secret and a file of somebody's own."""
    home = tmp_path / "home"
    (home / "secrets").mkdir(parents=True)
    (home / "pictures").mkdir()
    (home / "system.yaml").write_text("desk: {name: A desk}\n")
    (home / ".env").write_text(f"OPENAI_API_KEY={SECRET}\n")
    (home / "secret.key").write_text(SECRET)
    (home / "backup.key").write_text(KEY.hex())
    (home / "secrets" / "SMTP_PASSWORD").write_text(SECRET)
    (home / "secrets" / "BACKUP_KEY").write_text(KEY.hex())
    (home / "pictures" / "desk bell.svg").write_bytes(bytes(1000))
    (home / "backups").mkdir()
    return home


@pytest.fixture
def shelf(home: Path) -> Folder:
    """Where the backups lie."""
    return Folder(home / "backups")


async def fill_desk(url: str, people: int = 3) -> None:
    """The newest tables with a row of everything for some people, and an audit log."""
    database = await Database.open(url, ring=key_ring())
    try:
        await migrate(database)
        await database.commit(word_key)
        for number in range(people):
            await database.commit(lambda connection, name=f"person {number}": fill(connection, name))
        audit = Audit(database, SystemClock(), AUDIT_KEY)
        for number in range(people):
            await audit.append(Act(act="test.act", subject=f"number {number}"))
    finally:
        await database.close()


def subject(home: Path, url: str) -> Subject:
    """The desk in that home on that database."""
    file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None
    return Subject(
        desk="A desk",
        blueprint="assistant",
        home=home,
        file=home / "system.yaml",
        variables=("OPENAI_API_KEY",),
        store=store_of(url),
        database_file=file,
        sealed_with=key_ring().name,
        signed_with=key_id(AUDIT_KEY).decode(),
    )


def target(home: Path, url: str, *, blueprint: str | None = None) -> Target:
    """The same desk elsewhere."""
    keys = Keys(ring=key_ring(), audit=AUDIT_KEY, signer=key_id(AUDIT_KEY).decode())
    return Target(home=home, blueprint=blueprint, store=store_of(url), keys=lambda _: keys)


async def backed_up(subject: Subject, shelf: Folder, name: str = NAME) -> Manifest:
    """A backup of it."""
    return await create(subject, name, KEY, shelf, MOMENT, lambda: MOMENT)


@pytest.fixture
async def empty_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[str]:
    """A database to restore into: of the kind of the one that the test has, and without tables."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'desk.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.new_name()
    await server.run(f"CREATE DATABASE {name}")
    yield server.url(name)
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")
