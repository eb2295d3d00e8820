"""The stores of today under the names that they will have in the cluster, while the services move before them.

Where the machine has a name, theirs lead to that name (`ExternalName`). To an address they lead by a Service without
pods and an EndpointSlice (kubernetes.io/docs/concepts/services-networking/service, "Services without selectors").
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

from frontdesk.render.kubernetes.values import Object
from frontdesk.render.target import yaml_text
from frontdesk.system.layout.names import address_in
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres, Redis

SOMEWHERE = "old-host.example.com"


def own_stores(plan: Plan) -> tuple[Postgres | Redis, ...]:
    """The stores that move with the system."""
    return tuple(store for store in plan.stores.values() if not store.managed)


def bridge(plan: Plan) -> str:
    """A service for each store's name that leads to the machine where the store is today."""
    objects = (
        each for store in own_stores(plan) for name, port in _names(store) for each in _leads(plan, store, name, port)
    )
    return "# Deleted in week 3, when the stores move.\n" + yaml_text(*objects)


def _names(store: Postgres | Redis) -> tuple[tuple[str, int], ...]:
    """What services call it, and the pooler before it; each with its port."""
    pooler = ((store.pooler.name, store.pooler.port),) if isinstance(store, Postgres) and store.pooler else ()
    return (*((name, store.port) for name in (store.name, *store.names)), *pooler)


def _leads(plan: Plan, store: Postgres | Redis, name: str, port: int) -> Iterator[Object]:
    hosts = [plan.hosts[each] for each in store.host if each in plan.hosts]
    said = hosts[0].address if hosts and hosts[0].address else SOMEWHERE
    address = address_in(said)
    if address is None:
        yield _head(plan, "v1", "Service", name) | {"spec": {"type": "ExternalName", "externalName": said}}
    elif address.is_loopback or address.is_link_local or address.is_unspecified:  # another machine cannot reach that
        yield _head(plan, "v1", "Service", name) | {"spec": {"type": "ExternalName", "externalName": SOMEWHERE}}
    else:
        yield from _at(plan, name, address, port)


def _at(plan: Plan, name: str, address: IPv4Address | IPv6Address, port: int) -> Iterator[Object]:
    """Headless, so that the name is the address itself, and no proxy of a node stands between."""
    named = {"name": "store", "port": port, "protocol": "TCP"}
    family = f"IPv{address.version}"
    yield _head(plan, "v1", "Service", name) | {
        "spec": {"clusterIP": "None", "ipFamilyPolicy": "SingleStack", "ipFamilies": [family], "ports": [named]}
    }
    of_service = {"kubernetes.io/service-name": name}
    yield _head(plan, "discovery.k8s.io/v1", "EndpointSlice", name, of_service) | {
        "addressType": family,
        "ports": [named],
        "endpoints": [{"addresses": [str(address)], "conditions": {"ready": True}}],
    }


def _head(plan: Plan, api: str, kind: str, name: str, more: Mapping[str, str] | None = None) -> Object:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": plan.deployment.namespace,
            "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": plan.name, **(more or {})},
        },
    }
