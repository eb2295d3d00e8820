"""What keeps pods from running, told apart; and what runs short in a cluster."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from frontdesk.operate.diagnosis.diagnose import diagnose
from frontdesk.operate.diagnosis.kubernetes import Autoscaler, Event, Involved, Node, NodeUse, Pod, PodUse
from frontdesk.operate.diagnosis.report import report
from tests.operate.cases import cluster, event, found, one, pod, waiting


def test_each_pod_is_told_once() -> None:
    crashing = waiting("CrashLoopBackOff")
    seen = cluster(crashing, events=[event("Unhealthy", "a"), event("Unhealthy", "b")])
    assert len(found(seen, "start")) == 2


@pytest.mark.proves("answering-20")
@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("CreateContainerConfigError", 'secret "desk-secrets" not found', "a secret or config map that it names"),
        ("CreateContainerConfigError", "couldn't find key SECRET_KEY in Secret desk/s", "a secret or config map"),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "would run as root"),
        ("CreateContainerConfigError", "something else", "configuration is wrong (something else)"),
        ("InvalidImageName", "", "its image's name is wrong"),
    ],
)
def test_reasons_under_one_word_are_told_apart(reason: str, message: str, cause: str) -> None:
    assert cause in one(cluster(waiting(reason, message)), "start").cause


@pytest.mark.proves("answering-20")
def test_a_pod_that_its_probe_kills_is_told_from_one_that_crashes() -> None:
    ended = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}}}
    crashing = pod("web-7", containerStatuses=[ended])
    assert "again and again (exit code 3)" in one(cluster(crashing), "start").cause
    unready = event("Unhealthy", "Readiness probe failed: HTTP 503")
    assert "again and again" in one(cluster(crashing, events=[unready]), "start").cause
    killed = event("Unhealthy", "Liveness probe failed: context deadline exceeded")
    finding = one(cluster(crashing, events=[unready, killed]), "start")
    assert "it fails its probe (Liveness probe failed" in finding.cause
    assert "more time to start" in finding.remedy


@pytest.mark.proves("answering-20")
@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('pods "web-7" is forbidden: exceeded quota: desk, requested: cpu=1', "Raise the quota"),
        ("pods is forbidden: maximum memory usage per Container is 2Gi, but limit is 4Gi", "limit range"),
        ("pods is forbidden: minimum cpu usage per Container is 100m, but request is 50m", "limit range"),
        ('violates PodSecurity "restricted:latest": runAsNonRoot != true', "Pod Security"),
        ('error looking up service account desk/web: serviceaccount "web" not found', "service accounts"),
        ("admission webhook denied the request: no", "Mend what it names"),
    ],
)
def test_who_refuses_a_pod_is_named(message: str, remedy: str) -> None:
    finding = one(cluster(events=[event("FailedCreate", message)]), "start")
    assert "may not be made" in finding.cause
    assert remedy in finding.remedy


def test_a_volume_and_a_secret_that_is_mounted_are_told_apart() -> None:
    missing = event("FailedMount", 'MountVolume.SetUp failed for volume "s" : secret "desk-secrets" not found')
    assert "a secret or config map" in one(cluster(events=[missing]), "start").cause
    assert "a volume" in one(cluster(events=[event("FailedMount", "claim not bound")]), "start").cause


def test_what_events_tell_of_the_past_is_no_trouble_of_today() -> None:
    ready = pod("web-7", conditions=[{"type": "Ready", "status": "True"}])
    slow_start = event("Unhealthy", "Startup probe failed: connection refused")
    assert diagnose(cluster(ready, events=[slow_start])) == []
    gone = {"involvedObject": {"name": "web-6", "kind": "Pod"}, "reason": "Unhealthy", "message": "x"}
    assert diagnose(cluster(ready, events=[msgspec.convert(gone, Event)])) == []
    old = {
        "involvedObject": {"name": "web", "kind": "ReplicaSet"},
        "reason": "FailedCreate",
        "message": "exceeded quota",
    }
    at = datetime(2026, 1, 5, 2, tzinfo=UTC)
    for minutes, count in ((5, 1), (50, 0)):
        told = msgspec.convert(old | {"lastTimestamp": at - timedelta(minutes=minutes)}, Event)
        assert len(diagnose(cluster(ready, events=[told], at=at))) == count


def test_a_job_that_failed_is_named() -> None:
    failed = pod("backup-1", phase="Failed", containerStatuses=[{"state": {"terminated": {"exitCode": 1}}}])
    finding = one(cluster(failed), "start")
    assert "backup-1 has ended with exit code 1" in finding.cause
    assert "kubectl logs backup-1" in finding.remedy


def used(name: str, **usage: str) -> PodUse:
    return msgspec.convert({"metadata": {"name": name}, "containers": [{"name": "app", "usage": usage}]}, PodUse)


def bounded(name: str, **limits: str) -> Pod:
    spec = {"containers": [{"name": "app", "resources": {"limits": limits}}]}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": {"phase": "Succeeded"}}, Pod)


@pytest.mark.proves("answering-20")
def test_pods_and_nodes_that_use_too_much_are_named_with_a_size() -> None:
    pods = [bounded(name, memory="512Mi", cpu="500m") for name in ("calm", "full", "busy")]
    uses = [
        used("calm", memory="204800Ki", cpu="100m"),
        used("full", memory="500Mi", cpu="9000000n"),
        used("busy", memory="1Mi", cpu="490000000n"),
        used("unknown", memory="9Gi", cpu="9"),
    ]
    node = msgspec.convert({"metadata": {"name": "n1"}, "status": {"allocatable": {"memory": "8Gi", "cpu": "2"}}}, Node)
    node_use = msgspec.convert({"metadata": {"name": "n1"}, "usage": {"memory": "7900Mi", "cpu": "1200m"}}, NodeUse)
    findings = found(cluster(*pods, uses=uses, nodes=[(node, node_use)]), "shortage")
    told = [f"{finding.result} {finding.cause} → {finding.remedy}" for finding in findings]
    assert len(told) == 3
    assert told[0].startswith("fail full has used 500 MiB of 512 MiB (97.7 %) of its memory → Take 750Mi")
    assert told[1].startswith("warn busy uses 0.49 of 0.5 cores")
    assert "96.4 % of the memory of node n1" in told[2]


@pytest.mark.proves("answering-20")
def test_a_pod_that_was_put_off_its_node_is_named() -> None:
    evicted = pod("web-3", phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert "web-3 was put off its node: The node was low on resource" in one(cluster(evicted), "shortage").cause
    assert found(cluster(evicted), "start") == []


def autoscaler(**condition: str) -> Autoscaler:
    status = {"currentReplicas": 10, "conditions": [condition]}
    return msgspec.convert({"metadata": {"name": "app-hpa"}, "spec": {"maxReplicas": 10}, "status": status}, Autoscaler)


def test_an_autoscaler_at_its_end_is_the_bottleneck_and_one_that_sees_nothing_is_named() -> None:
    most = autoscaler(type="ScalingLimited", status="True", reason="TooManyReplicas")
    finding = one(cluster(autoscalers=[most]), "slow")
    assert "app-hpa has started all of 10 replicas" in finding.cause
    assert "scaling.most" in finding.remedy
    least = autoscaler(type="ScalingLimited", status="True", reason="TooFewReplicas")
    assert diagnose(cluster(autoscalers=[least])) == []
    blind = autoscaler(type="ScalingActive", status="False", reason="FailedGetResourceMetric", message="no metrics")
    assert "app-hpa does not scale: no metrics" in one(cluster(autoscalers=[blind]), "shortage").cause


@pytest.mark.proves("answering-20")
def test_a_proxy_that_is_not_in_step_is_named() -> None:
    said = """\
NAME                      CLUSTER        CDS        LDS        EDS        RDS          ECDS         ISTIOD
gateway-7.ai-ninja        Kubernetes     SYNCED     SYNCED     SYNCED     SYNCED       NOT SENT     istiod-1
processor-2.ai-ninja      Kubernetes     STALE      SYNCED     SYNCED     SYNCED       NOT SENT     istiod-1
"""
    assert "processor-2.ai-ninja is not in step: STALE" in one(cluster(proxies=said), "mesh").cause


def test_what_ends_or_has_ended_is_no_replica() -> None:
    ready = pod("web-1", phase="Running", conditions=[{"type": "Ready", "status": "True"}])
    ending = {
        "metadata": {"name": "web-0", "deletionTimestamp": "2026-01-05T02:00:00Z"},
        "status": {"phase": "Running"},
    }
    gone = [pod("evicted", phase="Failed", reason="Evicted"), pod("job", phase="Succeeded")]
    stopping = event("Unhealthy", "Readiness probe failed: HTTP 503")
    stopping = msgspec.structs.replace(stopping, involved_object=Involved(name="web-0", kind="Pod"))
    seen = cluster(ready, msgspec.convert(ending, Pod), *gone, events=[stopping])
    assert seen.cluster is not None
    assert [each.name for each in seen.cluster.replicas] == ["web-1"]
    assert found(seen, "start") == []
    assert report(seen)[0].lines == ("web-1: ready",)
