"""A case: what people see, and what judges whether it is so here and why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding

Judge = Callable[[Seen], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Case:
    """`name` is what findings are called, `symptom` what brings somebody here; `judge` is silent when all is well."""

    name: str
    symptom: str
    judge: Judge


def fail(case: str, cause: str, remedy: str) -> Finding:
    """Something that must be mended."""
    return Finding(check=case, result="fail", cause=cause, remedy=remedy)


def warn(case: str, cause: str, remedy: str) -> Finding:
    """Something that will become worse, or that makes other things worse."""
    return Finding(check=case, result="warn", cause=cause, remedy=remedy)


def share(value: float) -> str:
    """82 %"""
    return f"{value * 100:.3g} %"


def duration(seconds: float) -> str:
    """130 ms, or 2.4 s"""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def size(count: float) -> str:
    """1.5 GiB"""
    for unit, bytes_ in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= bytes_:
            return f"{count / bytes_:.3g} {unit}"
    return f"{count / 1024:.3g} KiB"
