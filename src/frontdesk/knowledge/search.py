"""Hybrid search: full text and nearest vectors, fused by rank (Cormack, Clarke, Büttcher 2009).

`K` and `BY_VECTOR` were chosen on the tuning questions of `benchmarks/calibration.py`.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping

import msgspec

from frontdesk.errors import ModelUnavailable
from frontdesk.knowledge.confidence import Evidence, coverage
from frontdesk.knowledge.matrix import Matrix, Nearest
from frontdesk.knowledge.shelf import Shelf
from frontdesk.knowledge.words import subject
from frontdesk.messages import Found, Passage
from frontdesk.ports import Embedder

K = 10  # of reciprocal rank fusion: how little the first ranks outweigh the next
BY_VECTOR = 1.5  # what a rank among the nearest vectors counts, against one by words
CANDIDATES = 40  # from each of the two searches
MOST_WORDS = 12  # of a question that are searched for, the rarest first
MOST_HITS = 6_000  # passages that full text may have to rank; beyond, common words are left out
ENOUGH = 0.9  # share of passages that must have vectors: a nearest one among few says nothing of the rest
COMMON = 0.3  # share of passages from which on a word tells nothing
COUNTED = 20_000  # passages up to which a word's frequency is counted
FOLLOWED = 0.2  # seconds for which the shelf is taken for unchanged, unless this process changed it
GROWN = 0.05  # share by which the shelf may change before frequencies are counted anew


class Hybrid:
    """Searches the shelf. Without an embedder, and until passages have their vectors, by words alone."""

    def __init__(self, shelf: Shelf, embedder: Embedder | None) -> None:
        self._shelf = shelf
        self._embedder = embedder
        self._matrix = Matrix(shelf, embedder.dimensions) if embedder else None
        self._frequencies: dict[str, int] = {}
        self._counted_in = 0  # passages, when the frequencies were counted
        self._stamp = -1
        self._passages = 0
        self._look_again_at = 0.0  # on the event loop's clock
        self._changes = 0

    def changed(self) -> None:
        """This process has changed the shelf: the next search must see it."""
        self._look_again_at = 0.0
        self._changes += 1

    async def search(self, question: str, limit: int) -> Found:
        """The best passages, and how sure it is that they hold the answer."""
        passages, evidence = await self.look(question, limit)
        return Found(passages=tuple(passages), confidence=evidence.confidence() if passages else 0.0)

    async def look(self, question: str, limit: int) -> tuple[list[Passage], Evidence]:
        """The best passages with what speaks for them."""
        await self._follow()
        if not self._passages:
            return [], Evidence(similarity=0.0, standing=0.0, coverage=0.0)
        (rarity, by_words), nearest = await asyncio.gather(self._by_words(question), self._nearest(question))
        scores = fused(((1.0, by_words), (BY_VECTOR, [seq for seq, _ in nearest.pairs])))
        best = sorted(scores, key=lambda seq: -scores[seq])[: max(limit, CANDIDATES // 4)]
        found = await self._shelf.passages(best)
        passages = [_scored(found[seq], scores[seq]) for seq in best if seq in found]
        evidence = Evidence(
            similarity=nearest.pairs[0][1] if nearest.pairs else 0.0,
            standing=(nearest.pairs[0][1] - nearest.mean) / nearest.deviation if nearest.deviation else 0.0,
            coverage=coverage(rarity, passages),
        )
        return passages[:limit], evidence

    async def _follow(self) -> None:
        now, changes = asyncio.get_running_loop().time(), self._changes
        if now < self._look_again_at:
            return
        stamp = await self._shelf.stamp()
        if stamp != self._stamp:
            state = await self._shelf.state()
            self._stamp, self._passages = state.stamp, state.passages
            if abs(self._passages - self._counted_in) > GROWN * self._counted_in:
                self._frequencies.clear()
                self._counted_in = self._passages
        if self._matrix is not None:
            await self._matrix.refresh(stamp)
        if changes == self._changes:
            self._look_again_at = now + FOLLOWED

    async def _by_words(self, question: str) -> tuple[dict[str, float], list[int]]:
        """The rarity of the question's words, and the passages that hold them, best first."""
        rarity = await self._rarity(subject(question))
        matches = await self._shelf.match(self._affordable(rarity), CANDIDATES)
        return rarity, [seq for seq, _ in matches]

    async def _rarity(self, words: Iterable[str]) -> dict[str, float]:
        """Each word's inverse document frequency, as BM25 counts it, over the greatest possible: 0 to 1."""
        wanted = list(words)
        unknown = [word for word in wanted if word not in self._frequencies]
        if unknown:
            self._frequencies |= await self._shelf.frequencies(unknown, bound=COUNTED)
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


def fused(rankings: Iterable[tuple[float, list[int]]]) -> dict[int, float]:
    """Each number's score: the sum over the weighted rankings of weight / (K + its rank)."""
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, seq in enumerate(ranking, 1):
            scores[seq] = scores.get(seq, 0.0) + weight / (K + rank)
    return scores


def _inverse(count: int, every: int) -> float:
    return math.log(1 + max(0.0, every - count + 0.5) / (count + 0.5))


def _scored(passage: Passage, score: float) -> Passage:
    return msgspec.structs.replace(passage, score=score)
