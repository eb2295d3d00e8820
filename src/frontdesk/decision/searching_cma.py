"""CMA-ES among the genes that are numbers, as the package `cma` does it (the extra `cma`).

It learns which genes are worth turning together. Words have no such direction: tones stay the parent's.
"""

import warnings
from collections.abc import Sequence
from typing import Protocol, cast

import msgspec
import numpy as np

with warnings.catch_warnings():  # that it cannot draw, which nobody asks it to
    warnings.simplefilter("ignore", UserWarning)
    import cma  # pyright: ignore[reportMissingTypeStubs]

from frontdesk.decision.features import Floats
from frontdesk.decision.genes import GENES, Real, Whole, clipped
from frontdesk.decision.searching import POPULATION, ROUNDS, Fitness, Search
from frontdesk.engagement import Genes
from frontdesk.store.evolutions import Round

STEP = 0.15  # of a gene's range: the standard deviation of the first round
NUMBERS = {name: gene for name, gene in GENES.items() if isinstance(gene, Real | Whole)}


class _Strategy(Protocol):
    """What is used of `cma.CMAEvolutionStrategy`, which looks for the least."""

    def ask(self) -> list[Floats]: ...

    def tell(self, places: Sequence[Floats], values: Sequence[float]) -> None: ...


def _search(parent: Genes, fitness: Fitness, chance: np.random.Generator) -> tuple[Genes, tuple[Round, ...]]:
    def drawn(*shape: int) -> Floats:
        return chance.standard_normal(shape)

    settings = {"bounds": [0, 1], "popsize": POPULATION, "randn": drawn, "seed": np.nan, "verbose": -9}
    strategy = cast(_Strategy, cma.CMAEvolutionStrategy(_place(parent), STEP, settings))
    best, history = parent, list[Round]()
    for _ in range(ROUNDS):
        places = strategy.ask()
        tried = [_genes(place, parent) for place in places]
        marks = [fitness(genes) for genes in tried]
        strategy.tell(places, [-mark for mark in marks])
        best = max([best, *tried], key=fitness)
        history.append(Round(best=fitness(best), mean=float(np.mean(marks))))
    return best, tuple(history)


def _place(genes: Genes) -> list[float]:
    """Where each gene lies in its range, from 0 to 1."""
    return [(float(getattr(genes, name)) - gene.low) / (gene.high - gene.low) for name, gene in NUMBERS.items()]


def _genes(place: Floats, parent: Genes) -> Genes:
    values = {
        name: gene.clip(gene.low + share * (gene.high - gene.low))
        for (name, gene), share in zip(NUMBERS.items(), place.tolist(), strict=True)
    }
    return clipped(msgspec.structs.replace(parent, **values))


search = Search(_search)
