"""Replicas come and go without a gap: autoscalers, disruption budgets, pauses and grace periods agree."""

from collections.abc import Iterator

from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, mistake, warning
from frontdesk.system.layout.services import Scaling
from frontdesk.system.options import HttpOptions


def lifetimes(plan: Plan) -> Iterator[Found]:
    """Numbers of replicas, and times of starting and stopping."""
    for running in plan.services:
        key, service, path = running.key, running.service, f"services.{running.key}"
        if service.scaling and service.replicas is not None:
            what = f"`{key}` has an autoscaler and `replicas` as well: each would undo the other"
            yield mistake(plan, f"{path}.replicas", what, "Leave `replicas` out; in an overlay: `replicas: null`.")
        if service.scaling and len(service.scaling.ways_up) > 1:
            yield _one_way(plan, key, service.scaling)
        if service.disruption is not None and service.disruption >= service.least:
            what = f"`{key}` keeps {service.disruption} of {service.least} replicas up: no node could ever be emptied"
            yield mistake(plan, f"{path}.disruption", what, "Keep at least one fewer up than there are replicas.")
        stopping = service.stopping
        if stopping.grace <= stopping.pause + stopping.drain:
            what = (
                f"`{key}` is killed after {stopping.grace} s, and its pause of {stopping.pause} s and drain of "
                f"{stopping.drain} s take as long"
            )
            yield mistake(plan, f"{path}.stopping", what, f"Set `grace` above {stopping.pause + stopping.drain}.")
        if service.rollout.surge == 0 and service.rollout.unavailable == 0:
            what = f"`{key}` may have neither more nor fewer replicas while a release is rolled out: none could be"
            yield mistake(plan, f"{path}.rollout", what, "Set `surge` or `unavailable` above 0.")
        probes = service.probes
        asked = (("liveness", probes.liveness), ("readiness", probes.readiness), ("startup", probes.startup))
        for name, probe in asked:
            if probe and probe.timeout > probe.every:
                what = f"The {name} probe of `{key}` may take {probe.timeout} s and is asked every {probe.every} s"
                yield mistake(plan, f"{path}.probes.{name}", what, "Set `timeout` to `every` or less.")
    yield from _edge(plan)


def _one_way(plan: Plan, key: str, scaling: Scaling) -> Found:
    at = next(at for at, target in enumerate(scaling.own) if target.up)
    what = (
        f"`{key}` adds replicas by `{scaling.own[at].metric}` otherwise than by its other rules, and an autoscaler of "
        "Kubernetes has one way for all of them: the fastest counts for each"
    )
    hint = "It adds no more than the rules ask for, some of it sooner. Leave `up` out there if all should be alike."
    return warning(plan, f"services.{key}.scaling.own.{at}.up", what, hint)


def _edge(plan: Plan) -> Iterator[Found]:
    longest = max((running.service.stopping.drain for running in plan.services), default=0)
    drain = plan.system.section(HttpOptions).drain_seconds
    if plan.services and longest < drain:
        what = f"Running streams may take {drain} s to end, and no service waits longer than {longest} s"
        yield mistake(plan, "http.drain_seconds", what, "Set `stopping.drain` of the services to as much.")
