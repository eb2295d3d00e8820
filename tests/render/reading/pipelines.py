"""Compose files and the two kinds of CI files, as their own programs and published schemas read them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from shutil import which

from tests.render.reading.programs import call, complaints, from_lock


def read_compose(*files: Path, variables: Mapping[str, str] | None = None) -> list[str]:
    """What the Compose specification's schema says of each file, and Compose itself of all of them, laid over each
    other. `variables` are what the files interpolate."""
    said = by_schema("compose-spec", *files)
    layers = [part for file in files for part in ("--file", file)]
    known = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(variables or {})}
    ran = call(from_lock("docker-compose"), *layers, "config", "--quiet", cwd=files[0].parent, variables=known)
    warned = [line for line in ran.stderr.splitlines() if "level=warning" in line]
    return said + (complaints(ran) or warned)


def read_github(*files: Path) -> list[str]:
    """What GitHub's schema, actionlint and zizmor say of workflows. zizmor is asked offline for everything from medium
    severity: an action that no commit pins, a template that untrusted text can enter, a token with too many rights."""
    said = by_schema("github-workflows", *files)
    shellcheck = which("shellcheck") or ""
    ran = call(from_lock("actionlint"), "-no-color", "-oneline", "-pyflakes=", f"-shellcheck={shellcheck}", *files)
    said += complaints(ran)
    ran = call(
        from_lock("zizmor"), "--offline", "--no-progress", "--format", "json", "--min-severity", "medium", *files
    )
    try:
        findings = json.loads(ran.stdout)
    except json.JSONDecodeError:
        return said + complaints(ran)
    for each in findings:
        start = each["locations"][0]["concrete"]["location"]["start_point"]
        said.append(f"zizmor: {each['ident']}, line {start['row'] + 1}: {each['desc']}")
    return said


def read_gitlab(*files: Path) -> list[str]:
    """What GitLab's schema says of pipelines."""
    return by_schema("gitlab-ci", *files, transform="gitlab-ci")


def by_schema(schema: str, *files: Path, transform: str = "") -> list[str]:
    """What a published schema that check-jsonschema carries says of files: `compose-spec`, `dependabot` …"""
    options = ["--data-transform", transform] if transform else []
    ran = call(
        from_lock("check-jsonschema"),
        "--output-format",
        "json",
        *options,
        "--builtin-schema",
        f"vendor.{schema}",
        *files,
    )
    if not ran.stdout.startswith("{"):
        return complaints(ran)
    report = json.loads(ran.stdout)
    said = [f"{_name(each)}: {each['path']}: {each['message']}" for each in report.get("errors", [])]
    return said + [f"{_name(each)}: {each['message']}" for each in report.get("parse_errors", [])]


def _name(each: Mapping[str, str]) -> str:
    return Path(each["filename"]).name
