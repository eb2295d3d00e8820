"""The subjects of engagement in the database."""

from dataclasses import dataclass

from frontdesk.ports import Clock, Ids
from frontdesk.store.customer_events import CustomerEvents
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions
from frontdesk.store.evidence import EvidenceRows
from frontdesk.store.evolutions import Evolutions
from frontdesk.store.gaps import Gaps
from frontdesk.store.learners import Learners
from frontdesk.store.logged import DecisionLog
from frontdesk.store.outreach import OutreachRows
from frontdesk.store.patterns import Patterns
from frontdesk.store.policies import Policies
from frontdesk.store.stories import Stories
from frontdesk.store.timeline import Timeline
from frontdesk.store.tunings import Tunings


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All of them."""

    database: Database
    customers: Customers
    events: CustomerEvents
    timeline: Timeline
    decisions: Decisions
    log: DecisionLog
    stories: Stories
    outreach: OutreachRows
    policies: Policies
    learners: Learners
    patterns: Patterns
    tunings: Tunings
    evidence: EvidenceRows
    evolutions: Evolutions
    gaps: Gaps


def rows_of(database: Database, clock: Clock, ids: Ids) -> Rows:
    """Those of this database."""
    return Rows(
        database=database,
        customers=Customers(database, clock),
        events=CustomerEvents(database, clock),
        timeline=Timeline(database),
        decisions=Decisions(database),
        log=DecisionLog(database),
        stories=Stories(database),
        outreach=OutreachRows(database, clock),
        policies=Policies(database, clock, ids),
        learners=Learners(database),
        patterns=Patterns(database),
        tunings=Tunings(database, clock),
        evidence=EvidenceRows(database),
        evolutions=Evolutions(database, clock, ids),
        gaps=Gaps(database, clock, ids),
    )
