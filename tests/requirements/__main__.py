"""`python -m tests.requirements [--json]`: every requirement, its tests, and how they went in this state of the tree.

Tests that were not run since the last change are run first. Exit code 1 when a requirement that is due has no test.
"""

import json
import subprocess
import sys

from tests.requirements import table


def main() -> int:
    """Print the table to stdout, and what is done meanwhile to stderr."""
    tests = collected()
    missing_runs = sorted(name for name, test in tests.items() if test.outcome is None)
    if missing_runs:
        print(f"{len(missing_runs)} tests have no recorded run of this tree: running them.", file=sys.stderr)
        run(["-q", "-n", "2", *missing_runs])
        tests = collected()
    rows = [row(requirement, tests) for requirement in table.requirements()]
    if "--json" in sys.argv[1:]:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_table(rows, {name: test.seed for name, test in tests.items()})
    untested = [str(entry["id"]) for entry in rows if entry["due"] == "now" and not entry["tests"]]
    if untested:
        print(f"Due now and without a test: {', '.join(untested)}", file=sys.stderr)
    return 1 if untested else 0


def collected() -> dict[str, table.Test]:
    """Every test that proves something, as pytest finds them, with the outcome on record."""
    found = run(["--collect-only", "-q", "-n", "0"], quiet=True)
    if found.returncode not in (0, 5):
        sys.exit(f"pytest cannot collect the tests:\n{found.stdout}")
    return {name: test for name, test in table.read_record().tests.items() if test.proves}


def run(arguments: list[str], *, quiet: bool = False) -> "subprocess.CompletedProcess[str]":
    """Run pytest; its words go to stderr, or nowhere."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    if quiet:
        return subprocess.run(command, cwd=table.ROOT, capture_output=True, text=True, check=False)
    return subprocess.run(command, cwd=table.ROOT, stdout=sys.stderr, text=True, check=False)


def row(requirement: table.Requirement, tests: dict[str, table.Test]) -> dict[str, object]:
    """What is known of one requirement. It has passed when all of its tests have."""
    linked = {name: test for name, test in tests.items() if requirement.id in test.proves}
    outcomes = {test.outcome for test in linked.values()}
    status = "failed" if "failed" in outcomes else "passed" if outcomes == {"passed"} else "missing"
    return {
        "id": requirement.id,
        "system": requirement.system,
        "text": requirement.text,
        "tests": sorted(linked),
        "status": status,
        "due": requirement.due,
        "why": requirement.why,
    }


def print_table(rows: list[dict[str, object]], seeds: dict[str, int | None]) -> None:
    """Each requirement with its tests, and the seed with which `pytest --seed` replays a test's random choices."""
    for entry in rows:
        state = "later" if entry["due"] == "later" and not entry["tests"] else entry["status"]
        print(f"{entry['id']!s:<13} {state!s:<8} {entry['text']}")
        if state == "later":
            print(f"{'':22} ({entry['why']})")
        for name in entry["tests"] if isinstance(entry["tests"], list) else []:
            print(f"{'':22} {name} (seed {seeds[name]})")
    counts = {status: sum(entry["status"] == status for entry in rows) for status in ("passed", "failed", "missing")}
    print(", ".join(f"{count} {status}" for status, count in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
