"""CPU, memory and cards: everything fits its hosts, at the fewest replicas and at the most, and the quota."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from frontdesk.system.layout.gpu import card_plans
from frontdesk.system.layout.hosts import Host
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, mistake, warning
from frontdesk.system.layout.quantities import bytes_text, cores_text
from frontdesk.system.layout.services import Amounts, Placement, Resources
from frontdesk.system.layout.stores import Pooler, Postgres

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica of something, and where it may run."""

    owner: str
    path: str
    cpu: int
    memory: int
    gpu: int
    host: tuple[str, ...]
    placement: Placement


@dataclass(slots=True)
class Node:
    """One machine, and what is left of it."""

    host: str
    kind: Host
    cpu: int
    memory: int
    gpu: int

    def takes(self, pod: Pod) -> bool:
        """Whether the replica may run here and there is room."""
        named = not pod.host or self.host in pod.host
        labelled = pod.placement.labels.items() <= self.kind.labels.items()
        borne = not self.kind.taint or self.kind.taint in pod.placement.tolerations
        return (
            named and labelled and borne and self.cpu >= pod.cpu and self.memory >= pod.memory and self.gpu >= pod.gpu
        )


def capacity(plan: Plan) -> Iterator[Found]:
    """Hosts, cards, quota."""
    for cards in card_plans(plan):
        for what, hint in cards.problems:
            yield mistake(plan, f"hosts.{cards.host}.gpu", f"On `{cards.host}` {what}", hint)
    for running in plan.services:
        if plan.hosts and running.service.gpu and not running.service.host:
            what = f"`{running.key}` wants a share of a card, and names no host whose card that is"
            hint = "Name it under `host`; whole cards of any host are asked for by `resources.gpu`."
            yield mistake(plan, f"services.{running.key}.gpu", what, hint)
        yield from _bounds(plan, f"services.{running.key}.resources", running.key, running.service.resources)
    for name, store in plan.stores.items():
        yield from _bounds(plan, f"stores.{name}.resources", name, store.resources)
    if plan.hosts:
        yield from _fits(plan)
    yield from _quota(plan)


def _bounds(plan: Plan, path: str, who: str, resources: Resources) -> Iterator[Found]:
    least, most = resources.requests, resources.limits
    for what, asked, bound, text in (
        ("CPU", least.cpu, most.cpu, cores_text),
        ("memory", least.memory, most.memory, bytes_text),
        ("scratch disk", least.scratch, most.scratch, bytes_text),
    ):
        if bound and asked > bound:
            told = f"`{who}` asks for {text(asked)} of {what} and may never have more than {text(bound)}"
            yield mistake(plan, path, told, "Raise the limit, or ask for less.")


def _fits(plan: Plan) -> Iterator[Found]:
    nodes = _nodes(plan.hosts, grown=False)
    left = _place(_pods(plan, most=False), nodes)
    for pod in {pod.owner: pod for pod in left}.values():
        count = sum(each.owner == pod.owner for each in left)
        size = f"{cores_text(pod.cpu)} CPU, {bytes_text(pod.memory)}" + (f", {pod.gpu} GPU" if pod.gpu else "")
        what = f"No host has room for {count} of the replicas of `{pod.owner}` ({size})"
        where = ", ".join(pod.host) or "every host"
        hint = f"Looked at {where}, with labels and taints: add machines, ask for less, or let it run elsewhere."
        yield mistake(plan, pod.path, what, hint)
    if left:
        return
    pods = _pods(plan, most=True)
    rest = _place(pods, _nodes(plan.hosts, grown=True))
    if rest:
        nodes = _nodes(plan.hosts, grown=True)
        owners = ", ".join(dict.fromkeys(pod.owner for pod in rest))
        what = (
            f"All services at their most ask for {_sum(pods)}; the hosts have {_sum(nodes)}, "
            f"and there is no room for all of {owners}"
        )
        yield warning(plan, "hosts", what, "Raise `count` or `most` of the hosts, or lower `scaling.most`.")


def _sum(parts: Sequence[Pod] | Sequence[Node]) -> str:
    cpu, memory = sum(part.cpu for part in parts) / 1000, sum(part.memory for part in parts) / GIB
    return f"{cpu:.1f} CPU and {memory:.1f} GiB"


def _nodes(hosts: Mapping[str, Host], *, grown: bool) -> list[Node]:
    return [
        Node(name, host, host.cpu, host.memory, host.gpu.count if host.gpu else 0)
        for name, host in hosts.items()
        for _ in range((host.most or host.count) if grown else host.count)
    ]


def _pods(plan: Plan, *, most: bool) -> list[Pod]:
    found: list[Pod] = []
    for running in plan.services:
        service = running.service
        asked, path = service.resources.requests, f"services.{running.key}.resources"
        one = Pod(running.key, path, asked.cpu, asked.memory, service.resources.gpu, service.host, service.placement)
        found += [one] * (service.most if most else service.least)
    for name, store in plan.stores.items():
        asked = store.resources.requests
        if not store.managed:
            one = Pod(name, f"stores.{name}.resources", asked.cpu, asked.memory, 0, store.host, store.placement)
            found += [one] * (1 + store.replicas)
    for pooler in _poolers(plan):
        asked, path = pooler.resources.requests, "stores.postgres.pooler"
        found += [Pod("pooler", path, asked.cpu, asked.memory, 0, (), Placement())] * pooler.replicas
    return found


def _poolers(plan: Plan) -> list[Pooler]:
    """The pooler before the database, if there is one of ours."""
    postgres = plan.stores.get("postgres")
    pooler = postgres.pooler if isinstance(postgres, Postgres) and not postgres.managed else None
    return [pooler] if pooler else []


def _place(pods: list[Pod], nodes: list[Node]) -> list[Pod]:
    """Those that find no room, when the largest are placed first, each where the least is left over."""
    rest: list[Pod] = []
    for pod in sorted(pods, key=lambda pod: (-pod.gpu, -pod.cpu, -pod.memory, pod.owner)):
        fitting = [node for node in nodes if node.takes(pod)]
        if not fitting:
            rest.append(pod)
            continue
        node = min(fitting, key=lambda node: (bool(node.kind.gpu) > bool(pod.gpu), node.cpu, node.memory))
        node.cpu, node.memory, node.gpu = node.cpu - pod.cpu, node.memory - pod.memory, node.gpu - pod.gpu
    return rest


def _quota(plan: Plan) -> Iterator[Found]:
    quota = plan.deployment.quota
    if quota is None:
        return
    holders: list[tuple[Amounts, Amounts, int]] = [
        (running.service.resources.requests, running.service.resources.limits, running.service.most)
        for running in plan.services
    ]
    holders += [
        (store.resources.requests, store.resources.limits, 1 + store.replicas)
        for store in plan.stores.values()
        if not store.managed
    ]
    holders += [(each.resources.requests, each.resources.limits, each.replicas) for each in _poolers(plan)]
    for name, bound, asked, text in (
        ("requests_cpu", quota.requests_cpu, sum(r.cpu * n for r, _, n in holders), _cores),
        ("requests_memory", quota.requests_memory, sum(r.memory * n for r, _, n in holders), bytes_text),
        ("limits_cpu", quota.limits_cpu, sum(b.cpu * n for _, b, n in holders), _cores),
        ("limits_memory", quota.limits_memory, sum(b.memory * n for _, b, n in holders), bytes_text),
    ):
        if bound and asked > bound:
            what = f"At the most replicas {text(asked)} of {name} are asked for, and the quota is {text(bound)}"
            hint = "Raise the quota, or lower `scaling.most`."
            yield mistake(plan, f"deployment.quota.{name}", what, hint)


def _cores(thousandths: int) -> str:
    return f"{thousandths / 1000:g}"
