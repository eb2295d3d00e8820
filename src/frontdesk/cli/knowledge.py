"""`frontdesk knowledge`"""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.knowledge.evaluation import Outcome, Score
    from frontdesk.knowledge.library import Library, Watcher
    from frontdesk.knowledge.library import Progress as Step
    from frontdesk.messages import Document

EXAMPLES = """\
frontdesk knowledge add docs/ handbook.pdf https://example.com/help
frontdesk knowledge list
frontdesk knowledge remove docs/old.md
frontdesk knowledge test questions.jsonl     how well the desk would answer"""
ADDRESS = re.compile(r"https?://", re.IGNORECASE)


@click.group(cls=Group, examples=EXAMPLES)
def knowledge() -> None:
    """Add, list, remove and test what the desk knows."""


@knowledge.command(examples="frontdesk knowledge add docs/ handbook.pdf https://example.com/help")
@placed
@click.argument("what", nargs=-1, required=True, metavar="FILE|FOLDER|URL…")
@json_option
def add(place: Place, what: tuple[str, ...], as_json: bool) -> None:
    """Let the desk know files, folders and pages. What it knows already and did not change costs nothing."""

    async def work(library: "Library") -> None:
        await library.open_embedder()
        added: list[Document] = []
        with _progress(quiet=as_json) as watcher:
            for each in what:
                if ADDRESS.match(each):
                    added.append(await library.add_url(each))
                else:
                    added += await library.add_path(Path(each), watcher=watcher)
            await library.embed_pending(watcher=watcher)
        for problem in library.problems:
            note(f"{problem.source}: {problem.what}. {problem.hint}".strip())
        if as_json:
            documents = [await library.document(document.id) for document in added]
            problems = [{"source": each.source, "what": each.what, "hint": each.hint} for each in library.problems]
            print_json({"documents": documents, "problems": problems})
            return
        passages = sum(document.passages for document in added)
        if library.notice:
            note(library.notice)
        read = f"{_counted(len(added), 'document')}, {_counted(passages, 'passage')}"
        note(f'{read}. Next: frontdesk chat "…"')

    _with_library(place, work)


@knowledge.command("list", examples="frontdesk knowledge list holidays --json")
@placed
@click.argument("words", default="")
@json_option
def list_documents(place: Place, words: str, as_json: bool) -> None:
    """List the documents, or those whose title or source holds WORDS."""

    async def work(library: "Library") -> None:
        documents = await library.documents(query=words)
        if as_json:
            print_json(documents)
            return
        rows = [
            (document.id, document.passages, document.updated_at, document.title, document.source)
            for document in documents
        ]
        print_table(rows, ("id", "passages", "updated", "title", "source"))
        if not documents:
            note("Nothing is known yet. Next: frontdesk knowledge add FOLDER")

    _with_library(place, work)


@knowledge.command(examples="frontdesk knowledge remove doc_0193…\nfrontdesk knowledge remove https://example.com/help")
@placed
@click.argument("which", nargs=-1, required=True, metavar="ID|SOURCE…")
def remove(place: Place, which: tuple[str, ...]) -> None:
    """Forget documents, named by their id or source, with all that was made of them."""
    from frontdesk.errors import NotFound

    named = {each: {each, str(Path(each).absolute())} for each in which}

    async def work(library: "Library") -> None:
        documents = await library.documents()
        for each, names in named.items():
            found = next((one for one in documents if one.id == each or one.source in names), None)
            if found is None:
                raise NotFound("There is no such document", where=each, hint="frontdesk knowledge list")
            await library.remove(found.id)
            note(f"{found.title} is forgotten.")

    _with_library(place, work)


@knowledge.command("test", examples="frontdesk knowledge test questions.jsonl --json")
@placed
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="QUESTIONS.jsonl")
@click.option("-k", "--top", default=5, type=click.IntRange(1, 50), help="How many passages count. Default: 5.")
@click.option("--failures", is_flag=True, help="Show each question that went wrong.")
@json_option
def test(place: Place, file: Path, top: int, failures: bool, as_json: bool) -> None:
    """Measure how well questions are answered.

    A line of the file is {"question": …, "answers": [a source, a heading or words of the answer]} or
    {"question": …, "no_answer": true}.
    """
    from frontdesk.conversation.options import ConversationOptions
    from frontdesk.knowledge.evaluation import ask, questions, score

    asked = questions(file.read_text(encoding="utf-8"), where=str(file))
    threshold = place.load().section(ConversationOptions).quote_confidence

    async def work(library: "Library") -> None:
        from frontdesk.knowledge.library import Progress

        await library.open_embedder()
        outcomes: list[Outcome] = []
        with _progress(quiet=as_json) as watcher:
            await library.embed_pending(watcher=watcher)
            async for one in ask(library, asked, k=top):
                outcomes.append(one)
                watcher(Progress(act="asking", done=len(outcomes), total=len(asked)))
        _tell(score(outcomes, k=top, threshold=threshold), as_json)
        for one in outcomes if failures else ():
            refused = one.confidence < threshold
            if refused != one.asked.no_answer or (one.rank is None and not one.asked.no_answer):
                state = "refused" if refused else f"answered, rank {one.rank or '–'}"
                note(f"{one.confidence:.2f}  {state:<18} {one.asked.question}")

    _with_library(place, work)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _tell(score: "Score", as_json: bool) -> None:
    if as_json:
        print_json(score)
        return
    rows = [
        (f"recall@{score.k}", score.recall, "an answer is among the passages found"),
        ("MRR", score.mrr, "how far up it stands: 1 is first"),
        ("refused", score.refused, "questions without an answer that the desk says it cannot answer"),
        ("wrongly refused", score.wrongly_refused, "questions with an answer of which it says so too"),
        ("wrong answers", score.wrong, "of all questions: answered, and not from a passage that holds the answer"),
    ]
    print_table(
        [(name, "–" if value is None else f"{value:.3f}", what) for name, value, what in rows],
        (f"{score.questions} questions", "share", "meaning"),
    )


def _with_library(place: Place, work: "Callable[[Library], Awaitable[None]]") -> None:
    from frontdesk.app.rooms import library_of, secrets_of
    from frontdesk.app.store import open_store
    from frontdesk.clock import RandomIds, SystemClock

    async def opened() -> None:
        system = place.load()
        async with AsyncExitStack() as stack:
            clock = SystemClock()
            store = await open_store(system, secrets_of(system).desk, clock, RandomIds(), stack)
            await work(library_of(system, store, clock))

    asyncio.run(opened())


@contextmanager
def _progress(*, quiet: bool) -> "Generator[Watcher]":
    """Bars on a terminal's stderr, one for each act; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda progress: None  # noqa: ARG005 nobody watches
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True)) as shown:

        def watch(progress: "Step") -> None:
            if progress.act not in bars:
                bars[progress.act] = shown.add_task(progress.act)
            shown.update(bars[progress.act], completed=progress.done, total=progress.total)

        yield watch
