"""NVIDIA's device plugin: how many services may have a part of each machine's card, and by which method.

The plugin's MPS gives equal parts of memory and computing (github.com/NVIDIA/k8s-device-plugin, "With CUDA MPS"). Where
a share is larger than that, services take turns, and each bounds its own memory.
"""

from dataclasses import dataclass

from frontdesk.render.target import yaml_text
from frontdesk.system.layout.gpu import CardPlan, card_plans
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import bytes_text

CHART_VERSION = "0.17.4"
CHARTS = "https://nvidia.github.io/k8s-device-plugin"
RESOURCE = "nvidia.com/gpu"
GIB = 2**30


@dataclass(frozen=True, slots=True)
class CardConfiguration:
    """What the plugin is told of one node, and why."""

    node: str
    method: str
    reason: str
    values: dict[str, object]


def card_configurations(plan: Plan) -> tuple[CardConfiguration, ...]:
    """One for each node with a card, in the order of the file."""
    shared = {card.host: card for card in card_plans(plan) if card.method != "cpu"}
    found: list[CardConfiguration] = []
    for name, host in plan.hosts.items():
        if host.gpu is None:
            continue
        card = shared.get(name)
        found.append(_shared(plan, card) if card else CardConfiguration(name, "whole", "nobody shares it", _said()))
    return tuple(found)


def device_plugin(cards: tuple[CardConfiguration, ...]) -> str:
    """A manifest that k3s applies by itself."""
    settings = {card.node: yaml_text(card.values) for card in cards}
    values = {
        "config": {"map": settings, "default": cards[0].node},
        "gfd": {"enabled": True},
        "nodeSelector": {},
    }
    chart = {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "nvidia-device-plugin", "namespace": "kube-system"},
        "spec": {
            "repo": CHARTS,
            "chart": "nvidia-device-plugin",
            "version": CHART_VERSION,
            "targetNamespace": "nvidia-device-plugin",
            "createNamespace": True,
            "valuesContent": yaml_text(values),
        },
    }
    head = "".join(f"# {card.node}: {card.method}.\n#   {card.reason}.\n" for card in cards)
    return head + yaml_text(chart)


def _shared(plan: Plan, card: CardPlan) -> CardConfiguration:
    method, reason = _method(plan, card)
    if method == "mig":
        return CardConfiguration(card.host, method, reason, _said(strategy="mixed"))
    if method == "whole":
        return CardConfiguration(card.host, method, reason, _said())
    parts: dict[str, object] = {"resources": [{"name": RESOURCE, "replicas": len(card.slots)}]}
    if method == "time-slicing":
        parts = {"failRequestsGreaterThanOne": True, **parts}
    sharing = {"sharing": {"mps" if method == "mps" else "timeSlicing": parts}}
    return CardConfiguration(card.host, method, reason, _said() | sharing)


def _method(plan: Plan, card: CardPlan) -> tuple[str, str]:
    """MPS of the plugin, if its equal parts are enough for everybody; else turns."""
    if card.method != "mps":
        return card.method, card.reason
    gpu = plan.hosts[card.host].gpu
    part = (gpu.memory * gpu.count if gpu else 0) // len(card.slots)
    larger = [slot for slot in card.slots if slot.memory > part]
    if not larger:
        return "mps", card.reason
    wants = ", ".join(f"{slot.service} wants {bytes_text(slot.memory)}" for slot in larger)
    return (
        "time-slicing",
        f"the plugin's MPS gives each of {len(card.slots)} the same {part / GIB:.1f} GiB of {card.model}, but {wants}; "
        "they take turns, and each bounds its own memory",
    )


def _said(strategy: str = "none") -> dict[str, object]:
    return {"version": "v1", "flags": {"migStrategy": strategy}}
