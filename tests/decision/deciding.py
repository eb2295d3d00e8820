"""Policies, customers and an engine for tests of decisions."""

from datetime import datetime

import msgspec
import numpy as np
import sqlalchemy as sa

from frontdesk.decision.engine import Engine
from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import Served
from frontdesk.decision.posterior import harm_prior, prior
from frontdesk.engagement import CHANNELS, Ask, Customer, CustomerEvent, Decision, Genes, Policy, Posterior
from frontdesk.errors import FrontdeskError
from frontdesk.store.customer_events import CustomerEvents, NewEvent, write
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions
from frontdesk.store.outreach import OutreachRows, outreach
from frontdesk.testing.clock import CountingIds, FakeClock

ALL_CHANNELS = (1 << len(CHANNELS)) - 1
START = datetime.fromisoformat("2026-01-05T12:00:00+00:00")  # a Monday, as `FakeClock` begins


def options(**values: object) -> EngagementOptions:
    """A desk that acts on its own, with three segments and three messages."""
    return EngagementOptions.model_validate(
        {
            "enabled": True,
            "mode": "fully_autonomous",
            "segments": {
                "default": {},
                "smb": {"innovation_level": 0.5},
                "enterprise": {
                    "risk_tolerance": 0.02,
                    "innovation_level": 0.3,
                    "engagement_rules": {
                        "max_messages_per_week": 3,
                        "business_hours_only": True,
                        "approval_required": True,
                    },
                },
            },
            "messages": [
                {
                    "key": "tips",
                    "channels": ["email", "in_app"],
                    "slots": ["now", "morning"],
                    "templates": {"friendly": {"body": "Hi {name}"}},
                },
                {"key": "deal", "channels": ["email"], "offer": 0.5, "templates": {"friendly": {"body": "Hi"}}},
            ],
        }
        | values
    )


def policy(policy_id: str = "pol_1", *, sure: bool = True, genes: Genes | None = None, **values: object) -> Policy:
    """A policy that knows that any message is worth half a conversation, or one that knows nothing (not `sure`)."""
    genes = genes or Genes(gap_hours=0, weekly_low=7, weekly_middle=7, weekly_high=7)
    made = Policy(
        id=policy_id,
        parent_id=None,
        strategy=policy_id,
        origin="first",
        generation=0,
        created_at=START,
        born_at=START,
        genes=genes,
        features=FEATURE_NAMES,
        reward=believing(prior(genes), "bias × message", 0.5) if sure else prior(genes),
        harm=harm_prior(),
        draws_seed=7,
    )
    return msgspec.structs.replace(made, **values)


def believing(posterior: Posterior, feature: str, mean: float) -> Posterior:
    """A belief that is sure of one weight."""
    place, size = FEATURE_NAMES.index(feature), len(posterior.mean)
    means, precision = list(posterior.mean), list(posterior.precision)
    means[place] = mean
    precision[place * size + place] = 1e4
    return msgspec.structs.replace(posterior, mean=tuple(means), precision=tuple(precision))


def customer(customer_id: str = "ann", **values: object) -> Customer:
    """Somebody who may be written to by every channel."""
    addresses = {channel: f"{channel}:{customer_id}" for channel in CHANNELS}
    made = Customer(
        id=customer_id, segment="default", name=customer_id.title(), consents=ALL_CHANNELS, addresses=addresses
    )
    return msgspec.structs.replace(made, **({"reachable": ALL_CHANNELS} | values))


def served(champion: Policy, **values: object) -> Served:
    """Who decides."""
    return Served(**({"champion": champion, "challenger": None, "share": 0.0, "shadow": None, "version": 1} | values))


class Serving:
    """A source of policies that a test sets."""

    def __init__(self, first: Served) -> None:
        self.now = first

    async def serving(self) -> Served:
        return self.now

    async def policy(self, policy_id: str) -> Policy:
        return self.now.champion


class Bell:
    """Notes which rows are ready."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.backlog = 0

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))


class Desk:
    """An engine with all that it needs."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock, self.bell = database, clock, Bell()
        self.options = options()
        self.policies = Serving(served(policy()))
        self.customers = Customers(database, clock)
        self.decisions = Decisions(database)
        self.outreach = OutreachRows(database, clock)
        self.watched: list[tuple[str, bool]] = []
        self.engine = Engine(
            database,
            CustomerEvents(database, clock),
            self.policies,
            lambda: self.options,
            clock,
            ids,
            self.bell,
            np.random.default_rng(5),
            lambda role, seconds, failed: self.watched.append((role, failed)),
        )

    async def decide(self, customer_id: str = "ann", **values: object) -> Decision:
        (result,) = await self.engine.decide([msgspec.convert({"customer_id": customer_id} | values, Ask)])
        assert isinstance(result, Decision)
        return result

    async def error(self, customer_id: str = "ann", **values: object) -> FrontdeskError:
        (result,) = await self.engine.decide([Ask(customer_id=customer_id, **values)])  # type: ignore[arg-type]
        assert isinstance(result, FrontdeskError)
        return result

    async def event(self, event_id: str, kind: str = "page_viewed", customer_id: str = "ann") -> None:
        now = self.clock.now()
        event = CustomerEvent(id=event_id, customer_id=customer_id, type=kind, at=now)
        new = NewEvent(event=event, received_at=now, decided=False)
        await self.database.act(lambda connection: write(connection, [new]))

    async def count(self, **where: str) -> int:
        query = sa.select(sa.func.count()).select_from(outreach).filter_by(**where)
        async with self.database.read() as connection:
            return (await connection.execute(query)).scalar_one()
