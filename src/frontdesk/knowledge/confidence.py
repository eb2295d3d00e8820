"""How sure a search is that its passages answer the question.

A logistic model over what the search saw. Its weights were fitted by `python -m benchmarks.calibration`, on manuals
that the retrieval benchmark's questions do not come from. Without vectors it goes by words alone.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from frontdesk.knowledge.words import stem, stems
from frontdesk.messages import Passage

LOOKED_AT = 3  # passages in which the question's words are sought


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What speaks for an answer.

    `similarity` is the best cosine (0 where there are no vectors), `standing` its distance from the mean of all in
    deviations, `coverage` the share of the question's words, by rarity, that the best of the first passages holds.
    """

    similarity: float
    standing: float
    coverage: float

    def confidence(self) -> float:
        """0 to 1."""
        weights = HYBRID if self.similarity else BY_WORDS
        logit = (
            weights.bias
            + weights.similarity * self.similarity
            + weights.standing * self.standing
            + weights.coverage * self.coverage
        )
        return 1 / (1 + math.exp(-logit))


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """A logistic model's coefficients."""

    bias: float
    similarity: float = 0.0
    standing: float = 0.0
    coverage: float = 0.0


HYBRID = Weights(bias=-50.18, similarity=54.40, standing=0.59, coverage=2.07)
BY_WORDS = Weights(bias=-1.74, coverage=3.40)


def coverage(rarity: Mapping[str, float], passages: Sequence[Passage]) -> float:
    """The coverage of a question, given as its words with their rarity, by the best of the first passages."""
    wanted = {stem(word): rare for word, rare in rarity.items()}
    every = sum(wanted.values())
    if not every or not passages:
        return 0.0
    held = [stems(f"{passage.title} {passage.heading} {passage.text}") for passage in passages[:LOOKED_AT]]
    return max(sum(rare for word, rare in wanted.items() if word in some) for some in held) / every
