"""What `frontdesk check` proves of a description beyond its form: that it could really run as it stands."""

from collections.abc import Callable, Iterable, Iterator

from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.capacity import capacity
from frontdesk.system.layout.proofs.connections import connections
from frontdesk.system.layout.proofs.found import Found
from frontdesk.system.layout.proofs.lifetimes import lifetimes
from frontdesk.system.layout.proofs.measures import measures
from frontdesk.system.layout.proofs.references import references
from frontdesk.system.layout.proofs.stores import stores
from frontdesk.system.layout.proofs.told import told
from frontdesk.system.load import line_of
from frontdesk.system.section import Path

Proof = Callable[[Plan], Iterator[Found]]

PROOFS: tuple[Proof, ...] = (references, lifetimes, capacity, connections, stores, told)
NAMED = ("services", "stores", "hosts", "outside")  # sections whose entries others name
FOLLOWS = {"store": "stores.postgres", "services": "objectives.list", "hosts": "services."}  # what rests on a section


def prove(plan: Plan, metrics: Iterable[str]) -> tuple[Found, ...]:
    """Everything that keeps the system from running as described, and what is worth knowing, in the order of the file.

    `metrics` are the names that the desk publishes, without the endings of histograms and counters. Of a description
    whose mistakes were left out nothing is told that may follow from those.
    """
    found = [each for proof in PROOFS for each in proof(plan)]
    found += measures(plan, frozenset(metrics))
    sure = (each for each in found if not any(_may_follow(each, left_out) for left_out in plan.system.left_out))
    return tuple(sorted(sure, key=lambda each: line_of(each.problem)))


def _may_follow(found: Found, left_out: Path) -> bool:
    """Whether something is about the entry that a mistake stands in, or names it, or rests on its section."""
    section, entry = str(left_out[0]), str(left_out[1])
    within = f"{found.path}.".startswith(f"{section}.{entry}.")
    named = section in NAMED and f"`{entry}`" in found.problem.what
    return within or named or (section in FOLLOWS and found.path.startswith(FOLLOWS[section]))
