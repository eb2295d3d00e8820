"""Policies and customers for tests of decisions."""

from datetime import datetime

import msgspec

from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import Served
from frontdesk.decision.posterior import harm_prior, prior
from frontdesk.engagement import CHANNELS, Customer, Genes, Policy, Posterior

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
