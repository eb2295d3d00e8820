"""How well the desk learns, and how sure it may be of it: each part is a module `learning_<part>`."""

import importlib

from benchmarks.figures import Figure

PARTS = ("off_policy", "learning", "calibration", "rollback", "bias")


def run(quick: bool, only: str | None = None) -> list[Figure]:
    """The figures of one part, or of all."""
    parts = PARTS if only is None else (only,)
    return [figure for part in parts for figure in importlib.import_module(f"benchmarks.learning_{part}").run(quick)]
