"""A home of the test's own, and the command in this very process."""

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from frontdesk.cli.main import run
from frontdesk.operate.running.ending import end
from frontdesk.operate.running.state import folder_of, instances
from frontdesk.telemetry import logs

LEAN = """\
knowledge:
  own_documentation: false
  embedder:
    kind: none
models:
  order: [quote]
tools:
  discovery_urls: []
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Command:
    """Runs `frontdesk` with words, as a shell would."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> Ended:
        self._capsys.readouterr()
        code = run(list(words))
        captured = self._capsys.readouterr()
        return Ended(code, captured.out, captured.err)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desk that needs no weights and asks nobody."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "system.yaml").write_text(LEAN)
    monkeypatch.setenv("FRONTDESK_HOME", str(folder))
    return folder


@pytest.fixture
def frontdesk(capsys: pytest.CaptureFixture[str], home: Path) -> Iterator[Command]:
    yield Command(capsys)
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler).__module__ == logs.__name__:
            root.removeHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("frontdesk").setLevel(logging.NOTSET)
    structlog.reset_defaults()


@contextlib.contextmanager
def desk(home: Path, *words: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """`frontdesk up` as a process of its own; it is gone when the block ends."""
    with (home / "log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from frontdesk.cli.main import main; main()", "up", "--port", "0", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "FRONTDESK_HOME": str(home), **variables},
        )
    try:
        yield process
    finally:
        process.kill()
        for instance in instances(home):
            end(instance, folder_of(home, instance.name), print)
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def panel(process: "subprocess.Popen[str]") -> dict[str, str]:
    """What the panel says, by its headings, once the desk is open."""
    told: dict[str, str] = {}
    assert process.stdout is not None
    for line in process.stdout:
        name, _, text = line.strip().partition("  ")
        told[name] = text.strip()
        if name == "Stop":
            return told
    raise AssertionError("the desk ended before it was open")
