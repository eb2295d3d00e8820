"""An API server admits what is rendered: its validation beyond the schemas, its quota, and what may never change."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from frontdesk.render import kubernetes
from tests.render.cluster import EVERY, changed, name_of, named, objects_of, of_kind, plan_of
from tests.render.reading.admission import refused

every = pytest.mark.parametrize(("blueprint", "environment"), EVERY)
Change = Callable[[dict[str, Any]], object]


@every
def test_an_api_server_refuses_nothing(blueprint: str, environment: str) -> None:
    assert refused(objects_of(blueprint, environment)) == []


@pytest.mark.parametrize("kind", ["nginx", "traefik"])
def test_nor_does_it_where_there_is_only_an_ingress(kind: str) -> None:
    edge = plan_of("answering", "production").edge.model_dump(mode="json", by_alias=True)
    plan = changed("answering", "production", {"edge": edge | {"kind": "ingress", "class_name": kind}})
    assert refused(tuple(kubernetes.objects(plan))) == []


@every
def test_what_may_never_change_stays_with_another_release_and_other_settings(blueprint: str, environment: str) -> None:
    said = plan_of(blueprint, environment).deployment.model_dump(mode="json", by_alias=True)
    said["images"]["tag"] = "v9.9.9"
    store = plan_of(blueprint, environment).system.sections["store"].model_dump(mode="json", by_alias=True)
    later = tuple(
        kubernetes.objects(changed(blueprint, environment, {"deployment": said, "store": store | {"pool_size": 3}}))
    )
    assert later != objects_of(blueprint, environment)
    assert _fixed(later) == _fixed(objects_of(blueprint, environment))


def _fixed(objects: tuple[Any, ...]) -> dict[tuple[str, str], Any]:
    """What an API server lets nobody change in an object that is there."""
    found: dict[tuple[str, str], Any] = {}
    for each in objects:
        spec, identity = each.get("spec", {}), (each["kind"], name_of(each))
        if each["kind"] == "Deployment":
            found[identity] = spec["selector"]
        elif each["kind"] == "StatefulSet":
            free = ("replicas", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy")
            found[identity] = {key: value for key, value in spec.items() if key not in free}
        elif each["kind"] == "PersistentVolumeClaim":
            found[identity] = spec
        elif each["kind"] == "RoleBinding":
            found[identity] = each["roleRef"]
        elif each["kind"] == "PriorityClass":
            found[identity] = (each["value"], each["preemptionPolicy"])
    return found


def _pods(each: dict[str, Any]) -> dict[str, Any]:
    return each["spec"]["template"]["spec"]


def _container(each: dict[str, Any]) -> dict[str, Any]:
    return _pods(each)["containers"][0]


PLANTED: dict[str, tuple[str, str, Change]] = {
    "metadata.name": ("Service", "orchestrator", lambda it: it["metadata"].update(name="9lives")),
    "metadata.namespace": ("Service", "orchestrator", lambda it: it["metadata"].pop("namespace")),
    "metadata.labels: tier=a b": ("Service", "orchestrator", lambda it: it["metadata"]["labels"].update(tier="a b")),
    "spec.selector does not match": (
        "Deployment",
        "orchestrator",
        lambda it: it["spec"]["selector"]["matchLabels"].update(app="other"),
    ),
    "maxSurge and maxUnavailable": (
        "Deployment",
        "orchestrator",
        lambda it: it["spec"]["strategy"].update(rollingUpdate={"maxSurge": 0, "maxUnavailable": 0}),
    ),
    "names of containers": ("Deployment", "orchestrator", lambda it: _container(it).update(name="Main")),
    "names of volumes": (
        "Deployment",
        "orchestrator",
        lambda it: _pods(it)["volumes"].append({"name": "tmp", "emptyDir": {}}),
    ),
    "names of ports": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["ports"].append(
            {"name": "much-too-long-name", "containerPort": 1, "protocol": "TCP"}
        ),
    ),
    "mountPath stands twice": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["volumeMounts"].append({"name": "home", "mountPath": "/tmp"}),
    ),
    "mount {": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["volumeMounts"].append({"name": "none", "mountPath": "/none"}),
    ),
    "more cpu is asked for": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["resources"]["requests"].update(cpu="9"),
    ),
    "there is no port": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["livenessProbe"]["httpGet"].update(port="other"),
    ),
    "a number below 1": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["livenessProbe"].update(periodSeconds=0),
    ),
    "preStop sleeps": ("Deployment", "orchestrator", lambda it: _pods(it).update(terminationGracePeriodSeconds=1)),
    "env: one of": (
        "Deployment",
        "orchestrator",
        lambda it: _container(it)["env"].append({"name": "BOTH", "value": "", "valueFrom": {}}),
    ),
    "image": ("Deployment", "orchestrator", lambda it: _container(it).update(image="Registry/x y")),
    "minReplicas": ("HorizontalPodAutoscaler", "orchestrator-hpa", lambda it: it["spec"].update(minReplicas=11)),
    "policy {": (
        "HorizontalPodAutoscaler",
        "orchestrator-hpa",
        lambda it: it["spec"]["behavior"]["scaleUp"]["policies"][0].update(periodSeconds=3600),
    ),
    "exactly one of": ("PodDisruptionBudget", "orchestrator-pdb", lambda it: it["spec"].update(maxUnavailable=1)),
    "is not within": (
        "NetworkPolicy",
        "orchestrator",
        lambda it: it["spec"]["egress"].append({"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}),
    ),
    "schedule": ("CronJob", "ai-assistant-backup", lambda it: it["spec"].update(schedule="0 25 * * *")),
    "comes before": ("ServiceAccount", "orchestrator", lambda it: it["metadata"].update(name="late")),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_check_of_admission_sees_a_planted_fault(fault: str) -> None:
    kind, name, change = PLANTED[fault]
    objects = copy.deepcopy(objects_of("assistant", "production"))
    change(dict(named(objects, kind, name)))
    found = refused(objects)
    assert any(fault in each for each in found), found


def test_the_check_of_admission_sees_a_quota_that_is_too_small() -> None:
    objects = copy.deepcopy(objects_of("answering", "production"))
    (quota,) = of_kind(objects, "ResourceQuota")
    quota["spec"]["hard"]["requests.cpu"] = "40"
    (found,) = refused(objects)
    assert found.startswith("quota: requests.cpu needs ")
