"""The requirements, from `table.yaml`, and the record of test runs."""

import hashlib
import os
from pathlib import Path
from typing import Literal

import msgspec
import yaml

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "frontdesk"
RECORD = ROOT / "build" / "test-results.json"


class Requirement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One requirement. What is due `later` says `why`."""

    id: str
    text: str
    system: str
    due: Literal["now", "later"] = "now"
    why: str = ""


class _Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    system: str
    requirements: dict[int, str | dict[str, str]]


def requirements() -> list[Requirement]:
    """All of them, in the order of the file."""
    groups = msgspec.convert(
        yaml.safe_load(Path(__file__).with_name("table.yaml").read_text(encoding="utf-8")), dict[str, _Group]
    )
    return [
        msgspec.convert(
            {"id": f"{prefix}-{number}", "system": group.system}
            | ({"text": entry} if isinstance(entry, str) else {"due": "later"} | entry),
            Requirement,
        )
        for prefix, group in groups.items()
        for number, entry in group.requirements.items()
    ]


class Test(msgspec.Struct, kw_only=True):
    """A test function (all its parameters together) and how it went; `None` when it was not run."""

    __test__ = False

    proves: list[str]
    outcome: Literal["passed", "failed", "skipped"] | None = None
    seed: int | None = None


class Record(msgspec.Struct, kw_only=True):
    """What is known of the tests of one state of the tree."""

    tree: str
    tests: dict[str, Test] = msgspec.field(default_factory=dict[str, Test])


def read_record() -> Record:
    """The record of this very state of the tree; empty when there is none."""
    tree = fingerprint()
    if RECORD.exists():
        record = msgspec.json.decode(RECORD.read_bytes(), type=Record)
        if record.tree == tree:
            return record
    return Record(tree=tree)


def write_record(record: Record) -> None:
    """Replace the record at once, so that a reader never meets half of it."""
    RECORD.parent.mkdir(exist_ok=True)
    partial = RECORD.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
    partial.replace(RECORD)


def fingerprint() -> str:
    """A digest of all that decides how tests go: sources, pages, locks, documentation and tests."""
    digest = hashlib.sha256()
    for name in ("src", "ui", "tests", "docs", "examples", "benchmarks", "requirements"):
        for folder, inner, files in os.walk(ROOT / name):
            built = {"__pycache__", "node_modules"} | ({"pages"} if Path(folder) == PACKAGE else set())
            inner[:] = sorted(set(inner) - built)
            for file in sorted(files):
                digest.update(f"{folder}/{file}\0".encode() + (Path(folder) / file).read_bytes())
    digest.update((ROOT / "pyproject.toml").read_bytes() + (ROOT / "README.md").read_bytes())
    return digest.hexdigest()
