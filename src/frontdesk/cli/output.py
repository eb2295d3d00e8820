"""What commands print: JSON for programs, plain tables for people."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """The option `--json`, passed as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def print_table(rows: Sequence[Sequence[object]], headings: Sequence[str]) -> None:
    """Columns as wide as they must be. The last one is cut at the terminal's edge, and no line ever wraps."""
    cells = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for number, row in enumerate((list(headings), *cells)):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        line = line if len(line) <= edge else f"{line[: edge - 1]}…"
        click.echo(click.style(line, dim=True) if number == 0 else line)


def beside(head: str, width: int, text: str) -> str:
    """`text` to the right of `head`, which takes `width` columns; on a terminal it is broken to stay there."""
    if not sys.stdout.isatty():
        return f"{head}{text}"
    room = max(shutil.get_terminal_size().columns - width, 30)
    return head + f"\n{'':{width}}".join(textwrap.wrap(text, room, break_on_hyphens=False) or [""])


def note(text: str) -> None:
    """A message for a person, on stderr."""
    click.echo(text, err=True)


def _text(cell: object) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, datetime):
        return f"{cell.astimezone():%Y-%m-%d %H:%M}"
    if isinstance(cell, (list, tuple)):
        return ", ".join(map(str, cell))  # pyright: ignore[reportUnknownArgumentType] — any list is shown by its items
    return str(cell)
