"""What the stores have in common: a StatefulSet with a volume of its own, and the names it is reached by."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from frontdesk.render.kubernetes.naming import head, selector
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.kubernetes.workloads import service
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import bytes_text
from frontdesk.system.layout.stores import Postgres, Redis, Storage


def set_name(server_name: str) -> str:
    """The StatefulSet behind a service called `server_name`: `postgres-primary-service` has `postgres-primary-0`."""
    return server_name.removesuffix("-service")


def claim_of(name: str, number: int = 0) -> str:
    """The volume claim of a pod of the set `name`."""
    return f"{name}-storage-{name}-{number}"


def stateful_set(
    plan: Plan,
    name: str,
    *,
    replicas: int,
    storage: Storage,
    template: Object,
    key: str,
) -> Object:
    """`name` and its volumes. They outlive it: whoever deletes data does so by hand."""
    claim: Object = {
        "metadata": {"name": f"{name}-storage"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            **({"storageClassName": storage.storage_class} if storage.storage_class else {}),
            "resources": {"requests": {"storage": value(bytes_text(storage.size), "stores", key, "storage")}},
        },
    }
    spec: Object = {
        "serviceName": pods_name(name),
        "replicas": replicas,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate"},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
        "selector": {"matchLabels": selector(plan, name)},
        "template": template,
        "volumeClaimTemplates": [claim],
    }
    return head(plan, "apps/v1", "StatefulSet", name) | {"spec": spec}


def pods_name(name: str) -> str:
    """The headless service of a set, that gives each pod a name of its own."""
    return f"{name}-pods"


def names_of(plan: Plan, name: str, names: Sequence[str], port_name: str, port: int) -> list[Object]:
    """A service for each name, and the headless one."""
    ports: list[Object] = [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}]
    found = [service(plan, each, name, ports) for each in dict.fromkeys(names)]
    return [*found, service(plan, pods_name(name), name, ports, clusterIP="None", publishNotReadyAddresses=True)]


def config_map(plan: Plan, name: str, files: Mapping[str, str]) -> Object:
    """Files of a store."""
    return head(plan, "v1", "ConfigMap", f"{name}-config", name) | {"data": dict(files)}


def config_sum(files: Mapping[str, str]) -> dict[str, object]:
    """The annotation that changes with them: servers read their files at their start alone."""
    return {"checksum/config": sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()}


def running_stores(plan: Plan) -> dict[str, Postgres | Redis]:
    """The stores that run here, by key; what others run has only an address."""
    return {key: store for key, store in plan.stores.items() if not store.managed}


def probes(ready: Sequence[str], *, first: int) -> Object:
    """`ready` is a command that succeeds when the server answers; it may take `first` seconds until it does at all."""
    asked: Object = {"exec": {"command": list(ready)}}
    return {
        "startupProbe": asked | {"periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": max(1, first // 5)},
        "livenessProbe": asked | {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 5},
        "readinessProbe": asked | {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3},
    }
