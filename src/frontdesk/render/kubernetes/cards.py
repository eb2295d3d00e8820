"""What a service asks of a node's cards, as NVIDIA's device plugin offers them (github.com/NVIDIA/k8s-device-plugin):
whole and shared ones as `nvidia.com/gpu`, parts that MIG cuts as `nvidia.com/mig-PROFILE`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from frontdesk.render.cards import mps_limits
from frontdesk.system.layout.gpu import CardPlan, card_plans
from frontdesk.system.layout.plan import Plan, Running

WHOLE = "nvidia.com/gpu"
PIPE = "CUDA_MPS_PIPE_DIRECTORY"  # which the plugin itself says


@dataclass(frozen=True, slots=True)
class Cards:
    """How many of which resource, and the variables by which a share is kept. None: it runs on the CPU."""

    resource: str = WHOLE
    count: int = 0
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


def cards_of(plan: Plan, running: Running) -> Cards:
    """What `running` asks for; where its host is not described, a share of a card is one of its own."""
    if running.service.resources.gpu:
        return Cards(count=running.service.resources.gpu)
    if running.service.gpu is None:
        return Cards()
    return next((_share(each, running) for each in card_plans(plan) if _has(each, running)), Cards(count=1))


def _has(card: CardPlan, running: Running) -> bool:
    return any(slot.service == running.key for slot in card.slots)


def _share(card: CardPlan, running: Running) -> Cards:
    slot = next(slot for slot in card.slots if slot.service == running.key)
    if card.method == "cpu":
        return Cards()
    if card.method == "mig":
        return Cards(resource=f"nvidia.com/mig-{slot.profile}", count=1)
    limits: Mapping[str, str] = mps_limits(slot, "") if card.method == "mps" else {}
    return Cards(count=1, variables={name: said for name, said in limits.items() if name != PIPE})
