"""Strategies evolve: better ones are found, and lucky ones are told from them."""

import msgspec
import numpy as np
import pytest

from frontdesk import registry
from frontdesk.decision.arms import Arms
from frontdesk.decision.evolution import Result, evolve, prune
from frontdesk.decision.genes import changed, clipped
from frontdesk.decision.logs import Log
from frontdesk.decision.rewards import STANDARD, rewards
from frontdesk.decision.searching import Search
from frontdesk.engagement import OUTCOMES, Genes
from tests.decision.examples import ARMS, NOON, OPTIONS, people, policy, quantise

OPEN, CONVERSION, UNSUBSCRIBE = (OUTCOMES.index(kind) for kind in ("open", "conversion", "unsubscribe"))
CHASER = msgspec.structs.replace(Genes(), reward_open=0.3, reward_conversion=0.5)
"""A strategy that takes opens for success."""


def log_of(count: int, seed: int, *, conversion: float, unsubscribe: float = 0.0) -> Log:
    """Decisions drawn evenly among all arms: e-mails are opened, and offers by SMS convert and drive away so often."""
    chance = np.random.default_rng(seed)
    eligible = np.ones((count, len(ARMS)), dtype=np.bool_)
    arm = chance.integers(len(ARMS), size=count)
    email = arm == ARMS.index("welcome/email/now")
    sms = np.isin(arm, [ARMS.index("sale/sms/morning"), ARMS.index("sale/sms/evening")])
    outcomes = np.zeros((count, len(OUTCOMES)))
    outcomes[:, OPEN] = email & (chance.random(count) < 0.8)
    outcomes[:, CONVERSION] = chance.random(count) < np.where(sms, conversion, 0.02)
    outcomes[:, UNSUBSCRIBE] = sms & (chance.random(count) < unsubscribe)
    released = np.ones(count, dtype=np.bool_)
    values = np.zeros(count)
    return Log(
        ids=tuple(f"d{number}" for number in range(count)),
        numbers=quantise(people(count, seed)),
        arm=arm,
        propensity=np.full(count, 1 / len(ARMS)),
        eligible=eligible,
        reward=rewards(outcomes, values, Arms.of(OPTIONS, STANDARD).costs[arm]),
        released=released,
        outcomes=outcomes,
        values=values,
        customer=chance.integers(count, size=count),
        held_out=np.zeros(count, dtype=np.bool_),
        at=NOON.timestamp() + np.sort(chance.uniform(0, 30 * 86400, count)),
        policy=np.zeros(count, dtype=np.intp),
        segment=np.zeros(count, dtype=np.intp),
    )


def step(log: Log, genes: Genes = CHASER, seed: int = 5) -> Result:
    return evolve(log, policy(genes), OPTIONS, seed=seed, policy_id="pol_2", now=NOON)


@pytest.fixture(scope="module")
def result() -> Result:
    return step(log_of(1500, 1, conversion=0.3))


def test_a_strategy_that_chases_the_wrong_thing_is_beaten_on_people_whom_nobody_looked_at(result: Result) -> None:
    assert result.winner is not None, result.words
    found = result.found
    assert found.fitness > found.parent_fitness
    assert found.held_out > found.parent_held_out
    assert 0 < found.gain_low < found.gain < found.gain_high
    assert found.gap == found.fitness - found.held_out
    assert result.winner.parent_id == "policy-1"
    assert (result.winner.origin, result.winner.generation) == ("evolved", 1)


def test_a_winner_has_learned_from_all_but_the_holdout() -> None:
    log = log_of(1500, 1, conversion=0.3)
    out = log.customer % 10 == 0
    winner = step(msgspec.structs.replace(log, held_out=out)).winner
    assert winner is not None
    age = (log.at[~out].max() - log.at[~out]) / 86_400
    assert winner.reward.n == pytest.approx(np.sum(winner.genes.forgetting**age))


def test_every_change_of_the_winner_is_named_and_earns_something(result: Result) -> None:
    assert result.winner is not None
    names = {change.gene for change in result.found.changes}
    assert names == set(changed(CHASER, result.winner.genes))
    assert names & {"reward_open", "reward_conversion"}
    assert all(change.worth > 0 for change in result.found.changes)


def test_rounds_never_lose_their_best(result: Result) -> None:
    best = [each.best for each in result.found.rounds]
    assert best == sorted(best)
    assert all(each.mean <= each.best for each in result.found.rounds)


def test_the_same_seed_finds_the_same() -> None:
    log = log_of(600, 1, conversion=0.3)
    assert step(log) == step(log) != step(log, seed=6)


def test_where_no_strategy_can_be_better_none_wins() -> None:
    assert step(log_of(800, 2, conversion=0.02), Genes()).winner is None


def test_conversions_that_drive_people_away_win_nothing() -> None:
    paid = step(log_of(1000, 3, conversion=0.3, unsubscribe=0.25))
    assert paid.winner is None or paid.found.harm <= paid.found.parent_harm + 0.01


def test_too_little_is_said_to_be_too_little() -> None:
    found = step(log_of(60, 4, conversion=0.3))
    assert found.winner is None
    assert found.words.startswith("Too little is known")
    assert step(log_of(3, 4, conversion=0.3)).winner is None


def searches() -> list[Search]:
    return [registry.load("searches", name, Search) for name in ("genetic", "cma")]


@pytest.mark.parametrize("search", searches(), ids=["genetic", "cma"])
def test_a_search_climbs_and_pruning_keeps_only_what_counts(search: Search) -> None:
    def fitness(genes: Genes) -> float:
        return -abs(genes.margin - 0.05) - abs(genes.weekly_high - 6) / 10

    best, rounds = search.run(Genes(), fitness, np.random.default_rng(1))
    assert fitness(best) >= rounds[-1].best > fitness(Genes())
    assert [each.best for each in rounds] == sorted(each.best for each in rounds)
    pruned, changes = prune(best, Genes(), fitness)
    assert {change.gene for change in changes} <= {"margin", "weekly_high"}
    assert fitness(pruned) >= fitness(best)


@pytest.mark.parametrize("search", searches(), ids=["genetic", "cma"])
def test_a_search_tries_allowed_genes_only_never_loses_the_parent_and_is_repeated_by_its_seed(search: Search) -> None:
    tried: list[Genes] = []

    def none_is_as_good_as_the_parent(genes: Genes) -> float:
        tried.append(genes)
        return float(genes == Genes())

    best, _ = search.run(Genes(), none_is_as_good_as_the_parent, np.random.default_rng(3))
    assert best == Genes()
    assert len(set(tried)) > 50
    assert all(genes == clipped(genes) for genes in tried)
    first, tried = tried, []
    search.run(Genes(), none_is_as_good_as_the_parent, np.random.default_rng(3))
    assert tried == first


def test_chance_elsewhere_neither_moves_a_search_by_cma_nor_is_moved_by_it() -> None:
    cma = registry.load("searches", "cma", Search)
    np.random.seed(1)
    before = np.random.get_state()[1]
    cma.run(Genes(), lambda genes: genes.margin, np.random.default_rng(3))
    after = np.random.get_state()[1]
    assert list(before) == list(after)


def test_evolution_by_cma_beats_a_strategy_that_chases_the_wrong_thing() -> None:
    cma = registry.load("searches", "cma", Search)
    log = log_of(1500, 1, conversion=0.3)
    found = evolve(log, policy(CHASER), OPTIONS, seed=5, policy_id="pol_2", now=NOON, search=cma)
    assert found.winner is not None, found.words
    assert found.found.held_out > found.found.parent_held_out
