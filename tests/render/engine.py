"""A Docker engine of the tests' own, from Debian's packages: its data, its socket and its images are gone afterwards.

No registry of images is asked: the base image is made from Debian's packages, and kept in pytest's cache. It also holds
what this machine needs to reach the package index (certificates, pip's settings), which no rendered file may know.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir

import pytest

from tests.render.reading.programs import from_lock

INSTALL = "apt-get install --yes --no-install-recommends docker.io mmdebstrap"
CLIENT = "/usr/bin/docker"  # Debian's, as old as its engine: a newer one has BuildKit only with a plug-in
PROGRAMS = ("dockerd", CLIENT, "mmdebstrap", "setpriv")
STARTS_WITHIN = 60.0
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,python3-pip,ca-certificates"
BASE = "frontdesk-tests/python"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
OF_THE_INDEX = ("index-url", "extra-index-url", "trusted-host", "timeout")  # what of pip's settings containers need

DOCKERFILE = f"""\
FROM {BASE}:bare
RUN ln -s python3 /usr/bin/python && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
COPY ca-certificates.crt {CERTIFICATES}
COPY pip.conf /etc/pip.conf
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
"""


class EngineFailed(AssertionError):
    """A command of the engine failed; the text is its own."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine. `base` is the image that a rendered Dockerfile is to be built from: Debian with Python."""

    socket: Path
    base: str = BASE

    def docker(self, *command: str | Path, within: float = 300) -> str:
        """What `docker COMMAND` writes to stdout.

        Raises:
            EngineFailed: it did not succeed.
        """
        return self._run(CLIENT, command, None, {}, within)

    def build(self, folder: Path, tag: str, *, file: str = "Dockerfile", target: str = "", **arguments: str) -> None:
        """Build a Dockerfile of the folder, with BASE and the given build arguments."""
        given = {"BASE": self.base, **_proxies(), **arguments}
        options = [part for name, value in given.items() for part in ("--build-arg", f"{name}={value}")]
        stage = ["--target", target] if target else []
        self.docker("build", "--quiet", "--tag", tag, "--file", folder / file, *stage, *options, folder, within=900)

    def compose(
        self, folder: Path, *command: str | Path, variables: Mapping[str, str] | None = None, within: float = 300
    ) -> str:
        """What `docker compose COMMAND` writes to stdout, in the folder. Build images with `build` before: this Compose
        builds with the engine's oldest builder.

        Raises:
            EngineFailed: it did not succeed; the services' last lines are in the text.
        """
        program, given = from_lock("docker-compose"), variables or {}
        try:
            return self._run(program, command, folder, given, within)
        except EngineFailed as failed:
            logs = self._run(program, ("logs", "--no-color", "--tail", "20"), folder, given, within)
            raise EngineFailed(f"{failed}\n{logs[-8000:]}") from None

    def _run(
        self,
        program: str,
        command: tuple[str | Path, ...],
        folder: Path | None,
        given: Mapping[str, str],
        within: float,
    ) -> str:
        variables = os.environ | {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_BUILDKIT": "1"} | dict(given)
        arguments = [program, *(str(part) for part in command)]
        ran = subprocess.run(arguments, cwd=folder, env=variables, capture_output=True, text=True, timeout=within)
        if ran.returncode != 0:
            raise EngineFailed(f"{' '.join(arguments)}\n{ran.stdout[-2000:]}\n{ran.stderr[-6000:]}")
        return ran.stdout


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Generator[Engine]:
    """An engine for this whole run, with the base image; the processes of a run share it. Skips where none can be."""
    _skip_where_none_can_be()
    shared = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        shared = shared.parent
    assert pytestconfig.cache
    with _shared_engine(shared / "docker", pytestconfig.cache.mkdir("base-image") / f"{SUITE}.tar") as running:
        yield running


def _skip_where_none_can_be() -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: {INSTALL}")
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of the tests' own needs root")
    if Path("/var/run/docker.sock").exists():
        pytest.skip("another Docker engine runs here, and two would change each other's firewall: stop it")


@contextmanager
def _shared_engine(folder: Path, base: Path) -> Generator[Engine]:
    """Whoever comes first starts the engine, and stops it when nobody uses it any more."""
    folder.mkdir(exist_ok=True)
    found = Engine(folder / "docker.sock")
    with (folder / "starting").open("w") as starting, (folder / "using").open("w") as using:
        fcntl.flock(starting, fcntl.LOCK_EX)
        if (folder / "ready").exists():
            fcntl.flock(using, fcntl.LOCK_SH)
            fcntl.flock(starting, fcntl.LOCK_UN)
            yield found
            return
        with _alone_on_this_machine(), _started(folder):
            _make_base(found, folder, base)
            (folder / "ready").touch()
            fcntl.flock(starting, fcntl.LOCK_UN)
            try:
                yield found
            finally:
                fcntl.flock(starting, fcntl.LOCK_EX)
                fcntl.flock(using, fcntl.LOCK_EX)
                (folder / "ready").unlink()


@contextmanager
def _alone_on_this_machine() -> Generator[None]:
    """Two engines would share a bridge and a firewall: runs of tests beside each other wait for each other."""
    with (Path(gettempdir()) / "frontdesk-tests-engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _started(folder: Path) -> Generator[None]:
    log = folder / "log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "TERM", "dockerd", "--data-root", folder / "data"),
                *(
                    "--exec-root",
                    folder / "exec",
                    "--pidfile",
                    folder / "pid",
                    "--host",
                    f"unix://{folder}/docker.sock",
                ),
            ],
            stdout=said,
            stderr=said,
            start_new_session=True,  # so that an interrupt at the terminal ends the tests first
        )
    try:
        _await(process, folder, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)
        subprocess.run(["ip", "link", "delete", "docker0"], capture_output=True, check=False)
        for part in ("data", "exec"):
            shutil.rmtree(folder / part, ignore_errors=True)


def _await(process: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < until:
        try:
            Engine(folder / "docker.sock").docker("version", within=10)
            return
        except (EngineFailed, subprocess.TimeoutExpired):
            time.sleep(0.1)  # its log is all that it tells, so there is no event to wait for
    last = log.read_text().strip().splitlines()[-1:]
    pytest.skip(f"no Docker engine starts here: {last[0] if last else 'it said nothing'}")


def _make_base(engine: Engine, folder: Path, kept: Path) -> None:
    if not kept.exists():
        made = kept.with_suffix(f".{os.getpid()}.tar")
        command = ("mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", SUITE, made)
        subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
        made.rename(kept)
    engine.docker(
        "import",
        "--change",
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        kept,
        f"{BASE}:bare",
    )
    context = folder / "base"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "pip.conf").write_text(_pip_settings())
    shutil.copyfile(os.environ.get("SSL_CERT_FILE", CERTIFICATES), context / "ca-certificates.crt")
    engine.docker("build", "--quiet", "--tag", BASE, context)


def _pip_settings() -> str:
    """pip's settings of this machine, as far as they say where packages come from and hold in a container too."""
    told = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    lines = [f"[global]\ncert = {CERTIFICATES}"]
    for line in told.stdout.splitlines():
        name, _, value = line.partition("=")
        option = name.rpartition(".")[2]
        text = " ".join(each for each in value.strip("'\"").split() if not each.startswith("file:"))
        if option in OF_THE_INDEX and text:
            lines.append(f"{option} = {text}")
    return "\n".join(lines) + "\n"


def _proxies() -> dict[str, str]:
    return {name: os.environ[name] for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if os.environ.get(name)}
