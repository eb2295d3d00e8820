"""What is lost time when everything is lost: a backup of many messages, an empty place, and the way back.

Each step is a command of its own, from its start to its end, as an operator would run it. The desk holds what a year of
talk leaves: people, conversations, sealed messages with their marks for the search, and an audit log.
"""

import asyncio
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks.desk import FRONTDESK
from benchmarks.figures import Figure, below, seen
from benchmarks.scaled import postgres
from frontdesk.cli.local import Local, open_local
from frontdesk.store.audit import Act
from frontdesk.store.conversations import conversations, messages
from frontdesk.store.people import people
from frontdesk.store.words import key, marks_of, words
from frontdesk.system.load import load

SECONDS = 60
TALK = 10  # messages of a conversation
BATCH = 200  # conversations that are stored together
ACTS = 10_000  # of the audit log
VOCABULARY = [f"{first}{rest}" for first in "bdfghklmnprstvw" for rest in ("alo", "etun", "irka", "omen", "ulist")]
BACKUP_KEY = "0123456789abcdef" * 4


def run(quick: bool) -> list[Figure]:
    """Measure both databases."""
    count = 10_000 if quick else 100_000
    return [figure for kind in ("SQLite", "PostgreSQL") for figure in _measure(kind, count)]


def _measure(kind: str, count: int) -> list[Figure]:
    with TemporaryDirectory(prefix="frontdesk-bench-") as place, ExitStack() as stack:
        folder = Path(place)
        folder.chmod(0o755)  # where we are root, PostgreSQL runs as another user
        url = postgres(folder, stack) if kind == "PostgreSQL" else ""
        variables = {"BACKUP_KEY": BACKUP_KEY, "BACKUP_FOLDER": str(folder / "backups")}
        variables |= {"DATABASE_URL": url} if url else {}
        home = folder / "home"
        asyncio.run(open_local(load(home=home, variables=variables), lambda desk: _fill(desk, count)))
        backup, made = _timed(["backup", "create", "--home", str(home), "--json"], variables)
        began = time.perf_counter()
        shutil.rmtree(home)
        if url:
            asyncio.run(_wipe(url))
        wipe = time.perf_counter() - began
        restore, back = _timed(["restore", "latest", "--home", str(home), "--json"], variables)
    counted = made["database"]["counts"]["messages"]
    different = int(back["database"] != made["database"] or counted != count)  # counts, revision, head of the audit log
    return [
        below(f"{kind}, {count:,} messages: backup, wipe and restore", backup + wipe + restore, "s", SECONDS),
        seen("of that the backup, read again", backup, "s"),
        seen("of that the restore, proved", restore, "s"),
        seen("size of the backup", made["bytes"] / 1e6, "MB"),
        below("counts or audit heads that differ", different, "", 1),
    ]


def _timed(words: list[str], variables: dict[str, str]) -> tuple[float, dict]:  # type: ignore[type-arg]
    began = time.perf_counter()
    done = subprocess.run(
        [FRONTDESK, *words], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"], **variables}
    )
    return time.perf_counter() - began, json.loads(done.stdout)


async def _wipe(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    finally:
        await connection.close()


async def _fill(desk: Local, count: int) -> None:
    """So many messages, ten in each conversation, ten conversations to a person."""
    database, chance = desk.store.database, random.Random(19)
    for first in range(0, count // TALK, BATCH):
        await database.commit(
            lambda connection, first=first: _talks(connection, first, min(BATCH, count // TALK - first), chance)
        )
    for _ in range(ACTS // 1000):
        acts = [Act(act="conversation.read", actor=f"per_{number}", outcome=200) for number in range(1000)]
        await database.commit(lambda connection, acts=acts: desk.store.audit.append_with(connection, acts))


async def _talks(connection: AsyncConnection, first: int, count: int, chance: random.Random) -> None:
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    index = await key(connection)
    tables: dict[sa.Table, list[dict[str, object]]] = {people: [], conversations: [], messages: [], words: []}
    for number in range(first, first + count):
        at = begun + timedelta(minutes=number)
        if number % TALK == 0:
            tables[people].append(
                {"id": f"per_{number // TALK}", "name": f"Person {number}", "role": "member", "created_at": at}
            )
        owner = {"person_id": f"per_{number // TALK}"}
        tables[conversations].append(
            {"id": f"con_{number}", "channel": "web", "created_at": at, "updated_at": at, **owner}
        )
        for each, text in enumerate(_said(chance)):
            message = {"id": f"msg_{number}_{each}", "conversation_id": f"con_{number}", **owner}
            role = "assistant" if each % 2 else "person"
            tables[messages].append({**message, "role": role, "text": text, "state": "complete", "created_at": at})
            tables[words].append(
                {"conversation_id": f"con_{number}", "source": message["id"], "marks": marks_of(text, index)}
            )
    for table, rows in tables.items():
        if rows:
            await connection.execute(sa.insert(table), rows)


def _said(chance: random.Random) -> Iterator[str]:
    for _ in range(TALK):
        yield " ".join(chance.choices(VOCABULARY, k=30))
