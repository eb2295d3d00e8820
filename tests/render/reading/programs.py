"""Where programs and schemas are, and how a program is called."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

LOCKED = Path(sys.executable).parent
BESIDE = Path(__file__).parents[3].parent / "shared" / "schemas"


def from_lock(name: str) -> str:
    """The path of a program that a locked package brings."""
    return str(LOCKED / name)


def from_debian(name: str, package: str) -> str:
    """The path of a program that only a Debian package brings; without it the test is skipped."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name}: apt-get install --yes {package}")
    return path


def schema_folder() -> Path | None:
    """Where custom resources' schemas are on this machine, or None."""
    folder = Path(os.environ.get("FRONTDESK_CRD_SCHEMAS") or BESIDE)
    return folder if folder.is_dir() else None


def call(
    *command: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )


def complaints(ran: subprocess.CompletedProcess[str]) -> list[str]:
    """What a program that failed said, line by line; nothing if it was content."""
    if ran.returncode == 0:
        return []
    said = [line.strip() for line in (ran.stdout + ran.stderr).splitlines()]
    return [line for line in said if line] or [f"{ran.args[0]} failed with {ran.returncode} and said nothing"]
