"""What `frontdesk check` proves of a description beyond its form: that it could really run as it stands."""

from collections.abc import Callable, Iterable, Iterator

from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.capacity import capacity
from frontdesk.system.layout.proofs.connections import connections
from frontdesk.system.layout.proofs.found import Found
from frontdesk.system.layout.proofs.lifetimes import lifetimes
from frontdesk.system.layout.proofs.measures import measures
from frontdesk.system.layout.proofs.references import references

Proof = Callable[[Plan], Iterator[Found]]

PROOFS: tuple[Proof, ...] = (references, lifetimes, capacity, connections)


def prove(plan: Plan, metrics: Iterable[str]) -> tuple[Found, ...]:
    """Everything that keeps the system from running as described, and what is worth knowing. `metrics` are the names
    that the desk publishes, without the endings of histograms and counters."""
    found = [each for proof in PROOFS for each in proof(plan)]
    return (*found, *measures(plan, frozenset(metrics)))
