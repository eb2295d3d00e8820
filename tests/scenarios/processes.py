"""Real `frontdesk up` processes: started, asked, stopped, killed and paused."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import yaml

from frontdesk.testing.desk import FROM_A_PAGE, PLAIN, settings_for
from frontdesk.testing.keys import KEY

FRONTDESK = Path(sys.executable).with_name("frontdesk")
NOWHERE = "http://127.0.0.1:9"  # of a model that is never asked
START_SECONDS = 60
END_SECONDS = 60
SCRIPTED = {"models.list": [{"name": "scripted", "wire": "scripted"}]}  # answers at once, by itself
KEYS = {
    "SECRET_KEY": "s" * 40,
    "JWT_SECRET_KEY": "j" * 40,
    "ENCRYPTION_KEY": KEY,
}  # shared by processes on one database


class Process:
    """A `frontdesk up` in the folder `home`, whose system file is written from `settings`.

    Its model is the provider at `model`, or one that answers by itself.
    """

    def __init__(self, home: Path, model: str, settings: Mapping[str, object], variables: Mapping[str, str]) -> None:
        self.home = home
        self.address = ""
        self.link = ""
        self.log = home / "stderr.log"
        self.arguments: tuple[str, ...] = ()
        self._variables = {"PATH": os.environ["PATH"], "PORT": "0", **KEYS, **variables}
        self._process: asyncio.subprocess.Process | None = None
        home.mkdir(parents=True, exist_ok=True)
        chosen = settings_for(model or NOWHERE) | ({} if model else SCRIPTED) | dict(settings)
        (home / "system.yaml").write_text(yaml.safe_dump(nested(chosen)))

    async def start(self) -> None:
        """Return when it listens."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(FRONTDESK, "up", "--home", self.home, *self.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._variables,
            )
        await self._greeted()

    async def _greeted(self) -> None:
        self.address = await self._told(r"Open\s+(\S+)")
        self._variables["PORT"] = self.address.rpartition(":")[2]  # the same again after a restart
        self.link = await self._told(r"Sign in\s+(\S+)")

    async def _told(self, pattern: str) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while line := await self._process.stdout.readline():
                if found := re.search(pattern, line.decode()):
                    return found[1]
        raise AssertionError(f"The desk did not start:\n{self.log.read_text()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def pid(self) -> int:
        """Its process's number."""
        assert self._process is not None
        return self._process.pid

    async def ended(self) -> int:
        """Its exit code."""
        assert self._process is not None
        async with asyncio.timeout(END_SECONDS):
            return await self._process.wait()

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def close(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    @asynccontextmanager
    async def owner(self) -> AsyncGenerator[httpx2.AsyncClient]:
        """A browser in which the owner has signed in, by the link that the process showed."""
        token = self.link.partition("#token=")[2]
        async with httpx2.AsyncClient(
            base_url=self.address, headers=FROM_A_PAGE, timeout=START_SECONDS, verify=PLAIN
        ) as client:
            (await client.post("/api/v1/auth/link", json={"token": token})).raise_for_status()
            yield client

    async def key(self) -> str:
        """An API key of the owner."""
        async with self.owner() as owner:
            made = await owner.post("/api/v1/keys", json={"name": "test", "scopes": ["chat"]})
            return str(made.raise_for_status().json()["key"])

    def program(self, key: str, *, timeout: float = START_SECONDS) -> httpx2.AsyncClient:
        """A program that holds the key."""
        headers = {"Authorization": f"Bearer {key}"}
        return httpx2.AsyncClient(base_url=self.address, headers=headers, timeout=timeout, verify=PLAIN)


def nested(settings: Mapping[str, object]) -> dict[str, object]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`."""
    tree: dict[str, object] = {}
    for path, value in settings.items():
        *sections, name = path.split(".")
        here = tree
        for section in sections:
            here = here.setdefault(section, {})  # type: ignore[assignment]
        here[name] = value
    return tree


@asynccontextmanager
async def process(
    home: Path,
    *,
    model: str = "",
    settings: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
) -> AsyncGenerator[Process]:
    """A desk that has started."""
    desk = Process(home, model, settings or {}, variables or {})
    try:
        await desk.start()
        yield desk
    finally:
        await desk.close()
