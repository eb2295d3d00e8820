"""Fits the weights of `frontdesk.knowledge.confidence`: `python -m benchmarks.calibration`.

The library holds the FAQs of R and Zsh and the first half of Perl's; their questions have an answer in it, those of the
other half of Perl's have none although they are about the same things. A logistic regression with both kinds counting
alike gives the weights; the bias is then set so that `LOST` of the questions with an answer fall below one half. None
of these manuals is in `retrieval.py`.
"""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.faq import Entry, Manual, manuals
from benchmarks.retrieval import fill, opened, rank
from frontdesk.knowledge.confidence import Evidence
from frontdesk.knowledge.embedding import open_embedder
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.knowledge.search import Hybrid
from frontdesk.messages import Found

LOST = 0.15
FIRST_HALF = ("perl/perlfaq1.pod", "perl/perlfaq2.pod", "perl/perlfaq3.pod", "perl/perlfaq4.pod")
HYBRID = ("similarity", "standing", "coverage")
BY_WORDS = ("coverage",)
Rows = NDArray[np.float64]


async def main() -> None:
    """Print the weights and what they do on the tuning questions."""
    embedder = open_embedder(KnowledgeOptions().embedder)
    known = [*manuals("r"), *manuals("zsh"), *(one for one in manuals("perl") if one.name in FIRST_HALF)]
    strange = [one for one in manuals("perl") if "faq" in one.name and one.name not in FIRST_HALF]
    async with opened(embedder) as (library, shelf):
        await fill(library, shelf, known)
        for name, hybrid, features in (
            ("HYBRID", Hybrid(shelf, embedder), HYBRID),
            ("BY_WORDS", Hybrid(shelf, None), BY_WORDS),
        ):
            answered, recall = await look(hybrid, known)
            unanswered, _ = await look(hybrid, strange)
            bias, weights = fit(rows(answered, features), rows(unanswered, features))
            pairs = ", ".join(f"{key}={value:.2f}" for key, value in zip(features, weights, strict=True))
            print(f"{name} = Weights(bias={bias:.2f}, {pairs})")
            refused = np.mean(rows(unanswered, features) @ weights + bias < 0)
            print(f"  recall@5 {recall:.3f}; with an answer refused {LOST:.3f}, without one refused {refused:.3f}")


async def look(hybrid: Hybrid, asked: Sequence[Manual]) -> tuple[list[Evidence], float]:
    """The evidence for every question of the manuals, and the share whose answer is among five passages."""
    entries: list[Entry] = [entry for manual in asked for entry in manual.entries]
    evidence: list[Evidence] = []
    hits = 0
    for entry in entries:
        passages, seen = await hybrid.look(entry.question, 6)
        evidence.append(seen)
        hits += rank(entry, Found(passages=tuple(passages[:5]), confidence=0)) is not None
    return evidence, hits / len(entries)


def rows(evidence: Sequence[Evidence], features: Sequence[str]) -> Rows:
    """A row for each question."""
    return np.array([[getattr(one, feature) for feature in features] for one in evidence])


def fit(answered: Rows, unanswered: Rows, *, rounds: int = 60, ridge: float = 1e-3) -> tuple[float, Rows]:
    """Bias and weights of a logistic regression (Newton's method, ridge on standardised features)."""
    every = np.vstack([answered, unanswered])
    truth = np.r_[np.ones(len(answered)), np.zeros(len(unanswered))]
    share = np.r_[np.full(len(answered), 0.5 / len(answered)), np.full(len(unanswered), 0.5 / len(unanswered))]
    mean, deviation = every.mean(0), every.std(0) + 1e-9
    design = np.c_[np.ones(len(every)), (every - mean) / deviation]
    ridges = np.r_[0.0, np.full(every.shape[1], ridge)]
    logits = np.zeros(design.shape[1])
    for _ in range(rounds):
        sure = 1 / (1 + np.exp(-design @ logits))
        slope = design.T @ (share * (sure - truth)) + ridges * logits
        bend = (design * (share * sure * (1 - sure))[:, None]).T @ design + np.diag(ridges)
        logits -= np.linalg.solve(bend, slope)
    weights = logits[1:] / deviation
    return float(-np.quantile(answered @ weights, LOST)), weights


if __name__ == "__main__":
    asyncio.run(main())
