"""Dockerfiles, and whatever a security scanner finds in a folder of rendered files."""

import json
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.render.reading.programs import call, complaints, from_lock


def read_dockerfiles(*files: Path, ignored: Collection[str] = ()) -> list[str]:
    """What hadolint says of Dockerfiles, from `info` on. `ignored` rules are left out: say why where they are named."""
    options = [part for rule in ignored for part in ("--ignore", rule)]
    ran = call(from_lock("hadolint"), "--no-color", "--failure-threshold", "info", *options, *files)
    return complaints(ran)


def read_safety(folder: Path, explained: Collection[str] = ()) -> list[str]:
    """What `trivy config` finds of high or critical severity in a folder of Dockerfiles, manifests or charts.
    `explained` are ids of findings (KSV-0014) that are accepted."""
    with TemporaryDirectory() as cache:
        ran = call(
            *(from_lock("trivy"), "config", "--quiet", "--skip-check-update", "--skip-version-check"),
            *("--disable-telemetry", "--cache-dir", cache, "--severity", "HIGH,CRITICAL", "--format", "json", folder),
        )
    if ran.returncode != 0:
        return complaints(ran)
    results = json.loads(ran.stdout).get("Results")
    if not results:
        return [f"trivy found nothing to read in {folder}"]
    return sorted(
        f"{result['Target']}: {each['ID']} ({each['Severity']}): {each['Message']}"
        for result in results
        for each in result.get("Misconfigurations", [])
        if each["ID"] not in explained
    )
