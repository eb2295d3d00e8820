"""Names, labels and the head that every object has."""

from collections.abc import Mapping

from frontdesk.render.kubernetes.values import Object, Value, value
from frontdesk.system.layout.plan import Plan


def namespace(plan: Plan) -> Value:
    """The namespace's name."""
    return value(plan.deployment.namespace, "namespace", "name")


def selector(plan: Plan, name: str) -> dict[str, str]:
    """What the pods of `name` are told by. It never changes: a Deployment's selector can't."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": plan.name}


def labels(plan: Plan, name: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The common labels of everything that belongs to `name`."""
    return {"app": name, **selector(plan, name), "app.kubernetes.io/part-of": plan.name, **(more or {})}


def head(
    plan: Plan,
    api: str,
    kind: str,
    name: str,
    of: str = "",
    *,
    annotations: Mapping[str, object] | None = None,
    more: Mapping[str, str] | None = None,
    where: str = "",
) -> Object:
    """The beginning of an object: version, kind and metadata.

    `of` is the service or store that it belongs to, `more` further labels, `where` another namespace than the system's.
    """
    metadata: Object = {"name": name, "namespace": where or namespace(plan)}
    metadata["labels"] = labels(plan, of or name, more)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
