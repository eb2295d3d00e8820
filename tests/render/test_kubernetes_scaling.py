"""Autoscalers grow and shrink as described, on the arithmetic of Kubernetes; quotas and budgets leave them room."""

import itertools
from collections import Counter

import pytest
import yaml

from frontdesk.render import kubernetes
from frontdesk.system.home import blueprints
from frontdesk.system.layout.quantities import amount_of_bytes, millicores
from tests.render.autoscaler import Autoscaler
from tests.render.cluster import (
    EVERY,
    changed,
    containers,
    name_of,
    named,
    objects_of,
    of_kind,
    plan_of,
)
from tests.render.reading.admission import refused

every = pytest.mark.parametrize(("blueprint", "environment"), EVERY)


@every
def test_with_an_autoscaler_replicas_are_left_out_and_budgets_leave_room(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    least: dict[str, int] = {}
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind(objects, "HorizontalPodAutoscaler")
    }
    for each in of_kind(objects, "Deployment"):
        assert ("replicas" in each["spec"]) == (name_of(each) not in scaled)
        least[name_of(each)] = scaled.get(name_of(each), {}).get("minReplicas") or each["spec"]["replicas"]
    for each in of_kind(objects, "PodDisruptionBudget"):
        name = each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        kept = each["spec"].get("minAvailable", least[name] - each["spec"].get("maxUnavailable", 0))
        assert 0 < kept < least[name]


@every
def test_the_quota_holds_all_replicas_at_their_most_and_one_more_release(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    if plan.deployment.quota is None:
        return
    hard = named(objects, "ResourceQuota", f"{plan.name}-quota")["spec"]["hard"]
    needed: Counter[str] = Counter()
    most = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["maxReplicas"]
        for each in of_kind(objects, "HorizontalPodAutoscaler")
    }
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        spec = each["spec"]
        surge = spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0)
        count = most.get(name_of(each), spec.get("replicas", 0)) + surge
        for kind in ("requests", "limits"):
            needed[f"{kind}.cpu"] += count * max(
                millicores(c["resources"][kind]["cpu"]) for c in containers(spec["template"])
            )
            needed[f"{kind}.memory"] += count * max(
                amount_of_bytes(c["resources"][kind]["memory"]) for c in containers(spec["template"])
            )
    needed["persistentvolumeclaims"] = len(of_kind(objects, "PersistentVolumeClaim")) + sum(
        each["spec"]["replicas"] for each in of_kind(objects, "StatefulSet")
    )
    needed["configmaps"] = len(of_kind(objects, "ConfigMap")) + 1  # the cluster's own certificate
    for bound, said in hard.items():
        read = millicores if bound.endswith("cpu") else amount_of_bytes
        assert needed[bound] <= read(said), f"{bound}: {needed[bound]} of {read(said)}"


@pytest.mark.proves("assistant-18")
def test_under_a_ramp_the_orchestrator_grows_within_its_steps_and_shrinks_after_quiet() -> None:
    spec = named(objects_of("assistant", "production"), "HorizontalPodAutoscaler", "orchestrator-hpa")["spec"]
    scaler = Autoscaler(spec, replicas=2)
    ramp = scaler.run(lambda now, replicas: {"cpu": 12 / replicas, "memory": 0.5}, 0, 120)
    counts = [2, *(count for _, count in ramp)]
    assert counts[-1] == 10
    assert all(after - before <= max(before, 2) for before, after in itertools.pairwise(counts))
    quiet = scaler.run(lambda now, replicas: {"cpu": 0.1, "memory": 0.1}, 120, 900)
    first = next(now for now, count in quiet if count < 10)
    assert first - 105 >= 300
    assert quiet[-1][1] == 2
    by_minute = [count for now, count in quiet if now % 60 == 0]
    assert all(after >= before - (before + 1) // 2 for before, after in itertools.pairwise(by_minute))


@pytest.mark.proves("engagement-14")
def test_under_a_ramp_decisions_grow_toward_twenty_and_back_within_windows_and_steps() -> None:
    spec = named(objects_of("engagement", "production"), "HorizontalPodAutoscaler", "ai-orchestration-hpa")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    scaler = Autoscaler(spec, replicas=3)

    def busy(now: int, replicas: int) -> dict[str, float]:
        return {"cpu": 0.5, "memory": 0.5, "ai_decisions_per_second": (2500 if now >= 60 else 300) / 100 / replicas}

    ramp = scaler.run(busy, 0, 360)
    assert all(count == 3 for now, count in ramp if now < 120)  # a minute of the steadiest wish
    counts = [count for _, count in ramp]
    assert counts[-1] == 20
    by_half_minute = [count for now, count in ramp if now % 30 == 0]
    assert all(after <= 2 * before for before, after in itertools.pairwise(by_half_minute))
    quiet = scaler.run(lambda now, replicas: dict.fromkeys(("cpu", "memory", "ai_decisions_per_second"), 0.1), 360, 900)
    assert next(now for now, count in quiet if count < 20) - 345 >= 300
    assert quiet[-1][1] == 3


@pytest.mark.proves("conversation-11")
def test_a_growing_queue_adds_workers_and_cpu_adds_replicas_and_quiet_removes_them() -> None:
    objects = objects_of("conversation", "production")
    workers = named(objects, "HorizontalPodAutoscaler", "worker-general-hpa")["spec"]
    scaler = Autoscaler(workers, replicas=2)
    waiting = {"worker_general_queue_length": 700 / 100, "worker_general_queue_oldest_seconds": 3 / 5}
    grown = scaler.run(lambda now, replicas: {key: full / replicas for key, full in waiting.items()}, 0, 300)
    assert grown[-1][1] == 7
    assert all(after - before <= 1 for (_, before), (_, after) in itertools.pairwise(grown))
    old = scaler.run(
        lambda now, replicas: {
            "worker_general_queue_length": 0.1,
            "worker_general_queue_oldest_seconds": 60 / 5 / replicas,
        },
        300,
        300,
    )
    assert old[-1][1] == 10
    empty = scaler.run(lambda now, replicas: dict.fromkeys(waiting, 0.0), 600, 1200)
    assert next(now for now, count in empty if count < 10) - 585 >= 300
    assert empty[-1][1] == 2

    app = Autoscaler(named(objects, "HorizontalPodAutoscaler", "app-hpa")["spec"], replicas=3)
    full = app.run(lambda now, replicas: {"cpu": 20 / replicas, "memory": 0.5, "requests_per_second": 0.2}, 0, 600)
    assert all(after - before <= 2 for (_, before), (_, after) in itertools.pairwise(full))
    assert full[-1][1] == 10
    assert app.run(lambda now, replicas: {"cpu": 0.1, "memory": 0.1, "requests_per_second": 0.1}, 600, 1800)[-1][1] == 3


def test_of_several_ways_to_add_replicas_the_fastest_counts() -> None:
    ways = {"up": {"window": 60, "percent": 50, "replicas": 1, "period": 60}, "down": {"percent": 100, "period": 15}}
    own = {"metric": "queue_length", "average": 9, "up": {"window": 30, "percent": 50, "replicas": 4, "period": 60}}
    slow = {"window": 90, "percent": 0, "replicas": 9, "period": 90}
    slower = {"metric": "queue_oldest_seconds", "average": 9, "up": slow}
    services = plan_of("conversation", "production").system.sections["services"].model_dump(mode="json", by_alias=True)
    app = services["app"] | {"scaling": {"least": 1, "most": 9, "own": [own, slower], **ways}}
    plan = changed("conversation", "production", {"services": {"app": app}})
    objects = tuple(kubernetes.objects(plan))
    assert refused(objects) == []
    assert named(objects, "HorizontalPodAutoscaler", "app-hpa")["spec"]["behavior"]["scaleUp"] == {
        "stabilizationWindowSeconds": 30,
        "selectPolicy": "Max",
        "policies": [
            {"type": "Percent", "value": 50, "periodSeconds": 60},
            {"type": "Pods", "value": 4, "periodSeconds": 60},
            {"type": "Pods", "value": 9, "periodSeconds": 90},
        ],
    }


def test_autoscalers_find_their_own_metrics() -> None:
    for blueprint in blueprints():
        plan = plan_of(blueprint, "production")
        asked = {
            metric[metric["type"].lower()]["metric"]["name"]
            for each in of_kind(objects_of(blueprint, "production"), "HorizontalPodAutoscaler")
            for metric in each["spec"]["metrics"]
            if metric["type"] != "Resource"
        }
        text = kubernetes.files(plan).get("metrics-adapter.yaml", "data: {config.yaml: '{}'}")
        rules = yaml.safe_load(yaml.safe_load(text)["data"]["config.yaml"])
        given = {rule["name"]["as"] for kind in ("rules", "externalRules") for rule in rules.get(kind, ())}
        assert given == asked
