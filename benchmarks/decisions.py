"""Decisions: scoring alone, the memory of profiles, and the two routes over HTTP with everything that they do.

Each part is a module of its own, `benchmarks/decisions_<part>.py`.
"""

import importlib

from benchmarks.figures import Figure

PARTS = ("scoring", "profiles", "single", "batch")


def run(quick: bool, only: str | None = None) -> list[Figure]:
    """The figures of all parts, or of one."""
    figures: list[Figure] = []
    for part in PARTS if only is None else (only,):
        figures += importlib.import_module(f"benchmarks.decisions_{part}").run(quick)
    return figures
