"""Files of many things: a line each, or one JSON document with a list of them; taken in by batches, with a bar."""

import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import click
import msgspec

from frontdesk.cli.output import note, print_json
from frontdesk.errors import FrontdeskError, Unprocessable

FILE = click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True)
SHOWN = 10  # problems that are told; the others are counted


class Taken(msgspec.Struct, frozen=True):
    """What became of one thing, and why it was refused."""

    state: Literal["accepted", "known", "refused"]
    problem: FrontdeskError | None = None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all of them; `problems` are the first `SHOWN`, each with its number in the file."""

    accepted: int
    known: int
    refused: int
    problems: list[str]


Take = Callable[[Sequence[bytes]], Awaitable[Sequence[Taken]]]


async def import_file(path: Path, key: str, take: Take, *, size: int, quiet: bool) -> Tally:
    """Hand the things in a file to `take`, `size` at a time. A document may have its list under `key`.

    Raises `Unprocessable` where the file as a whole cannot be read.
    """
    states: Counter[str] = Counter()
    problems: list[str] = []
    with _opened(path) as stream, _bar(path, quiet=quiet) as advance:
        things = _things(path, stream, key)
        while batch := list(islice(things, size)):
            for number, taken in enumerate(await take(batch), states.total() + 1):
                states[taken.state] += 1
                if taken.problem is not None and len(problems) < SHOWN:
                    problems.append(f"{number}: {taken.problem}")
            advance(sum(len(each) + 1 for each in batch))
    return Tally(accepted=states["accepted"], known=states["known"], refused=states["refused"], problems=problems)


def tell(tally: Tally, what: str, *, as_json: bool) -> None:
    """Print it, and end with exit code 1 where something was refused."""
    if as_json:
        print_json(tally)
    else:
        note(f"{tally.accepted} {what} are new, {tally.known} were known, {tally.refused} are refused.")
        for problem in tally.problems:
            note(f"  {problem}")
    if tally.refused:
        raise click.exceptions.Exit(1)


def _things(path: Path, stream: BinaryIO, key: str) -> Iterator[bytes]:
    if path.suffix != ".json":
        return (stripped for line in stream if (stripped := line.strip()))
    try:
        text = stream.read().strip()
        listed = _list.decode(text) if text.startswith(b"[") else _list.decode(_document.decode(text)[key])
    except (msgspec.DecodeError, KeyError) as error:
        hint = (
            f"Write a list, or an object with a list under `{key}`; a line each goes into a file that ends in .jsonl."
        )
        raise Unprocessable("The file is no JSON list", where=str(path), hint=hint) from error
    return (bytes(each) for each in listed)


_list = msgspec.json.Decoder(list[msgspec.Raw])
_document = msgspec.json.Decoder(dict[str, msgspec.Raw])


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


@contextmanager
def _bar(path: Path, *, quiet: bool) -> Generator[Callable[[int], None]]:
    """A bar over the file's bytes on a terminal's stderr; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(path.name, total=None if str(path) == "-" else path.stat().st_size)
        yield lambda size: shown.advance(task, size)
