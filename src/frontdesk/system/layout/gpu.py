"""How the services of a host share its cards: by MIG where the card has it, else by MPS, else by time-slicing.

What the cards can do is NVIDIA's word: the MIG User Guide (supported GPUs, profiles of each) and the MPS documentation
(limits of memory and threads for a client need Volta or newer).
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from frontdesk.system.layout.hosts import Gpu, Host
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.quantities import bytes_text

Method = Literal["whole", "mig", "mps", "time-slicing", "cpu"]
GIB = 2**30
GB = 10**9


@dataclass(frozen=True, slots=True)
class Profile:
    """A size that MIG can cut: `compute` of the card's compute slices, `places` of its memory slices."""

    name: str
    compute: int
    places: int
    memory: int


@dataclass(frozen=True, slots=True)
class Cut:
    """How MIG divides one model of a card."""

    compute: int
    places: int
    profiles: tuple[Profile, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """What a replica of a service gets of a card: percent of its computing, bytes of its memory, of MIG the profile.

    `count` is how many replicas of it one machine bears.
    """

    service: str
    number: int | None
    compute: int
    memory: int
    priority: str
    profile: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class CardPlan:
    """How the cards of one host are shared, and why so. `problems`, each with its remedy, keep it from working."""

    host: str
    model: str
    method: Method
    reason: str
    slots: tuple[Slot, ...]
    problems: tuple[tuple[str, str], ...] = ()


def _cut(compute: int, places: int, *sizes: tuple[int, int, int]) -> Cut:
    return Cut(compute, places, tuple(Profile(f"{g}g.{gb}gb", g, p, gb * GB) for g, p, gb in sizes))


_MIG: tuple[tuple[str, int, Cut], ...] = (  # a word of the model, the least memory in GB, and how it is cut
    ("B200", 150, _cut(7, 8, (1, 1, 23), (1, 2, 45), (2, 2, 45), (3, 4, 90), (4, 4, 90), (7, 8, 180))),
    ("H200", 130, _cut(7, 8, (1, 1, 18), (1, 2, 35), (2, 2, 35), (3, 4, 71), (4, 4, 71), (7, 8, 141))),
    ("H100", 60, _cut(7, 8, (1, 1, 10), (1, 2, 20), (2, 2, 20), (3, 4, 40), (4, 4, 40), (7, 8, 80))),
    ("A100", 60, _cut(7, 8, (1, 1, 10), (1, 2, 20), (2, 2, 20), (3, 4, 40), (4, 4, 40), (7, 8, 80))),
    ("A100", 0, _cut(7, 8, (1, 1, 5), (1, 2, 10), (2, 2, 10), (3, 4, 20), (4, 4, 20), (7, 8, 40))),
    ("A30", 0, _cut(4, 4, (1, 1, 6), (2, 2, 12), (4, 4, 24))),
    ("RTX PRO 6000", 0, _cut(4, 4, (1, 1, 24), (2, 2, 48), (4, 4, 96))),
)
_BEFORE_VOLTA = ("GTX 10", "GTX 9", "P100", "P40", "P4", "M60", "M40", "K80", "QUADRO P", "QUADRO M")
_PRIORITY = {"high": 0, "normal": 1, "low": 2}


def card_plans(plan: Plan) -> tuple[CardPlan, ...]:
    """How the cards of each host are shared among the services that name it. Hosts that no service wants a share of are
    left out; on a host without a card such services run on the CPU."""
    found: list[CardPlan] = []
    for name, host in plan.hosts.items():
        slots = tuple(_slots(plan, name))
        if slots:
            found.append(_of_host(name, host, slots))
    return tuple(found)


def cut_of(gpu: Gpu) -> Cut | None:
    """How MIG divides this card; None where it has no MIG."""
    model = gpu.model.upper()
    return next((cut for word, least, cut in _MIG if word in model and gpu.memory >= least * GB * 0.9), None)


def has_limits(gpu: Gpu) -> bool:
    """Whether MPS can bound what one client takes: Volta or newer."""
    return not any(word in gpu.model.upper() for word in _BEFORE_VOLTA)


def _slots(plan: Plan, host: str) -> list[Slot]:
    sharing = [running for running in plan.services if running.service.gpu and host in running.service.host]
    slots = [
        Slot(running.key, share.slot, share.compute, share.memory, share.priority, count=_on_each(plan, running))
        for running in sharing
        if (share := running.service.gpu) is not None
    ]
    return sorted(slots, key=lambda slot: (slot.number is None, slot.number or 0, slot.service))


def _on_each(plan: Plan, running: Running) -> int:
    """How many replicas one machine bears when they are spread over all that the service names."""
    machines = sum(plan.hosts[host].count for host in running.service.host if host in plan.hosts)
    return math.ceil(running.service.least / max(machines, 1))


def _of_host(name: str, host: Host, slots: tuple[Slot, ...]) -> CardPlan:
    gpu = host.gpu
    if gpu is None:
        return CardPlan(name, "", "cpu", "the host has no card", slots)
    wanted, cut = gpu.sharing, cut_of(gpu)
    problems = [*_twice(slots), *_too_much(gpu, slots)]
    if wanted == "mig" and cut is None:
        problems.append((f"the {gpu.model} has no MIG", "Leave `gpu.sharing` out, or say `mps` or `time-slicing`."))
    divided = _divided(cut, gpu, slots) if cut is not None and wanted in ("auto", "mig") else None
    if wanted == "mig" and cut is not None and divided is None:
        hint = "Leave `gpu.sharing` out, or ask for shares that its profiles have."
        problems.append((f"the profiles of the {gpu.model} do not give these shares together", hint))
    method, reason = _method(gpu, slots, cut, divided)
    return CardPlan(name, gpu.model, method, reason, divided if method == "mig" and divided else slots, tuple(problems))


def _method(gpu: Gpu, slots: Sequence[Slot], cut: Cut | None, divided: Sequence[Slot] | None) -> tuple[Method, str]:
    if gpu.sharing not in ("auto", "mig"):
        return gpu.sharing, "the file says so"
    if divided is not None:
        return "mig", f"{gpu.model} can be cut by MIG, which isolates faults, and its profiles give these shares"
    if len(slots) == 1 and slots[0].compute == 100 and slots[0].count <= gpu.count:
        return "whole", "one service alone uses it"
    why = f"{gpu.model} has no MIG" if cut is None else f"MIG's profiles of {gpu.model} do not give these shares"
    if has_limits(gpu):
        return "mps", f"{why}; MPS bounds threads and memory of each, but does not isolate faults"
    return (
        "time-slicing",
        f"{why}, and it is older than what MPS can bound; they take turns, their memory is not bounded",
    )


def _twice(slots: Sequence[Slot]) -> Iterator[tuple[str, str]]:
    """Slots that two services want."""
    for first, second in itertools.pairwise(slots):  # by their numbers
        if first.number is not None and first.number == second.number:
            what = f"`{first.service}` and `{second.service}` both want slot {first.number}"
            yield what, "Give one of them another `gpu.slot`."


def _too_much(gpu: Gpu, slots: Sequence[Slot]) -> Iterator[tuple[str, str]]:
    """Shares that exceed the cards, each placed on the first card with room, the largest first."""
    room = gpu.memory - gpu.spare
    free = [[100, room] for _ in range(gpu.count)]
    replicas = [slot for slot in slots for _ in range(slot.count)]
    for slot in sorted(replicas, key=lambda slot: (-slot.memory, -slot.compute)):
        card = next((card for card in free if card[0] >= slot.compute and card[1] >= slot.memory), None)
        if card is None:
            most = max(free, key=lambda card: card[1])
            what = (
                f"`{slot.service}` wants {slot.compute} % and {bytes_text(slot.memory)} of the card ({gpu.model}), "
                f"and at most {most[0]} % and {most[1] / GIB:.1f} GiB are left"
            )
            yield what, "Lower the shares or the replicas, or give the host a larger card or more of them."
        else:
            card[0] -= slot.compute
            card[1] -= slot.memory


def _divided(cut: Cut | None, gpu: Gpu, slots: Sequence[Slot]) -> tuple[Slot, ...] | None:
    """The shares in profiles of MIG on the cards together; None where they do not fit."""
    if cut is None:
        return None
    compute, places = cut.compute * gpu.count, cut.places * gpu.count
    divided: dict[str, Slot] = {}
    for slot in sorted((slot for slot in slots for _ in range(slot.count)), key=lambda slot: _PRIORITY[slot.priority]):
        needed = slot.compute * cut.compute / 100
        profile = next((each for each in cut.profiles if each.memory >= slot.memory and each.compute >= needed), None)
        if profile is None or profile.compute > compute or profile.places > places:
            return None
        compute, places = compute - profile.compute, places - profile.places
        share = round(100 * profile.compute / cut.compute)
        divided[slot.service] = replace(slot, compute=share, memory=profile.memory, profile=profile.name)
    return tuple(divided[slot.service] for slot in slots if slot.service in divided)
