"""Which snapshots decide at the moment, kept in memory; and how people are split between them."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

import msgspec

from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.posterior import harm_prior, prior
from frontdesk.engagement import Calibration, Genes, Policy, PolicyOrigin, Serving
from frontdesk.ports import Clock, Ids
from frontdesk.store.policies import Policies

LOOKED = 1.0  # seconds for which the pointer is believed
REMEMBERED = 64  # snapshots in memory, about 20 kB each


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshots that decide. The challenger has `share` of the people; a shadow only scores."""

    champion: Policy
    challenger: Policy | None
    share: float
    shadow: Policy | None
    version: int


def first(policy_id: str, genes: Genes, now: datetime) -> Policy:
    """A policy that knows nothing yet, the root of a lineage."""
    return born(policy_id, genes, now, origin="first", note="knows nothing yet")


def born(
    policy_id: str,
    genes: Genes,
    now: datetime,
    *,
    origin: PolicyOrigin,
    parent: Policy | None = None,
    note: str = "",
) -> Policy:
    """The first snapshot of a new strategy, which is called as the snapshot is."""
    return Policy(
        id=policy_id,
        parent_id=parent and parent.id,
        strategy=policy_id,
        origin=origin,
        generation=0 if parent is None else parent.generation + 1,
        created_at=now,
        born_at=now,
        genes=genes,
        features=FEATURE_NAMES,
        reward=prior(genes),
        harm=harm_prior(),
        draws_seed=seed_of(policy_id),
        note=note,
    )


async def begin(policies: Policies, ids: Ids, now: datetime) -> None:
    """Have a policy that serves, and only such as weigh the features that this version makes.

    One of other features serves on as a snapshot that knows nothing yet; learning then reads the whole log again.
    """
    await policies.start(first(ids.new("policy"), Genes(), now))
    for policy_id in await policies.served():
        policy = await policies.get(policy_id)
        if policy.features != FEATURE_NAMES:
            await policies.advance(_anew(policy, ids.new("policy"), now))


def _anew(policy: Policy, policy_id: str, now: datetime) -> Policy:
    return msgspec.structs.replace(
        policy,
        id=policy_id,
        parent_id=policy.id,
        created_at=now,
        features=FEATURE_NAMES,
        reward=prior(policy.genes),
        harm=harm_prior(),
        calibration=Calibration(),
        draws_seed=seed_of(policy_id),
        note="policies weigh other features now, so it begins anew",
    )


def seed_of(policy_id: str) -> int:
    """The seed of a snapshot's draws: 63 bits of its id's SHA-256."""
    return int.from_bytes(sha256(policy_id.encode()).digest()[:8], "big") >> 1


def share_of(customer_id: str, salt: str) -> float:
    """Where a customer falls in [0, 1), evenly over customers and independently for each `salt`."""
    return int.from_bytes(sha256(f"{salt}:{customer_id}".encode()).digest()[:8], "big") / 2**64


def held_out(customer_id: str, share: float) -> bool:
    """Whether this customer's outcomes calibrate confidence and so must never train."""
    return share_of(customer_id, "holdout") < share


class PolicySource:
    """The serving policies. While `cached` says so the pointer is looked at once a second, otherwise at each call."""

    def __init__(self, policies: Policies, clock: Clock, *, cached: Callable[[], bool] = lambda: True) -> None:
        self._policies = policies
        self._clock = clock
        self._cached = cached
        self._known: OrderedDict[str, Policy] = OrderedDict()
        self._served: Served | None = None
        self._looked_at = 0.0

    async def serving(self) -> Served:
        """Those that decide now. Raises `NotFound` before the desk has started for the first time."""
        now = self._clock.monotonic()
        served = self._served
        if served is not None and self._cached() and now - self._looked_at < LOOKED:
            return served
        self._looked_at = now  # whoever asks while this looks takes what was known
        pointer = await self._policies.serving()
        if served is None or served.version != pointer.version:
            served = self._served = await self._read(pointer)
        return served

    async def policy(self, policy_id: str) -> Policy:
        """A snapshot by its id. Raises `NotFound`."""
        found = self._known.get(policy_id)
        if found is None:
            found = self._known[policy_id] = await self._policies.get(policy_id)
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(policy_id)
        return found

    async def _read(self, pointer: Serving) -> Served:
        return Served(
            champion=await self.policy(pointer.champion_id),
            challenger=await self.policy(pointer.challenger_id) if pointer.challenger_id else None,
            share=pointer.share,
            shadow=await self.policy(pointer.shadow_id) if pointer.shadow_id else None,
            version=pointer.version,
        )
