"""Genes stay what they may be, whoever their parents are."""

from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.decision.genes import GENES, RISING, changed, clipped, crossed, mutated, wild
from frontdesk.engagement import Genes

seeds = st.integers(0, 2**32 - 1)
PROTECTING = ("consent", "cap", "quiet", "approval", "fair", "bias", "tolerance", "business")


def allowed(genes: Genes) -> bool:
    values = msgspec.structs.asdict(genes)
    rising = all(values[low] <= values[high] for names in RISING for low, high in pairwise(names))
    return rising and all(gene.clip(values[name]) == values[name] for name, gene in GENES.items())


def test_every_knob_is_a_gene_and_none_of_them_protects_people() -> None:
    assert tuple(GENES) == Genes.__struct_fields__
    assert 20 <= len(GENES) <= 40
    assert [name for name in GENES if any(word in name for word in PROTECTING)] == []


def test_the_genes_that_a_desk_starts_with_are_allowed() -> None:
    assert allowed(Genes())
    assert clipped(Genes()) == Genes()


@given(seeds)
def test_children_are_allowed_and_the_same_seed_has_the_same_children(seed: int) -> None:
    def child() -> Genes:
        chance = np.random.default_rng(seed)
        mother, father = wild(chance), wild(chance)
        return mutated(crossed(mother, father, chance), chance, 0.3)

    assert allowed(child())
    assert child() == child()


@given(seeds)
def test_a_child_has_each_gene_from_one_of_its_parents(seed: int) -> None:
    chance = np.random.default_rng(seed)
    mother, father = wild(chance), wild(chance)
    child = crossed(mother, father, chance)
    ordered = {name for names in RISING for name in names}
    assert not (set(changed(mother, child)) & set(changed(father, child))) - ordered


@given(seeds)
def test_no_share_of_mutations_changes_nothing(seed: int) -> None:
    chance = np.random.default_rng(seed)
    genes = wild(chance)
    assert mutated(genes, chance, 0.0) == genes


def test_genes_from_elsewhere_are_brought_within_their_bounds() -> None:
    strange = msgspec.structs.replace(
        Genes(), floor=3.0, margin=-1.0, weekly_low=9, gap_hours=500.0, gap_hours_tired=1.0, tone_smb="rude"
    )
    assert allowed(clipped(strange))
    assert clipped(strange).floor == 0.2
    assert clipped(strange).tone_smb == "friendly"
