"""Hybrid search: full text and nearest vectors, fused by rank (Cormack, Clarke, Büttcher 2009)."""

import asyncio
import math
from collections.abc import Iterable, Mapping

from frontdesk.errors import ModelUnavailable
from frontdesk.knowledge.confidence import Evidence, coverage
from frontdesk.knowledge.matrix import Matrix, Nearest
from frontdesk.knowledge.shelf import Shelf
from frontdesk.knowledge.words import subject
from frontdesk.messages import Found, Passage
from frontdesk.ports import Embedder

K = 60  # of reciprocal rank fusion: how little the first ranks outweigh the next
CANDIDATES = 40  # from each of the two searches
MOST_WORDS = 12  # of a question that are searched for, the rarest first
MOST_HITS = 20_000  # passages that full text may have to rank; beyond, common words are left out
ENOUGH = 0.9  # share of passages that must have vectors: a nearest one among few says nothing of the rest
COMMON = 0.3  # share of passages from which on a word tells nothing


class Hybrid:
    """Searches the shelf. Without an embedder, and until passages have their vectors, by words alone."""

    def __init__(self, shelf: Shelf, embedder: Embedder | None) -> None:
        self._shelf = shelf
        self._embedder = embedder
        self._matrix = Matrix(shelf, embedder.dimensions) if embedder else None
        self._frequencies: dict[str, int] = {}
        self._stamp = -1
        self._passages = 0

    async def search(self, question: str, limit: int) -> Found:
        """The best passages, and how sure it is that they hold the answer."""
        passages, evidence = await self.look(question, limit)
        return Found(passages=tuple(passages), confidence=evidence.confidence() if passages else 0.0)

    async def look(self, question: str, limit: int) -> tuple[list[Passage], Evidence]:
        """The best passages with what speaks for them."""
        await self._follow()
        rarity = await self._rarity(subject(question))
        by_words, nearest = await asyncio.gather(
            self._shelf.match(self._affordable(rarity), CANDIDATES), self._nearest(question)
        )
        scores = fused([[seq for seq, _ in by_words], [seq for seq, _ in nearest.pairs]])
        best = sorted(scores, key=lambda seq: -scores[seq])[: max(limit, CANDIDATES // 4)]
        found = await self._shelf.passages(best)
        passages = [_scored(found[seq], scores[seq]) for seq in best if seq in found]
        share, missing = coverage(rarity, passages)
        evidence = Evidence(
            similarity=nearest.pairs[0][1] if nearest.pairs else 0.0,
            standing=(nearest.pairs[0][1] - nearest.mean) / nearest.deviation if nearest.deviation else 0.0,
            coverage=share,
            missing=missing,
            agreement=_agreement([seq for seq, _ in by_words[:5]], [seq for seq, _ in nearest.pairs[:5]]),
        )
        return passages[:limit], evidence

    async def _follow(self) -> None:
        stamp = await self._shelf.stamp()
        if stamp != self._stamp:
            state = await self._shelf.state()
            self._frequencies.clear()
            self._stamp, self._passages = state.stamp, state.passages
        if self._matrix is not None:
            await self._matrix.refresh(stamp)

    async def _rarity(self, words: Iterable[str]) -> dict[str, float]:
        """Each word's inverse document frequency, as BM25 counts it, over the greatest possible: 0 to 1."""
        wanted = list(words)
        unknown = [word for word in wanted if word not in self._frequencies]
        if unknown:
            self._frequencies |= await self._shelf.frequencies(unknown)
        top = _inverse(0, self._passages)
        return {word: _inverse(self._frequencies.get(word, 0), self._passages) / top for word in wanted}

    def _affordable(self, rarity: Mapping[str, float]) -> dict[str, float]:
        """The words to search for: rare ones, and common ones as long as there is little to rank."""
        chosen: dict[str, float] = {}
        hits = 0
        for word in sorted(rarity, key=lambda word: self._frequencies.get(word, 0)):
            count = self._frequencies.get(word, 0)
            if chosen and (hits + count > MOST_HITS or count > COMMON * self._passages):
                break
            if count:
                chosen[word] = rarity[word]
                hits += count
        return dict(list(chosen.items())[:MOST_WORDS])

    async def _nearest(self, question: str) -> Nearest:
        if self._embedder is None or self._matrix is None or len(self._matrix) < ENOUGH * max(1, self._passages):
            return Nearest()
        try:
            vector = await self._embedder.embed_query(question)
        except ModelUnavailable:
            return Nearest()  # the endpoint is away: words must do
        return await asyncio.to_thread(self._matrix.nearest, vector, CANDIDATES)


def fused(rankings: Iterable[list[int]]) -> dict[int, float]:
    """Each number's score: the sum over rankings of 1 / (K + its rank)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, seq in enumerate(ranking, 1):
            scores[seq] = scores.get(seq, 0.0) + 1 / (K + rank)
    return scores


def _agreement(one: list[int], other: list[int]) -> float:
    return len(set(one) & set(other)) / 5


def _inverse(count: int, every: int) -> float:
    return math.log(1 + (every - count + 0.5) / (count + 0.5))


def _scored(passage: Passage, score: float) -> Passage:
    return Passage(
        id=passage.id,
        document_id=passage.document_id,
        title=passage.title,
        source=passage.source,
        heading=passage.heading,
        text=passage.text,
        start=passage.start,
        end=passage.end,
        score=score,
    )
