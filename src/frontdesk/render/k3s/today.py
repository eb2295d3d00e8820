"""The stores of today under the names that they will have in the cluster, while the services move before them."""

from frontdesk.render.target import yaml_text
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres, Redis

SOMEWHERE = "old-host.example.com"


def own_stores(plan: Plan) -> tuple[Postgres | Redis, ...]:
    """The stores that move with the system."""
    return tuple(store for store in plan.stores.values() if not store.managed)


def bridge(plan: Plan) -> str:
    """A service for each store's name that leads to the machine where the store is today."""
    objects = [_leads(plan, store, name) for store in own_stores(plan) for name in _names(store)]
    return "# Deleted in week 3, when the stores move.\n" + yaml_text(*objects)


def _names(store: Postgres | Redis) -> tuple[str, ...]:
    """What services call it, and the pooler before it."""
    pooler = (store.pooler.name,) if isinstance(store, Postgres) and store.pooler else ()
    return (store.name, *store.names, *pooler)


def _leads(plan: Plan, store: Postgres | Redis, name: str) -> dict[str, object]:
    hosts = [plan.hosts[each] for each in store.host if each in plan.hosts]
    address = hosts[0].address if hosts and hosts[0].address else SOMEWHERE
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": plan.deployment.namespace,
            "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": plan.name},
        },
        "spec": {"type": "ExternalName", "externalName": address},
    }
