"""Names, labels and the head that every object has."""

from collections.abc import Mapping

from frontdesk.render.kubernetes.values import Object, Value, plain, value
from frontdesk.system.layout.plan import Plan


def namespace(plan: Plan) -> Value:
    """The namespace's name."""
    return value(plan.deployment.namespace, "namespace", "name")


def config_name(plan: Plan) -> Value:
    """The config map of variables."""
    return value(plan.config_name, "config", "name")


def secret_name(plan: Plan) -> Value:
    """The secret."""
    return value(plan.secret_name, "secrets", "name")


def tls_secret(plan: Plan) -> Value:
    """The secret with the edge's certificate."""
    return value(plan.tls_secret, "edge", "tlsSecret")


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
    name: str | Value,
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
    metadata["labels"] = labels(plan, of or str(plain(name)), more)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata}
