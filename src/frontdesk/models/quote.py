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
CLOSE = 0.9  # a further quote scores at least this part of the best
NEAR = 0.55  # and one that goes on the best one's paragraph this part: the answer is often just beside it
COMPARED = 12  # units whose vectors are made for a question; those of earlier questions are remembered
REMEMBERED = 5_000  # vectors, about 8 MB
PATIENCE = 2  # seconds for vectors on a busy machine; then the words alone decide
MEANING, WORDS, RANK = 0.45, 0.35, 0.2  # what a unit's score consists of
ROOT = 4  # letters by which words are compared, so that inflected forms meet

WORD = re.compile(r"\w+")
CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

# Words that say nothing about what a question is about, in the languages that visitors use most.
COMMON = frozenset(
    WORD.findall(
        """
        the and for are was were you your our they them their this that these those what when where which who why how
        can could does did has have had will would should may might must not but with from into than then there here any
        some all its his her she him about please
        der die das den dem des ein eine einen einem einer und oder ist sind war ich sie wir ihr mein dein was wann wer
        wie wenn kann können darf muss nicht mit von für auf aus bei nach zum zur über auch noch nur bitte
        los las una unos unas que qué con por para como cómo cuando cuándo donde dónde quien quién está están son hay
        les des une est sont vous nous mon mes votre qui que quoi quand comment pourquoi dans sur avec pour par pas
        gli che chi come quando dove perché con per sono della delle
        """
    )
)

FACTS = ModelFacts(strength="extractive", context_tokens=1_000_000, tools=False, images=False, json_schema=False)


class QuoteModel:
    """Quotes from `ModelRequest.passages`; the marks are the passages' numbers, from 1."""

    def __init__(self, name: str, embedder: Embedder | None) -> None:
        self._name = name
        self._embedder = embedder
        self._vectors: dict[str, bytes] = {}

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
        texts = [candidates[index].in_context for index in nearest]
        try:
            async with asyncio.timeout(PATIENCE):
                likeness = await self._likeness(self._embedder, question, texts)
        except TimeoutError:
            return scores
        for index, meaning in zip(nearest, _spread(likeness), strict=True):
            scores[index] += MEANING * meaning
        return scores

    async def _likeness(self, embedder: Embedder, question: str, texts: Sequence[str]) -> list[float]:
        """Cosines between the question and each text."""
        asked = np.frombuffer(await embedder.embed_query(question), dtype="<f4")
        if new := list(dict.fromkeys(text for text in texts if text not in self._vectors)):
            if len(self._vectors) + len(new) > REMEMBERED:
                self._vectors.clear()
            self._vectors.update(zip(new, await embedder.embed_passages(new), strict=True))
        vectors = [self._vectors.get(text) for text in texts]
        return [float(asked @ np.frombuffer(vector, dtype="<f4")) if vector else 0.0 for vector in vectors]


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
    top = ranked[0]
    chosen: list[int] = []
    seen: set[str] = set()
    for index in ranked:
        bar = NEAR if _beside(candidates, index, top) else CLOSE
        if len(chosen) == MOST or scores[index] < bar * scores[top]:
            continue
        text = " ".join(candidates[index].unit.text.casefold().split())
        if text not in seen:
            seen.add(text)
            chosen.append(index)
    best = candidates[chosen[0]].passage
    return sorted(chosen, key=lambda index: (candidates[index].passage != best, index))


def _beside(candidates: Sequence[_Candidate], index: int, top: int) -> bool:
    """Whether the two are neighbouring sentences of one paragraph."""
    if abs(index - top) != 1 or candidates[index].passage != candidates[top].passage:
        return False
    return _one_paragraph(candidates[min(index, top)].unit, candidates[max(index, top)].unit)


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
        joins = (
            index == previous + 1
            and runs
            and runs[-1].passage == one.passage
            and _one_paragraph(runs[-1].last, one.unit)
        )
        if joins:
            runs[-1] = msgspec.structs.replace(runs[-1], last=one.unit)
        else:
            runs.append(_Run(passage=one.passage, first=one.unit, last=one.unit))
        previous = index
    return runs


def _one_paragraph(first: Unit, second: Unit) -> bool:
    """Whether the second goes on the first: sentences with at most a space or a line's end between them."""
    return first.kind == second.kind == "sentence" and second.start - first.end <= 1


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
        elif word.isdigit() or (len(word) > 2 and word not in COMMON):
            found.append(word[:ROOT])
    return found


def _spread(values: Sequence[float]) -> list[float]:
    """The values stretched over 0 to 1: similarities of one model lie in a narrow band."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 1.0 for value in values]
