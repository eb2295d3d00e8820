"""The PostgreSQL that a desk runs for itself on one machine (`frontdesk up --processes`), for backups and restores."""

import shutil
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from frontdesk.errors import StoreUnavailable
from frontdesk.operate.ports import free_port
from frontdesk.operate.scaled import Postgres, folder_of

PATIENCE = 60.0  # seconds for the server to start, or to end


def has_own(home: Path) -> bool:
    """Whether a desk in this home has run one."""
    return (_folder(home) / "data" / "PG_VERSION").exists()


def running(home: Path, password: str) -> str | None:
    """The address of the one that runs now."""
    try:
        lines = (_folder(home) / "data" / "postmaster.pid").read_text().splitlines()
        server = Postgres(folder=_folder(home), port=int(lines[3]), password=password)
    except (OSError, ValueError, IndexError):  # it does not run, or is just about to
        return None
    return server.url if server.answers() else None


@contextmanager
def run(home: Path, password: str) -> Generator[str]:
    """Its address while it runs: as long as the block where it did not run before; made where there is none, and gone
    again when the block fails.

    Raises `MissingExtra`, `BadSetting`, or `StoreUnavailable` when it does not start.
    """
    if (found := running(home, password)) is not None:
        yield found
        return
    server, fresh = Postgres(folder=_folder(home), port=free_port(), password=password), not has_own(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    server.prepare()
    with (server.folder / "log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 — our own words
            server.command, stdout=log, stderr=log, user=server.user, cwd=server.folder, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not server.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StoreUnavailable("PostgreSQL did not start", where=str(server.folder / "log"))
            time.sleep(0.05)
        yield server.url
    except BaseException:
        _end(process)
        if fresh:  # nobody has asked for an empty one
            shutil.rmtree(server.folder)
            with suppress(OSError):  # they hold something else
                server.folder.parent.rmdir()
                home.rmdir()
        raise
    _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a server soon and well."""
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE)


def _folder(home: Path) -> Path:
    return folder_of(home) / "postgres"
