"""The documentation is what a new desk knows: newcomers' questions find their page, and what is quoted answers them."""

import json
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest

from frontdesk.app.rooms import library_of, secrets_of
from frontdesk.app.store import open_store
from frontdesk.cli.partner import here
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.conversation.options import ConversationOptions
from frontdesk.events import Finished, TextAdded
from frontdesk.knowledge.folders import own_documentation
from frontdesk.knowledge.library import Library
from frontdesk.messages import Grounding, ModelRequest, Passage, Prompt, TextDelta, TextPart
from frontdesk.models.quote import QuoteModel
from frontdesk.system.load import load
from tests.docs.pages import DOCS, written

QUESTIONS = Path(__file__).with_name("questions.jsonl")
CONFIDENT = ConversationOptions().quote_confidence


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`page` answers it, and a quotation should hold the words `says`; without a page nothing does."""

    question: str
    page: str = ""
    says: str = ""


def questions() -> list[Question]:
    return [msgspec.json.decode(line, type=Question) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
async def library(tmp_path: Path, size: Callable[[int, int], int]) -> AsyncGenerator[Library]:
    """The documentation with its vectors. These take long: pages of which nobody asks are in the full run alone."""
    pages = tmp_path / "docs"
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("*.png"))
    asked = {pages / question.page for question in questions()}
    for page in size(1, 0) * [page for page in pages.rglob("*.md") if page not in asked]:
        page.unlink()
    options = {"knowledge.own_documentation": False, "knowledge.folders": [str(pages)]}
    system = load(home=tmp_path / "home", options=options, variables={})
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await open_store(system, secrets_of(system).desk, clock, RandomIds(), stack)
        library = library_of(system, store, clock)
        await library.open_embedder()
        await library.sync()
        await library.embed_pending()
        yield library


async def test_a_newcomers_questions_are_answered_from_the_right_page(
    library: Library, size: Callable[[int, int], int]
) -> None:
    met: list[bool] = []
    told: list[bool] = []
    refused: list[bool] = []
    for number, asked in enumerate(questions()):
        found = await library.search(asked.question)
        if not asked.page:
            refused.append(found.confidence < CONFIDENT)
            continue
        met.append(any(passage.source.endswith(asked.page) for passage in found.passages[:5]))
        if asked.says and number % size(8, 1) == 0:  # quoting takes longest
            quote = await quoted(library, asked.question, found.passages) if found.confidence >= CONFIDENT else ""
            told.append(asked.says.casefold() in quote.casefold())
    assert len(met) >= 30
    assert len(refused) >= 10
    assert share(met) >= 0.95
    assert share(told) >= 0.8
    assert share(refused) >= 0.9


async def quoted(library: Library, question: str, passages: tuple[Passage, ...]) -> str:
    """What the desk says without a strong model, on one line."""
    prompt = Prompt(role="user", parts=(TextPart(text=question),))
    events = QuoteModel("quote", library.embedder).stream(ModelRequest(messages=(prompt,), passages=passages))
    return " ".join("".join([event.text async for event in events if isinstance(event, TextDelta)]).split())


def share(results: list[bool]) -> float:
    return sum(results) / len(results)


def test_the_pages_do_not_hold_the_questions_that_measure_them() -> None:
    held = " ".join(" ".join((DOCS.parent / name).read_text(encoding="utf-8").casefold().split()) for name in written())
    assert [asked.question for asked in questions() if asked.question.casefold().rstrip("?") in held] == []


def test_every_question_names_a_page_that_exists() -> None:
    assert {asked.page for asked in questions() if asked.page and not (DOCS / asked.page).is_file()} == set()
    assert all(json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines())


def test_a_new_desk_finds_its_own_documentation() -> None:
    assert own_documentation() == DOCS


async def test_the_first_question_at_a_fresh_home_is_answered_from_the_documentation(tmp_path: Path) -> None:
    settings = {"tools.discovery_urls": [], "knowledge.embedder.kind": "none"}
    async with here(load(home=tmp_path, options=settings, variables={})) as partner:
        events = [event async for event in partner.ask("How do I add my own documents?")]
    said = "".join(event.text for event in events if isinstance(event, TextAdded))
    assert "frontdesk knowledge add" in said
    assert isinstance(events[-1], Finished)
    assert events[-1].grounding is Grounding.QUOTED
