"""The people of a simulated world, drawn by seed from its kinds: an array for each trait, a row for each person."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.simulation.kinds import Kind
from frontdesk.engagement import CHANNELS, OBJECTIVES, Channel, Customer, Objective

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Tokyo")
ZONE_SHARES = (0.2, 0.35, 0.25, 0.1, 0.1)
GROUPS = {"gender": ("female", "male"), "age_group": ("18-34", "35-54", "55+")}  # on which nothing depends
NAMES = ("Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Grace", "Hugo", "Iris", "Jon", "Kim", "Leo", "Mia", "Noah")
UNIT = 10.0  # money that counts as one unit of spending, on a logarithmic scale
SPREAD = 0.1  # how far people of a kind differ, in log-odds
ADDRESSES: dict[Channel, str] = {
    "email": "{id}@example.com",
    "sms": "+1555{number:07d}",
    "push": "device-{id}",
    "in_app": "{id}",
}


class Population:
    """`size` people. `channels`, `drifted`, `needs` have a column for each of `CHANNELS` and `OBJECTIVES`."""

    def __init__(self, kinds: Sequence[Kind], size: int, seed: int, start: datetime, prefix: str = "person-") -> None:
        random = np.random.default_rng([seed, 1])
        shares = np.array([kind.share for kind in kinds])
        self.kinds = tuple(kinds)
        self.prefix = prefix
        self.kind: Indices = random.choice(len(kinds), size=size, p=shares / shares.sum())
        zones = random.choice(len(ZONES), size=size, p=ZONE_SHARES)
        self.zones = tuple(ZONES[int(zone)] for zone in zones)
        offsets = np.array([_offset_hours(zone, start) for zone in ZONES])
        self.offset: Numbers = offsets[zones]
        self.channels = self._by_channel([kind.channels for kind in kinds]) + self._own(random, len(CHANNELS))
        self.drifted = self._by_channel([kind.drifted for kind in kinds])
        self.needs = self._by_objective() + self._own(random, len(OBJECTIVES))
        self.offer = self._each([kind.offer for kind in kinds]) + self._own(random, 1)[:, 0]
        self.hour = (self._each([kind.hour for kind in kinds]) + random.normal(0, 1.5, size)) % 24
        self.visits = self._each([kind.visits for kind in kinds]) * random.lognormal(0, 0.3, size)
        self.home = np.clip(self._each([kind.interest for kind in kinds]) + random.normal(0, 0.1, size), 0.02, 1)
        self.patience = self._each([kind.patience for kind in kinds]) * random.lognormal(0, 0.2, size)
        self.leaving = self._each([kind.leaving for kind in kinds])
        self.organic = self._each([kind.organic for kind in kinds]) * random.lognormal(0, 0.3, size)
        self.value = self._each([kind.value for kind in kinds]) * random.lognormal(0, 0.4, size)
        new = random.random(size) < self._each([kind.newcomers for kind in kinds])
        self.age = np.where(new, random.uniform(0, 14, size), random.uniform(30, 720, size))  # days at the start
        self.consents = self._consents(random)
        self._groups = {trait: random.choice(len(groups), size=size) for trait, groups in GROUPS.items()}

    def __len__(self) -> int:
        return len(self.kind)

    def id(self, person: int) -> str:
        """What the desk calls them."""
        return f"{self.prefix}{person:06d}"

    def person(self, customer_id: str) -> int:
        """Who has this id."""
        return int(customer_id.removeprefix(self.prefix))

    def customer(self, person: int) -> Customer:
        """Whom the desk gets to know: nothing of their kind but segment and plan."""
        kind, id_ = self.kinds[int(self.kind[person])], self.id(person)
        groups = {trait: names[int(self._groups[trait][person])] for trait, names in GROUPS.items()}
        return Customer(
            id=id_,
            segment=kind.segment,
            name=NAMES[person % len(NAMES)],
            time_zone=self.zones[person],
            consents=int(self.consents[person]),
            reachable=sum(1 << CHANNELS.index(channel) for channel in ADDRESSES),
            addresses={channel: form.format(id=id_, number=person) for channel, form in ADDRESSES.items()},
            traits={"plan": kind.plan, **groups},
        )

    def _each(self, values: Sequence[float]) -> Numbers:
        return np.array(values, dtype=np.float64)[self.kind]

    def _own(self, random: np.random.Generator, columns: int) -> Numbers:
        return random.normal(0, SPREAD, (len(self), columns))

    def _by_channel(self, tastes: Sequence[dict[Channel, float]]) -> Numbers:
        return np.array([[taste.get(channel, 0.0) for channel in CHANNELS] for taste in tastes])[self.kind]

    def _by_objective(self) -> Numbers:
        def row(needs: dict[Objective, float]) -> list[float]:
            return [needs.get(objective, 0.0) for objective in OBJECTIVES]

        return np.array([row(kind.needs) for kind in self.kinds])[self.kind]

    def _consents(self, random: np.random.Generator) -> Indices:
        agreed = {"email": 0.95, "in_app": 0.98, "push": 0.7, "sms": 0.55}
        bits = np.zeros(len(self), dtype=np.int64)
        for channel, share in agreed.items():
            bits |= (random.random(len(self)) < share).astype(np.int64) << CHANNELS.index(channel)
        return bits


def _offset_hours(zone: str, at: datetime) -> float:
    offset = at.astimezone(ZoneInfo(zone)).utcoffset()
    return offset.total_seconds() / 3600 if offset else 0.0
