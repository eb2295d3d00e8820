"""Answers in the owner's own words: the best whole sentences, steps or code blocks of the passages, each with its mark.

It needs no language model and cannot invent. What fits best is decided by the meaning (vectors, where there is an
embedder) and by the words that question and text share.
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import msgspec
import numpy as np

from frontdesk.errors import ModelRefused
from frontdesk.messages import ModelDone, ModelEvent, ModelFacts, ModelRequest, Passage, TextDelta
from frontdesk.models.options import ModelOptions
from frontdesk.models.units import Unit, units
from frontdesk.models.wire import Parts
from frontdesk.ports import Embedder

MOST = 3  # quotes in an answer
CLOSE = 0.88  # a further quote scores at least this part of the best
COMPARED = 24  # units whose vectors are made: bounds the time of an answer to about 150 ms
MEANING, WORDS, RANK = 0.5, 0.4, 0.1  # what a unit's score consists of
ROOT = 5  # letters by which words are compared, so that inflected forms meet

WORD = re.compile(r"\w+")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

FACTS = ModelFacts(strength="extractive", context_tokens=1_000_000, tools=False, images=False, json_schema=False)


class QuoteModel:
    """Quotes from `ModelRequest.passages`; the marks are the passages' numbers, from 1."""

    def __init__(self, name: str, embedder: Embedder | None) -> None:
        self._name = name
        self._embedder = embedder

    @classmethod
    def build(cls, options: ModelOptions, parts: Parts) -> "QuoteModel":
        return cls(options.name, parts.embedder)

    @property
    def name(self) -> str:
        return self._name

    @property
    def facts(self) -> ModelFacts:
        return FACTS

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Raises `ModelRefused` when there is nothing to quote."""
        candidates = [
            _Candidate(passage=number, position=position, unit=unit, context=_context(passage))
            for number, passage in enumerate(request.passages)
            for position, unit in enumerate(units(passage.text))
        ]
        if not candidates:
            raise ModelRefused("There is nothing to quote from", where=self._name)
        question = next((prompt.text for prompt in reversed(request.messages) if prompt.role == "user"), "")
        scores = await self._scores(question, candidates)
        quotes = _runs(_chosen(candidates, scores), candidates)
        for number, quote in enumerate(quotes):
            gap = _gap(quotes[number - 1], quote) if number else ""
            yield TextDelta(text=gap + quote.marked(request.passages))
            await asyncio.sleep(0)
        yield ModelDone(reason="stop", model=self._name)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _scores(self, question: str, candidates: Sequence["_Candidate"]) -> list[float]:
        words = _shared_words(question, candidates)
        scores = [WORDS * word + RANK / (1 + one.passage) for one, word in zip(candidates, words, strict=True)]
        if self._embedder is None:
            return scores
        nearest = sorted(range(len(candidates)), key=lambda index: -scores[index])[:COMPARED]
        asked = np.frombuffer(await self._embedder.embed_query(question), dtype="<f4")
        texts = [candidates[index].in_context for index in nearest]
        vectors = [np.frombuffer(vector, dtype="<f4") for vector in await self._embedder.embed_passages(texts)]
        for index, meaning in zip(nearest, _spread([float(asked @ vector) for vector in vectors]), strict=True):
            scores[index] += MEANING * meaning
        return scores


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A unit with the place that it has: passage (from 0), position in it, and the headings above it."""

    passage: int
    position: int
    unit: Unit
    context: str

    @property
    def in_context(self) -> str:
        return f"{self.context}: {self.unit.text}" if self.context else self.unit.text


class _Run(msgspec.Struct, frozen=True, kw_only=True):
    """Neighbouring units of one passage, quoted as one."""

    passage: int
    first: Unit
    last: Unit

    def marked(self, passages: Sequence[Passage]) -> str:
        """The very words of the passage, and its mark; below a code block or table, which a mark would break."""
        text = passages[self.passage].text[self.first.start : self.last.end]
        last_line = text.rsplit("\n", 1)[-1].strip()
        gap = "\n\n" if last_line.startswith(("```", "~~~", "|")) else " "
        return f"{text}{gap}[{self.passage + 1}]"


def _gap(before: _Run, after: _Run) -> str:
    items = before.last.kind == after.first.kind == "item"
    return "\n" if items else "\n\n"


def _chosen(candidates: Sequence[_Candidate], scores: Sequence[float]) -> list[int]:
    """The best unit and up to two that come close, no text twice, in reading order of the passages."""
    ranked = sorted(range(len(candidates)), key=lambda index: (-scores[index], index))
    chosen: list[int] = []
    seen: set[str] = set()
    for index in ranked:
        if chosen and (len(chosen) == MOST or scores[index] < CLOSE * scores[ranked[0]]):
            break
        text = " ".join(candidates[index].unit.text.casefold().split())
        if text not in seen:
            seen.add(text)
            chosen.append(index)
    best = candidates[chosen[0]].passage
    return sorted(chosen, key=lambda index: (candidates[index].passage != best, index))


def _runs(chosen: Sequence[int], candidates: Sequence[_Candidate]) -> list[_Run]:
    """Neighbours joined; a sentence that points back takes the one before it along."""
    wanted: list[int] = []
    for index in chosen:
        if candidates[index].unit.leans and index - 1 not in wanted:
            wanted.append(index - 1)
        if index not in wanted:
            wanted.append(index)
    runs: list[_Run] = []
    previous = -2
    for index in wanted:
        one = candidates[index]
        joins = index == previous + 1 and runs and runs[-1].passage == one.passage and _same_paragraph(runs[-1], one)
        if joins:
            runs[-1] = msgspec.structs.replace(runs[-1], last=one.unit)
        else:
            runs.append(_Run(passage=one.passage, first=one.unit, last=one.unit))
        previous = index
    return runs


def _same_paragraph(run: _Run, one: _Candidate) -> bool:
    return run.last.kind == one.unit.kind == "sentence" and one.unit.start - run.last.end <= 2


def _context(passage: Passage) -> str:
    return passage.heading or passage.title


def _shared_words(question: str, candidates: Sequence[_Candidate]) -> list[float]:
    """For each unit the part of the question's words that it holds, rare words weighing more; 0 to 1.

    A word that only the headings above hold counts half.
    """
    asked = set(_words(question))
    own = [set(_words(one.unit.text)) for one in candidates]
    above = [set(_words(one.context)) for one in candidates]
    spread = Counter(word for words in own for word in words)
    weights = {word: math.log(1 + len(candidates) / (1 + spread[word])) for word in asked}
    total = sum(weights.values()) or 1.0
    return [
        sum(weights[word] for word in asked & here) / total
        + sum(weights[word] for word in (asked & up) - here) / total / 2
        for here, up in zip(own, above, strict=True)
    ]


def _words(text: str) -> list[str]:
    """Roots of words; of Chinese, Japanese and Korean text pairs of neighbouring signs."""
    found: list[str] = []
    for word in WORD.findall(text.casefold()):
        if CJK.search(word):
            found.extend(word[at : at + 2] for at in range(max(1, len(word) - 1)))
        elif len(word) > 2 or word.isdigit():
            found.append(word[:ROOT])
    return found


def _spread(values: Sequence[float]) -> list[float]:
    """The values stretched over 0 to 1: similarities of one model lie in a narrow band."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]
