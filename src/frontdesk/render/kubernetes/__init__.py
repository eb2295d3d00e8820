"""Kubernetes: a system as objects of an API server, in files that are applied in their order."""

from collections.abc import Mapping
from typing import cast

from frontdesk.render.kubernetes import (
    accounts,
    adapter,
    backup,
    config,
    namespace,
    network,
    postgres,
    priorities,
    redis,
    scaling,
    secrets,
    snapshots,
    traffic,
    workloads,
)
from frontdesk.render.kubernetes.stateful import running_stores
from frontdesk.render.kubernetes.values import Object, plain
from frontdesk.render.target import Target, yaml_text
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres

KUSTOMIZATION = "kustomization.yaml"
SAID = {
    "00-namespace.yaml": "The namespace with its Pod Security labels, quota, and what containers get that say nothing.",
    "10-config.yaml": "Variables of all services, and the system file.",
    "12-accounts.yaml": "An identity for each service, without a token: none of them asks the API server.",
    "13-priorities.yaml": "Who goes first where a node is full. These are the cluster's, not the namespace's.",
    "40-edge.yaml": "The way in from the internet.",
    "50-scaling.yaml": "Autoscalers, and how many replicas stay during upkeep of nodes.",
    "51-recommendations.yaml": "Recommends requests; changes none.",
    "60-network.yaml": "Nobody talks to anybody, except along the edges that the system file says.",
    "70-backup.yaml": "A backup every day, and all of them read again every week.",
    "71-snapshots.yaml": "A snapshot of the stores' volumes every week.",
}


def documents(plan: Plan) -> dict[str, list[Object]]:
    """The objects by file, in the order of applying; some of their parts are a `Value`."""
    found: dict[str, list[Object]] = {
        "00-namespace.yaml": namespace.objects(plan),
        "10-config.yaml": config.objects(plan),
        secrets.FILE: secrets.objects(plan),
        "12-accounts.yaml": accounts.objects(plan),
        "13-priorities.yaml": priorities.objects(plan),
    }
    for number, (key, store) in enumerate(running_stores(plan).items()):
        made = postgres.objects(plan, store) if isinstance(store, Postgres) else redis.objects(plan, key, store)
        found[f"{20 + number}-{key}.yaml"] = made
    for running in plan.services:
        found[f"30-services/{running.name}.yaml"] = workloads.objects(plan, running)
    found |= {
        "40-edge.yaml": traffic.objects(plan),
        "50-scaling.yaml": scaling.objects(plan),
        "51-recommendations.yaml": scaling.recommendations(plan),
        "60-network.yaml": network.objects(plan),
        "70-backup.yaml": backup.objects(plan),
        "71-snapshots.yaml": snapshots.objects(plan),
    }
    return {file: objects for file, objects in found.items() if objects}


def objects(plan: Plan) -> list[Mapping[str, object]]:
    """Every object as the API server is told it, in the order of applying."""
    return [cast("Mapping[str, object]", plain(each)) for made in documents(plan).values() for each in made]


def files(plan: Plan) -> dict[str, str]:
    """A file for each subject, and a kustomization of them all."""
    made = documents(plan)
    found = {file: _file(plan, file, each) for file, each in made.items()}
    if plan.deployment.secrets_from == "plain":
        found[secrets.TEMPLATE] = f"# {secrets.comment(plan)}\n" + yaml_text(plain(secrets.template(plan)))
    if adapting := adapter.objects(plan):
        found[adapter.FILE] = f"# {adapter.comment(plan)}\n" + yaml_text(*(plain(each) for each in adapting))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "sortOptions": {"order": "fifo"},
        "resources": list(made),
    }
    head = f"# {plan.name} for {plan.environment}, in the order of applying: kubectl apply -k .\n"
    return {KUSTOMIZATION: head + yaml_text(kustomization), **found}


def about(plan: Plan, file: str) -> str:
    """What a file is, in one line."""
    if file == secrets.FILE:
        return secrets.comment(plan)
    name = file.rpartition("/")[2].removesuffix(".yaml")
    described = {running.name: running.service.description for running in plan.services}
    store = name.partition("-")[2]
    return SAID.get(file) or described.get(name) or f"The store {store}: the server, its copies, the names it has."


def _file(plan: Plan, file: str, objects: list[Object]) -> str:
    return f"# {about(plan, file)}\n" + yaml_text(*(plain(each) for each in objects))


target = Target(
    summary="objects of a cluster, in files applied in their order",
    files=files,
    next_step="kubectl apply -k {out}",
)
