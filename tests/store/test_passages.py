"""Documents and passages as rows, and the full-text search beside them."""

import asyncio

import numpy as np
import pytest

from frontdesk.errors import NotFound
from frontdesk.messages import Draft, Piece
from frontdesk.store.database import Database
from frontdesk.store.passages import Passages
from frontdesk.testing.clock import CountingIds, FakeClock


@pytest.fixture
def store(database: Database, clock: FakeClock, ids: CountingIds) -> Passages:
    return Passages(database, clock, ids)


def draft(source: str, *texts: str, title: str = "Guide", digest: str = "d1") -> Draft:
    pieces: list[Piece] = []
    start = 0
    for text in texts:
        pieces.append(Piece(heading="Guide › Part", text=text, start=start, end=start + len(text)))
        start += len(text) + 1
    return Draft(
        title=title,
        source=source,
        origin="upload",
        media_type="text/plain",
        digest=digest,
        size=start,
        text="\n".join(texts),
        pieces=tuple(pieces),
    )


def vector(*values: float) -> bytes:
    return np.array(values, dtype="<f4").tobytes()


async def found(store: Passages, *words: str) -> list[str]:
    hits = await store.match(dict.fromkeys(words, 1.0), 10)
    passages = await store.passages([seq for seq, _ in hits])
    return [passages[seq].text for seq, _ in hits]


async def test_a_document_is_found_by_the_words_of_its_passages(store: Passages) -> None:
    await store.put(draft("a.md", "The kettle boils water.", "Invoices are paid monthly."))
    assert await found(store, "boil") == ["The kettle boils water."]
    assert await found(store, "invoices", "kettle") != []
    assert await found(store, "zeppelin") == []


async def test_more_and_rarer_words_rank_higher(store: Passages) -> None:
    await store.put(
        draft("a.md", *[f"The desk number {n} opens early." for n in range(20)], "The desk has a brass bell.")
    )
    hits = await store.match({"desk": 0.1, "bell": 3.0}, 3)
    best = (await store.passages([hits[0][0]]))[hits[0][0]]
    assert best.text == "The desk has a brass bell."
    assert hits[0][1] > hits[1][1]


@pytest.mark.parametrize("word", ['quo"te', "it's", "a*b", "NEAR", "and", "x) OR (y", "100%", "\\", "naïve", "日本"])
async def test_any_word_may_be_searched_for(store: Passages, word: str) -> None:
    await store.put(draft("a.md", "plain words"))
    assert await found(store, word) == []
    assert await store.frequencies([word], bound=9) == {word: 0}


async def test_frequencies_count_the_passages_that_hold_a_word_in_any_form(store: Passages) -> None:
    await store.put(draft("a.md", "one bell", "two bells", "no sound"))
    assert await store.frequencies(["bell", "sound", "drum"], bound=9) == {"bell": 2, "sound": 1, "drum": 0}
    assert await store.frequencies(["bell"], bound=1) == {"bell": 1}
    assert await store.frequencies([], bound=1) == {}


async def test_putting_a_source_again_replaces_its_document_and_keeps_what_did_not_change(store: Passages) -> None:
    first = await store.put(draft("a.md", "stays as it is", "goes away"))
    kept = (await store.passages([(await store.match({"stays": 1.0}, 1))[0][0]])).popitem()[1]
    second = await store.put(draft("a.md", "comes new", "stays as it is", digest="d2"))
    assert (second.id, second.passages) == (first.id, 2)
    assert await found(store, "goes") == []
    assert await found(store, "comes") == ["comes new"]
    again = await store.passage(kept.id)
    assert (again.text, again.start) == ("stays as it is", 10)
    assert await store.digests() == {"a.md": "d2"}


async def test_the_same_words_twice_are_two_passages(store: Passages) -> None:
    document = await store.put(draft("a.md", "again", "again"))
    assert document.passages == 2


async def test_a_removed_document_leaves_nothing_to_find(store: Passages) -> None:
    gone = await store.put(draft("a.md", "canary one", "canary two"))
    await store.put(draft("b.md", "stays"))
    assert await store.remove([gone.id, "doc_unknown"]) == 1
    assert await found(store, "canary") == []
    assert [document.source for document in await store.documents()] == ["b.md"]
    assert (await store.state()).passages == 1
    with pytest.raises(NotFound):
        await store.document(gone.id)


async def test_a_passage_comes_with_what_stands_around_it(store: Passages) -> None:
    await store.put(draft("a.md", "before it", "the middle", "after it"))
    hit = (await store.match({"middle": 1.0}, 1))[0][0]
    passage = (await store.passages([hit]))[hit]
    context = await store.context(passage.id, characters=6)
    assert (context.before, context.passage.text, context.after) == ("re it\n", "the middle", "\nafter")
    with pytest.raises(NotFound):
        await store.context("psg_unknown")


async def test_documents_are_listed_page_by_page_and_filtered(store: Passages) -> None:
    for name in ("a_1.md", "b.md", "c.md"):
        await store.put(draft(name, "text", title=name.upper()))
    page = await store.documents(limit=2)
    assert [document.source for document in page] == ["a_1.md", "b.md"]
    assert [document.source for document in await store.documents(limit=2, after=page[-1].id)] == ["c.md"]
    assert [document.source for document in await store.documents(query="A_1")] == ["a_1.md"]
    assert await store.documents(query="%") == []


async def test_vectors_are_given_later_and_read_back_by_document(store: Passages) -> None:
    document = await store.put(draft("a.md", "one", "two"))
    await store.adopt("test")
    waiting = await store.unembedded(10)
    assert {piece.text for _, piece in waiting} == {"one", "two"}
    before = await store.stamp()
    await store.embed("test", [(seq, vector(seq, 1)) for seq, _ in waiting])
    assert await store.stamp() > before
    assert (await store.stamps())[document.id] == await store.stamp()
    (read,) = await store.vectors([document.id])
    assert np.frombuffer(read.data, "<f4").reshape(2, 2)[:, 0].tolist() == list(read.seqs)
    assert (await store.document(document.id)).embedded == 2
    assert await store.unembedded(10) == []


async def test_another_embedder_starts_afresh_and_a_late_vector_of_the_old_one_is_dropped(store: Passages) -> None:
    document = await store.put(draft("a.md", "one"))
    await store.adopt("old")
    ((seq, _),) = await store.unembedded(1)
    await store.embed("old", [(seq, vector(1))])
    await store.adopt("old")
    assert (await store.document(document.id)).embedded == 1
    await store.adopt("new")
    assert (await store.document(document.id)).embedded == 0
    await store.embed("old", [(seq, vector(1))])
    assert await store.vectors([document.id]) == []


async def test_the_first_writers_of_all_may_come_together(store: Passages) -> None:
    puts = [store.put(draft(f"{number}.md", f"Words number {number}.")) for number in range(4)]
    await asyncio.gather(store.adopt("words"), *puts)
    assert (len(await store.documents()), await store.stamp()) == (4, 5)


async def test_nothing_is_found_in_an_empty_store(store: Passages) -> None:
    assert (await store.state(), await store.stamp()) == (await store.state(), 0)
    assert (await store.documents(), await store.match({"x": 1.0}, 5), await store.match({}, 5)) == ([], [], [])
    assert await store.passages([]) == {}
