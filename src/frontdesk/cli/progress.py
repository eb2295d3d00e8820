"""One line of progress on stderr, which stays in its place on a terminal."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import click

from frontdesk.cli.output import note

BAR = 30  # columns
PLAIN_SHARE = 0.1  # where there is no terminal, a line for each tenth, and the last


@contextmanager
def progress_line() -> Generator[Callable[[float, str], None]]:
    """Yields what is told the share that is done, from 0 to 1, and words to show with it."""
    on_terminal = sys.stderr.isatty()
    shown = -PLAIN_SHARE

    def progress(share: float, words: str) -> None:
        nonlocal shown
        if on_terminal:
            bar = ("█" * round(share * BAR)).ljust(BAR, "░")
            click.echo(f"\r\x1b[2K{bar} {share:4.0%}  {words}", err=True, nl=False)
        elif share - shown >= PLAIN_SHARE or share >= 1 > shown:
            shown = share
            note(f"{share:4.0%}  {words}")

    try:
        yield progress
    finally:
        if on_terminal:
            click.echo("\r\x1b[2K", err=True, nl=False)
