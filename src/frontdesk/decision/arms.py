"""What the desk can do about a customer: each message by each of its channels and times of day, or nothing.

An arm is known to a policy by its numbers alone, so messages may come and go without a policy being learned anew.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.options import EngagementOptions, MessageOptions
from frontdesk.engagement import CHANNELS, NOTHING, OBJECTIVES, SLOTS, Channel, Genes, Slot
from frontdesk.errors import UnknownArm

ARM_NUMBERS: tuple[str, ...] = ("always", "message", *CHANNELS, *SLOTS, *OBJECTIVES, "offer", "mark")
"""What policies know of an arm. `always` is 1 for nothing as well, everything else is 0 there; `mark` is +1 or -1 by
the message's name, so that two messages that are alike in all else can be told apart."""

STEP = 2.0**-6  # numbers of arms and customers are multiples of it …
LIMIT = 8.0  # … and no larger than this, so that sums of their products are exact in float64


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One choice. `message`, `channel` and `slot` are None for nothing. `numbers` go with `ARM_NUMBERS`; `cost` is what
    sending costs, in units of one conversion; `risk` the least harm that is ever predicted for it."""

    key: str
    message: str | None = None
    channel: Channel | None = None
    slot: Slot | None = None
    numbers: tuple[float, ...]
    cost: float = 0.0
    risk: float = 0.0


class Arms:
    """All arms of a system file under a strategy, nothing first. `numbers` is their matrix, a row for each arm."""

    def __init__(self, arms: tuple[Arm, ...]) -> None:
        self.arms = arms
        self.keys: tuple[str, ...] = tuple(arm.key for arm in arms)
        self.numbers: NDArray[np.float64] = np.array([arm.numbers for arm in arms], dtype=np.float64)
        self.costs: NDArray[np.float64] = np.array([arm.cost for arm in arms], dtype=np.float64)
        self.risks: NDArray[np.float64] = np.array([arm.risk for arm in arms], dtype=np.float64)
        self._places = {key: place for place, key in enumerate(self.keys)}

    @classmethod
    def of(cls, options: EngagementOptions, genes: Genes) -> Self:
        """The arms that the messages of the section make, with the costs of the strategy."""
        nothing = Arm(key=NOTHING, numbers=_numbers({"always": 1.0}))
        return cls((nothing, *(arm for message in options.messages for arm in _arms(message, genes))))

    def __len__(self) -> int:
        return len(self.arms)

    def __iter__(self) -> Iterator[Arm]:
        return iter(self.arms)

    def __getitem__(self, place: int) -> Arm:
        return self.arms[place]

    def index(self, key: str) -> int:
        """Where the arm of this key stands.

        Raises:
            UnknownArm: no message, channel and time of the section make it.
        """
        place = self._places.get(key)
        if place is None:
            raise UnknownArm(f"There is no arm `{key}`.", where=key)
        return place


def channel_cost(genes: Genes, channel: Channel) -> float:
    """What a message by this channel costs, in units of one conversion."""
    costs: dict[Channel, float] = {
        "email": genes.cost_email,
        "sms": genes.cost_sms,
        "push": genes.cost_push,
        "in_app": genes.cost_in_app,
        "telegram": genes.cost_telegram,
        "webhook": genes.cost_webhook,
    }
    return costs[channel]


def _arms(message: MessageOptions, genes: Genes) -> Iterator[Arm]:
    about = dict.fromkeys(message.objectives, 1.0) if len(message.objectives) < len(OBJECTIVES) else {}
    about |= {"always": 1.0, "message": 1.0, "offer": message.offer, "mark": _mark(message.key)}
    for channel in dict.fromkeys(message.channels):
        for slot in dict.fromkeys(message.slots):
            yield Arm(
                key=f"{message.key}/{channel}/{slot}",
                message=message.key,
                channel=channel,
                slot=slot,
                numbers=_numbers({**about, channel: 1.0, slot: 1.0}),
                cost=channel_cost(genes, channel) + genes.cost_offer * message.offer,
                risk=message.risk,
            )


def _numbers(known: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(quantised(known.get(name, 0.0)) for name in ARM_NUMBERS)


def quantised(value: float) -> float:
    """The value on the grid of `STEP`, within `LIMIT`."""
    return round(max(-LIMIT, min(LIMIT, value)) / STEP) * STEP


def _mark(key: str) -> float:
    return 1.0 if sha256(key.encode()).digest()[0] & 1 else -1.0
