"""Who goes first where a node is full: a class for each priority that services with a share of a card say.

Classes are the cluster's, not the namespace's, so their names bear the namespace's: two systems of one cluster, or two
environments of one system, do not take each other's.
"""

from frontdesk.render.kubernetes.naming import labels, namespace
from frontdesk.render.kubernetes.values import Object, Value, plain, reference
from frontdesk.system.layout.plan import Plan, Running

# 0 is every pod without a class: `normal` needs none. Below -10 the cluster's autoscaler would add no node for a pod.
VALUES = {"high": 1000, "low": -10}
SAID = {
    "high": "Takes the place of others where its node is full.",
    "low": "Gives its place to others where its node is full, and takes nobody's.",
}


def class_of(plan: Plan, running: Running) -> Value | None:
    """The name of the class of a service's pods; None: they are as any other."""
    priority = running.service.gpu.priority if running.service.gpu else ""
    if priority not in VALUES:
        return None
    space = namespace(plan)
    where = ("namespace", "name")
    return Value(
        content=f"gpu-{priority}-{plain(space)}",
        said=space.said,
        template=f'printf "gpu-{priority}-%s" {reference(*where)}',
    )


def objects(plan: Plan) -> list[Object]:
    """The classes that some service has."""
    found = {
        running.service.gpu.priority: name
        for running in plan.services
        if running.service.gpu and (name := class_of(plan, running))
    }
    return [_class(plan, priority, found[priority]) for priority in VALUES if priority in found]


def _class(plan: Plan, priority: str, name: Value) -> Object:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name, "labels": labels(plan, plan.name)},
        "value": VALUES[priority],
        "globalDefault": False,
        "preemptionPolicy": "PreemptLowerPriority" if VALUES[priority] > 0 else "Never",
        "description": SAID[priority],
    }
