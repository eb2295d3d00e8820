"""A measured figure and its bar, and how they are printed."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; `bar` says in words what it must be, and `ok` whether it is. A figure without a bar is ok."""

    what: str
    value: float
    unit: str
    bar: str = ""
    ok: bool = True


def at_least(what: str, value: float, unit: str, least: float) -> Figure:
    """A figure that must not be smaller."""
    return Figure(what, round(value, 3), unit, f"≥ {least:g}", value >= least)


def below(what: str, value: float, unit: str, bound: float) -> Figure:
    """A figure that must be smaller."""
    return Figure(what, round(value, 3), unit, f"< {bound:g}", value < bound)


def seen(what: str, value: float, unit: str) -> Figure:
    """A figure to know, without a bar."""
    return Figure(what, round(value, 3), unit)


def as_json(name: str, figures: Iterable[Figure]) -> str:
    """One JSON document."""
    return json.dumps({"name": name, "figures": [asdict(figure) for figure in figures]}, ensure_ascii=False)


def as_table(figures: list[Figure]) -> str:
    """Lines for people."""
    width = max((len(figure.what) for figure in figures), default=0)
    lines = [
        f"{figure.what:<{width}}  {figure.value:>12,.2f} {figure.unit:<8} {figure.bar:<8} {_mark(figure)}".rstrip()
        for figure in figures
    ]
    return "\n".join(lines)


def _mark(figure: Figure) -> str:
    if not figure.bar:
        return ""
    return "ok" if figure.ok else "MISSED"
