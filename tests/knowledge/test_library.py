"""The library: documents in, answers out, nothing left of what is removed. On both databases."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from frontdesk.egress import Egress
from frontdesk.errors import (
    AddressRefused,
    MissingExtra,
    NotFound,
    StoreUnavailable,
    TooLarge,
    Unprocessable,
    UnreadableDocument,
)
from frontdesk.knowledge.library import RETRY_SECONDS, Library, Progress
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.knowledge.search import FOLLOWED
from frontdesk.messages import Document
from frontdesk.store.database import Database
from frontdesk.store.passages import Passages
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.knowledge.conftest import WordVectors

GUIDE = """# Guide

## Opening hours

The desk opens at nine and closes at five. On Sundays it is closed.

## Vehicles

You can hire an auto for the weekend at the counter.

## Invoices

Invoices are sent at the end of each month and are paid by transfer.
"""


@pytest.fixture
def shelf(database: Database, clock: FakeClock, ids: CountingIds) -> Passages:
    return Passages(database, clock, ids)


@pytest.fixture
def options() -> KnowledgeOptions:
    return KnowledgeOptions(own_documentation=False)


@pytest.fixture
async def library(
    shelf: Passages, clock: FakeClock, options: KnowledgeOptions, embedder: WordVectors
) -> AsyncGenerator[Library]:
    library = Library(shelf, Egress(), options, clock, make_embedder=lambda: embedder)
    await library.open_embedder()
    yield library
    await library.close()


def watching(folder: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors, **more: object) -> Library:
    options = KnowledgeOptions.model_validate({"own_documentation": False, "folders": [str(folder)], **more})
    return Library(shelf, Egress(), options, clock, make_embedder=lambda: embedder)


async def test_a_question_finds_the_passage_that_answers_it(library: Library) -> None:
    await library.add_upload("guide.md", "text/markdown", GUIDE.encode())
    await library.embed_pending()
    found = await library.search("When does the desk close?")
    assert found.passages[0].heading == "Opening hours"
    assert (found.passages[0].title, found.passages[0].source) == ("Guide", "upload/guide.md")
    assert found.passages[0].score >= found.passages[-1].score > 0
    assert 0 <= found.confidence <= 1


async def test_what_another_process_has_learnt_is_found_a_moment_later(
    library: Library, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    other = Library(shelf, Egress(), KnowledgeOptions(own_documentation=False), clock, make_embedder=lambda: embedder)
    assert (await library.search("When does the desk close?")).passages == ()
    await other.add_upload("guide.md", "", GUIDE.encode())
    async with asyncio.timeout(50 * FOLLOWED):
        while not (await library.search("When does the desk close?")).passages:  # noqa: ASYNC110 a stamp tells no event
            await asyncio.sleep(FOLLOWED / 10)


async def test_a_question_in_other_words_is_found_by_its_meaning(library: Library) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    assert [passage.heading for passage in (await library.search("car rental")).passages] == []
    await library.embed_pending()
    assert (await library.search("car rental")).passages[0].heading == "Vehicles"


async def test_words_find_a_document_before_it_has_its_vectors(library: Library, embedder: WordVectors) -> None:
    document = await library.add_upload("guide.md", "", GUIDE.encode())
    assert (document.passages, document.embedded, embedder.embedded) == (3, 0, [])
    assert (await library.search("invoices")).passages[0].heading == "Invoices"


async def test_what_is_not_known_is_less_sure_than_what_is(library: Library) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    known = await library.search("When are invoices sent?")
    unknown = await library.search("Which zeppelin crossed the Atlantic?")
    assert known.confidence > unknown.confidence


async def test_an_empty_library_finds_nothing_and_says_so(library: Library) -> None:
    found = await library.search("anything")
    assert (found.passages, found.confidence) == ((), 0.0)


@pytest.mark.parametrize(
    "question", ["", " ", "?", "\x00", "a" * 100_000, "the the the", "\ud800", '"; DROP TABLE passages; --']
)
async def test_any_question_is_taken(library: Library, question: str) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    found = await library.search(question)
    assert 0 <= found.confidence <= 1


async def test_ingesting_again_changes_nothing_and_embeds_nothing(library: Library, embedder: WordVectors) -> None:
    first = await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    count = len(embedder.embedded)
    again = await library.add_upload("guide.md", "", GUIDE.encode())
    assert await library.embed_pending() == 0
    assert (again.id, again.updated_at, len(embedder.embedded)) == (first.id, first.updated_at, count)
    assert len(await library.documents()) == 1


async def test_a_changed_document_embeds_only_what_changed(library: Library, embedder: WordVectors) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    kept = (await library.search("invoices")).passages[0]
    await library.add_upload("guide.md", "", GUIDE.replace("at nine", "at ten").encode())
    assert await library.embed_pending() == 1
    assert "at ten" in embedder.embedded[-1]
    assert (await library.search("invoices")).passages[0].id == kept.id
    assert "at nine" not in " ".join(passage.text for passage in (await library.search("desk opens nine")).passages)


@pytest.mark.proves("abuse-20")
async def test_a_removed_document_is_gone_from_search_index_and_memory(library: Library, shelf: Passages) -> None:
    document = await library.add_upload("secret.md", "", b"# Secret\n\nThe canary word is Zwitschermaschine.")
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    passage = (await library.search("Zwitschermaschine")).passages[0]
    await library.remove(document.id)
    found = await library.search("canary word Zwitschermaschine")
    assert all(other.document_id != document.id for other in found.passages)
    assert await shelf.frequencies(["zwitschermaschine"], bound=9) == {"zwitschermaschine": 0}
    for lookup in (library.passage, library.context):
        with pytest.raises(NotFound):
            await lookup(passage.id)
    with pytest.raises(NotFound):
        await library.remove(document.id)


@pytest.mark.proves("abuse-20")
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_no_byte_of_a_removed_document_stays_in_the_database_files(
    library: Library, database: Database, tmp_path: Path
) -> None:
    for number in range(30):
        await library.add_upload(f"{number}.md", "", (GUIDE + f"\n\nExtra words number {number}.").encode())
    document = await library.add_upload("secret.md", "", b"# Secret\n\nThe canary is ZwitscherMaschine1922.")
    await library.embed_pending()
    assert files_with(b"zwitschermaschin", tmp_path) != []
    await library.remove(document.id)
    assert files_with(b"zwitschermaschin", tmp_path) == []
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("PRAGMA integrity_check")).scalar() == "ok"


# --- folders ----------------------------------------------------------------


async def test_a_folder_is_followed_file_by_file(
    tmp_path: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    folder = tmp_path / "handbook"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "guide.md").write_text(GUIDE)
    (folder / "more" / "hours.txt").write_text("We open early.")
    (folder / ".hidden" / "x.md").write_text("hidden")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    library = watching(folder, shelf, clock, embedder)
    await library.sync()
    assert await sources(library) == ["handbook/guide.md", "handbook/more/hours.txt"]
    before = await shelf.stamp()
    await library.sync()
    assert await shelf.stamp() == before
    (folder / "more" / "hours.txt").write_text("We open late.")
    (folder / "guide.md").unlink()
    await library.sync()
    assert await sources(library) == ["handbook/more/hours.txt"]
    assert (await library.search("late")).passages[0].text == "We open late."


async def test_a_link_out_of_the_folder_is_not_followed(
    tmp_path: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (tmp_path / "outside.md").write_text("secret")
    (folder / "link.md").symlink_to(tmp_path / "outside.md")
    library = watching(folder, shelf, clock, embedder)
    await library.sync()
    assert await sources(library) == []


async def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_are_known(
    tmp_path: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "broken.docx").write_bytes(b"PK\x03\x04")
    (folder / "big.txt").write_text("x " * 2000)
    (folder / "guide.md").write_text(GUIDE)
    library = watching(folder, shelf, clock, embedder, largest_file=3000)
    await library.sync()
    assert await sources(library) == ["handbook/guide.md"]
    assert [problem.source for problem in library.problems] == ["handbook/big.txt", "handbook/broken.docx"]
    (folder / "broken.docx").unlink()
    (folder / "big.txt").write_text("small now")
    await library.sync()
    assert [problem.source for problem in library.problems] == []


async def test_a_folder_that_is_away_keeps_its_documents_and_one_no_longer_wanted_does_not(
    tmp_path: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "guide.md").write_text(GUIDE)
    library = watching(folder, shelf, clock, embedder)
    await library.sync()
    await library.add_upload("note.txt", "", b"uploaded words")
    folder.rename(tmp_path / "moved")
    await library.sync()
    assert await sources(library) == ["handbook/guide.md", "upload/note.txt"]
    other = tmp_path / "other"
    other.mkdir()
    await watching(other, shelf, clock, embedder).sync()
    assert await sources(library) == ["upload/note.txt"]


async def test_a_started_library_follows_its_folder_and_embeds_by_itself(
    tmp_path: Path, shelf: Passages, clock: FakeClock, embedder: WordVectors
) -> None:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "guide.md").write_text(GUIDE)
    library = watching(folder, shelf, clock, embedder, refresh_seconds=60)
    await library.start()
    await until(lambda documents: [document.embedded for document in documents] == [3] and clock.sleeping == 1, library)
    (folder / "new.txt").write_text("Fresh words.")
    clock.advance(61)
    await until(lambda documents: [document.embedded for document in documents] == [3, 1], library)
    await library.close()


async def test_a_path_is_added_once_with_progress(tmp_path: Path, library: Library) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.md").write_text("# A\n\nalpha")
    (tmp_path / "files" / "b.txt").write_text("beta")
    seen: list[Progress] = []
    added = await library.add_path(tmp_path / "files", watcher=seen.append)
    assert sorted(document.title for document in added) == ["A", "b"]
    assert (seen[-1].done, seen[-1].total) == (2, 2)
    assert await library.embed_pending(watcher=seen.append) == 2
    assert (seen[-1].act, seen[-1].done, seen[-1].total) == ("embedding", 2, 2)
    (single,) = await library.add_path(tmp_path / "files" / "b.txt")
    assert single.source.endswith("files/b.txt")
    with pytest.raises(NotFound):
        await library.add_path(tmp_path / "absent")


# --- bad input --------------------------------------------------------------


@pytest.mark.proves("abuse-6")
@pytest.mark.parametrize("url", ["http://127.0.0.1/", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data"])
async def test_an_inner_address_is_not_fetched(library: Library, url: str) -> None:
    with pytest.raises(AddressRefused):
        await library.add_url(url)
    assert await library.documents() == []


async def test_a_page_is_known_by_its_address(
    shelf: Passages, clock: FakeClock, embedder: WordVectors, options: KnowledgeOptions
) -> None:
    body = b"<html><head><title>Shop</title></head><body><h1>Hours</h1><p>Open at nine.</p></body></html>"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hours?day=1"
        library = Library(shelf, Egress(allow=["127.0.0.1"]), options, clock, make_embedder=lambda: embedder)
        document = await library.add_url(url)
    assert (document.title, document.source, document.media_type) == ("Hours", url, "text/html")
    assert (await library.search("nine")).passages[0].source == url


async def test_uploads_are_bounded_and_named_plainly(shelf: Passages, clock: FakeClock, embedder: WordVectors) -> None:
    options = KnowledgeOptions(own_documentation=False, largest_file=100)
    library = Library(shelf, Egress(), options, clock, make_embedder=lambda: embedder)
    with pytest.raises(TooLarge):
        await library.add_upload("big.txt", "", b"x" * 101)
    with pytest.raises(Unprocessable):
        await library.add_upload("empty.txt", "", b"")
    with pytest.raises(UnreadableDocument):
        await library.add_upload("a.png", "image/png", b"\x89PNG")
    assert (await library.add_upload("../../etc/a.txt", "", b"words")).source == "upload/a.txt"
    assert (await library.add_upload("C:\\temp\\b.txt", "", b"words")).source == "upload/b.txt"


async def test_without_an_embedder_search_goes_by_words_and_says_why(
    shelf: Passages, clock: FakeClock, options: KnowledgeOptions
) -> None:
    def missing() -> WordVectors:
        raise MissingExtra("The embedder is not installed", hint="pip install it")

    library = Library(shelf, Egress(), options, clock, make_embedder=missing)
    await library.open_embedder()
    assert library.notice == "The embedder is not installed pip install it"
    await library.add_upload("guide.md", "", GUIDE.encode())
    assert await library.embed_pending() == 0
    found = await library.search("When are invoices paid?")
    assert found.passages[0].heading == "Invoices"
    assert found.confidence > (await library.search("zeppelin flights to the moon")).confidence


async def test_while_the_embedder_is_away_words_must_do(library: Library, embedder: WordVectors) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    embedder.away = True
    assert (await library.search("invoices")).passages[0].heading == "Invoices"


async def test_a_database_that_was_away_at_the_start_gets_its_vectors_when_it_is_back(
    library: Library, shelf: Passages, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_name: str) -> None:
        raise StoreUnavailable("away")

    other = Library(shelf, Egress(), KnowledgeOptions(own_documentation=False), clock, make_embedder=WordVectors)
    await library.add_upload("guide.md", "", GUIDE.encode())
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "adopt", away)
        await other.start(watch=False)
        await until(lambda _: clock.sleeping == 1, library)
    clock.advance(RETRY_SECONDS)
    await until(lambda documents: [document.embedded for document in documents] == [3], library)
    await other.close()


async def test_another_embedder_embeds_everything_anew(
    library: Library, shelf: Passages, clock: FakeClock, options: KnowledgeOptions
) -> None:
    await library.add_upload("guide.md", "", GUIDE.encode())
    await library.embed_pending()
    other = Library(shelf, Egress(), options, clock, make_embedder=lambda: WordVectors("other"))
    await other.open_embedder()
    assert await other.embed_pending() == 3


def files_with(word: bytes, folder: Path) -> list[str]:
    return [file.name for file in folder.glob("desk.db*") if word in file.read_bytes().lower()]


async def sources(library: Library) -> list[str]:
    return sorted(document.source for document in await library.documents())


async def until(holds: Callable[[list[Document]], bool], library: Library) -> None:
    async with asyncio.timeout(30):
        documents = await library.documents()
        while not holds(documents):
            await asyncio.sleep(0.01)
            documents = await library.documents()
