"""How many replicas, by need; how large they should be; and how many stay while nodes are kept up."""

from frontdesk.render.kubernetes.namespace import amount
from frontdesk.render.kubernetes.naming import head, selector
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.services import OwnTarget, Scaling, Steps


def objects(plan: Plan) -> list[Object]:
    """Autoscalers and disruption budgets of all services."""
    found: list[Object] = []
    for running in plan.services:
        if running.service.scaling:
            found.append(_horizontal(plan, running, running.service.scaling))
        found += _budget(plan, running)
    return found


def recommendations(plan: Plan) -> list[Object]:
    """Autoscalers that only recommend: changing requests by themselves, they would fight those that add replicas."""
    return [_vertical(plan, running) for running in plan.services if running.service.vertical]


def _horizontal(plan: Plan, running: Running, scaling: Scaling) -> Object:
    metrics = [_resource(name, bound) for name, bound in (("cpu", scaling.cpu), ("memory", scaling.memory)) if bound]
    metrics += [_own(running, target) for target in scaling.own]
    spec: Object = {
        "scaleTargetRef": _of(running),
        "minReplicas": value(scaling.least, "services", running.name, "autoscaling", "minReplicas"),
        "maxReplicas": value(scaling.most, "services", running.name, "autoscaling", "maxReplicas"),
        "metrics": value(metrics, "services", running.name, "autoscaling", "metrics"),
        "behavior": value(
            {"scaleUp": _steps(*scaling.ways_up), "scaleDown": _steps(scaling.down)},
            *("services", running.name, "autoscaling", "behavior"),
        ),
    }
    return head(plan, "autoscaling/v2", "HorizontalPodAutoscaler", f"{running.name}-hpa", running.name) | {"spec": spec}


def _resource(name: str, percent: int) -> Object:
    return {
        "type": "Resource",
        "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}},
    }


def _own(running: Running, target: OwnTarget) -> Object:
    """A metric of each replica, or one of the service as a whole that is shared out among the replicas."""
    average = {"type": "AverageValue", "averageValue": _quantity(target.average)}
    if target.per == "replica":
        return {"type": "Pods", "pods": {"metric": {"name": target.metric}, "target": average}}
    return {"type": "External", "external": {"metric": {"name": external_name(running, target)}, "target": average}}


def external_name(running: Running, target: OwnTarget) -> str:
    """What a figure of a whole service is called in the cluster; two services may have one of the same name."""
    return f"{running.name.replace('-', '_')}_{target.metric}"


def _steps(*ways: Steps) -> Object:
    """Of several ways the fastest: an autoscaler has one behaviour, whichever of its metrics asks."""
    found: Object = {"stabilizationWindowSeconds": min(steps.window for steps in ways)}
    most: dict[tuple[str, int], int] = {}
    for steps in ways:
        for kind, count in (("Percent", steps.percent), ("Pods", steps.replicas)):
            if count:
                most[kind, steps.period] = max(count, most.get((kind, steps.period), 0))
    policies = [{"type": kind, "value": count, "periodSeconds": period} for (kind, period), count in most.items()]
    return found | ({"selectPolicy": "Max", "policies": policies} if policies else {"selectPolicy": "Disabled"})


def _quantity(number: float) -> str:
    """As Kubernetes writes it, to a thousandth: `100`, `2500m`."""
    thousandths = round(number * 1000)
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def _budget(plan: Plan, running: Running) -> list[Object]:
    """One that leaves room to move: a budget as large as the replicas would hold up every upkeep of a node."""
    said, least = running.service.disruption, running.service.least
    if least < 2 or (said is not None and said >= least):
        return []
    return [budget(plan, running.name, {"minAvailable": said} if said else {"maxUnavailable": 1})]


def budget(plan: Plan, name: str, bound: Object) -> Object:
    """How many pods of `name` stay while nodes are emptied; broken ones hold nobody up."""
    spec = {**bound, "selector": {"matchLabels": selector(plan, name)}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
    return head(plan, "policy/v1", "PodDisruptionBudget", f"{name}-pdb", name) | {"spec": spec}


def _vertical(plan: Plan, running: Running) -> Object:
    bounds = running.service.vertical
    assert bounds is not None
    container: Object = {
        "containerName": running.name,
        "controlledResources": ["cpu", "memory"],
        "minAllowed": value(amount(bounds.least), "services", running.name, "recommend", "least"),
        "maxAllowed": value(amount(bounds.most), "services", running.name, "recommend", "most"),
    }
    spec: Object = {
        "targetRef": _of(running),
        "updatePolicy": {"updateMode": "Off"},
        "resourcePolicy": {"containerPolicies": [container]},
    }
    name = f"{running.name}-vpa"
    return head(plan, "autoscaling.k8s.io/v1", "VerticalPodAutoscaler", name, running.name) | {"spec": spec}


def _of(running: Running) -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": running.name}
