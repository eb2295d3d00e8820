"""How fitter genes are looked for. Other ways come in by the entry points `frontdesk.searches`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frontdesk.decision.genes import crossed, mutated, wild
from frontdesk.engagement import Genes
from frontdesk.store.evolutions import Round

POPULATION = 16
ROUNDS = 8
ELITES = 2  # go on as they are
WILD = 3  # of the first round have no parent
TOURNAMENT = 3
MUTATIONS = 0.12  # share of a child's genes

Fitness = Callable[[Genes], float]


@dataclass(frozen=True, slots=True)
class Search:
    """`run` looks for genes that are fitter than the parent's, and gives the fittest that it tried, the parent
    included, and how its rounds went. Nothing but the generator decides by chance, so a seed repeats it."""

    run: Callable[[Genes, Fitness, np.random.Generator], tuple[Genes, tuple[Round, ...]]]


def _evolve(parent: Genes, fitness: Fitness, chance: np.random.Generator) -> tuple[Genes, tuple[Round, ...]]:
    start = [mutated(parent, chance, 2 * MUTATIONS) for _ in range(POPULATION - WILD - 1)]
    population = [parent, *start, *(wild(chance) for _ in range(WILD))]
    history: list[Round] = []
    for _ in range(ROUNDS):
        population.sort(key=fitness, reverse=True)
        marks = [fitness(genes) for genes in population]
        history.append(Round(best=marks[0], mean=float(np.mean(marks))))
        children = [
            mutated(crossed(_fit(population, chance), _fit(population, chance), chance), chance, MUTATIONS)
            for _ in range(POPULATION - ELITES)
        ]
        population = [*population[:ELITES], *children]
    return max(population, key=fitness), tuple(history)


def _fit(population: list[Genes], chance: np.random.Generator) -> Genes:
    """The fittest of a few that are picked by chance; the population stands in order."""
    return population[int(chance.integers(len(population), size=TOURNAMENT).min())]


genetic = Search(_evolve)
"""A genetic algorithm: tournaments, uniform crossover, elites."""
