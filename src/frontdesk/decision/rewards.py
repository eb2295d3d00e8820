"""What outcomes are worth, in units of one conversion.

Each kind of outcome counts once for a decision, so one customer who clicks ten times teaches what one click does. What
was sent costs what its channel and its offer cost; what was decided and then not sent costs nothing.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from frontdesk.decision.profiles import MOST_VALUE
from frontdesk.engagement import OUTCOMES, Genes, OutcomeKind

Floats = NDArray[np.float64]
HARM: tuple[OutcomeKind, ...] = ("unsubscribe", "complaint")
STANDARD = Genes()  # by which strategies are compared: a strategy's own weights only say what it strives for

_HARM = np.array([kind in HARM for kind in OUTCOMES])


def worths(genes: Genes) -> Floats:
    """What each kind is worth to a strategy, in the order of `OUTCOMES` [7]."""
    by_kind: dict[OutcomeKind, float] = {
        "open": genes.reward_open,
        "click": genes.reward_click,
        "reply": genes.reward_reply,
        "conversion": genes.reward_conversion,
        "unsubscribe": genes.reward_unsubscribe,
        "complaint": genes.reward_complaint,
        "bounce": genes.reward_bounce,
    }
    return np.array([by_kind[kind] for kind in OUTCOMES])


def rewards(counts: Floats, values: Floats, costs: Floats, genes: Genes = STANDARD) -> Floats:
    """The reward of each decision [N].

    `counts` [N, 7] says how often each kind of outcome came, `values` [N] what conversions were worth in money (more
    than `MOST_VALUE` is taken for that: sums of what senders make up may be infinite), `costs` [N] what was spent on it
    in units of one conversion.
    """
    money: Floats = np.log1p(np.clip(values, 0.0, MOST_VALUE))
    return np.minimum(counts, 1.0) @ worths(genes) + genes.value_weight * money - costs


def harmed(counts: Floats) -> Floats:
    """1 for decisions that drove the customer away, 0 for others [N]."""
    return (counts[:, _HARM].sum(axis=1) > 0).astype(np.float64)


def counted(kinds: Iterable[OutcomeKind]) -> Floats:
    """How often each kind is among these [7]."""
    counts = np.zeros(len(OUTCOMES))
    for kind in kinds:
        counts[OUTCOMES.index(kind)] += 1
    return counts
