"""How sure a search is that its passages answer the question.

A logistic model over what the search saw. Its weights were fitted by `python -m benchmarks retrieval --fit` on manuals
that the benchmark's held-out questions do not come from. Without vectors it goes by words alone.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from frontdesk.knowledge.words import stem, stems
from frontdesk.messages import Passage

LOOKED_AT = 3  # passages in which the question's words are sought


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for an answer. All are about 0 to 1 but `standing`.

    `similarity` is the best cosine, `standing` its distance from the mean of all in deviations, `coverage` the share of
    the question's words, by rarity, that the best passage holds, `missing` the rarity of the rarest word that none of
    the best holds, `agreement` whether words and vectors have found the same passages.
    """

    similarity: float
    standing: float
    coverage: float
    missing: float
    agreement: float

    def confidence(self) -> float:
        """0 to 1."""
        weights = HYBRID if self.similarity else BY_WORDS
        return 1 / (1 + math.exp(-weights.sum(self)))


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A logistic model's coefficients."""

    bias: float
    similarity: float = 0.0
    standing: float = 0.0
    coverage: float = 0.0
    missing: float = 0.0
    agreement: float = 0.0

    def sum(self, evidence: Evidence) -> float:
        """The logit."""
        return (
            self.bias
            + self.similarity * evidence.similarity
            + self.standing * evidence.standing
            + self.coverage * evidence.coverage
            + self.missing * evidence.missing
            + self.agreement * evidence.agreement
        )


HYBRID = Weights(bias=-20.0, similarity=20.0, standing=0.5, coverage=2.0, missing=-1.0, agreement=1.0)
BY_WORDS = Weights(bias=-2.0, coverage=5.0, missing=-1.0)


def coverage(rarity: Mapping[str, float], passages: Sequence[Passage]) -> tuple[float, float]:
    """`coverage` and `missing` of the evidence, from the question's words with their rarity."""
    wanted = {stem(word): rare for word, rare in rarity.items()}
    every = sum(wanted.values())
    if not every or not passages:
        return 0.0, 1.0
    held = [stems(f"{passage.title} {passage.heading} {passage.text}") for passage in passages[:LOOKED_AT]]
    share = max(sum(rare for word, rare in wanted.items() if word in some) for some in held) / every
    missing = max((rare for word, rare in wanted.items() if not any(word in some for some in held)), default=0.0)
    return share, missing / max(wanted.values())
