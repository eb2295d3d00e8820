"""The mesh: strict identities along the plan's edges, careful repeats, circuits that open, names of what is outside."""

from typing import Any

import pytest
import yaml

from frontdesk.render import istio, kubernetes
from frontdesk.system.home import blueprints
from frontdesk.system.layout.plan import Plan
from tests.render.cluster import (
    ENVIRONMENTS,
    Object,
    changed,
    expected_edges,
    name_of,
    named,
    of_kind,
    plan_of,
    pods_of,
    selects,
)
from tests.render.reading.objects import objects_in, read_objects

every = pytest.mark.parametrize("environment", ENVIRONMENTS)
MODES = ("ambient", "sidecar")


def plan_in(environment: str, mode: str = "ambient") -> Plan:
    """The only blueprint with a mesh; with side-cars where they are asked for."""
    plan = plan_of("answering", environment)
    edge = plan.edge.model_dump(mode="json", by_alias=True)
    edge["mesh"]["injection"] = mode
    return changed("answering", environment, {"edge": edge})


def objects_of(plan: Plan) -> tuple[Object, ...]:
    files = istio.files(plan)
    return tuple(
        each for name in yaml.safe_load(files["kustomization.yaml"])["resources"] for each in objects_in(files[name])
    )


@every
@pytest.mark.parametrize("mode", MODES)
def test_every_object_is_valid_to_the_letter(environment: str, mode: str) -> None:
    plan = plan_in(environment, mode)
    assert read_objects(objects_of(plan)) == []
    assert read_objects(tuple(kubernetes.objects(plan))) == []
    assert istio.files(plan) == istio.files(plan_in(environment, mode))


def test_without_a_mesh_there_is_nothing_to_write() -> None:
    for blueprint in set(blueprints()) - {"answering"}:
        assert istio.files(plan_of(blueprint, "production")) == {}


@every
def test_only_what_changes_nothing_is_repeated_and_sockets_stay_open(environment: str) -> None:
    plan = plan_in(environment)
    sockets = {each.host for each in plan.edge.hosts if each.websocket}
    sockets.add(f"realtime-processor.{plan.deployment.namespace}.svc.cluster.local")
    routes = of_kind(objects_of(plan), "VirtualService")
    assert {host for each in routes for host in each["spec"]["hosts"]} >= {each.host for each in plan.edge.hosts}
    for route in routes:
        for http in route["spec"]["http"]:
            if "directResponse" in http:
                continue
            attempts, methods = http["retries"]["attempts"], [each.get("method") for each in http["match"]]
            assert (attempts > 0) == (methods == [{"regex": "GET|HEAD|OPTIONS"}])
            if sockets & set(route["spec"]["hosts"]):
                assert (attempts, http["timeout"]) == (0, "0s")
            else:
                assert http["timeout"] == f"{plan.edge.timeout}s"


@every
def test_the_longest_path_is_asked_first_and_hidden_ones_lead_nowhere(environment: str) -> None:
    plan = plan_in(environment)
    for route in of_kind(objects_of(plan), "VirtualService"):
        if route["spec"]["gateways"] == ["mesh"]:
            continue
        first, *others = route["spec"]["http"]
        assert first["match"] == [{"uri": {"prefix": "/metrics"}}]
        assert first["directResponse"] == {"status": 404}
        paths = [http["match"][0]["uri"]["prefix"] for http in others]
        assert paths == sorted(paths, key=len, reverse=True)


@pytest.mark.parametrize("mode", MODES)
def test_a_circuit_opens_as_the_system_file_says(mode: str) -> None:
    plan = plan_in("production", mode)
    services = [running for running in plan.services if running.service_port]
    rules = of_kind(objects_of(plan), "DestinationRule")
    assert {each["spec"]["host"] for each in rules} == {
        f"{running.host_name}.ai-ninja.svc.cluster.local" for running in services
    }
    for rule in rules:
        policy = rule["spec"]["trafficPolicy"]
        assert policy["connectionPool"]["tcp"]["maxConnections"] == 200
        assert policy["outlierDetection"]["consecutive5xxErrors"] == 5
        assert policy["outlierDetection"]["maxEjectionPercent"] == 50
        assert policy.get("tls") == ({"mode": "ISTIO_MUTUAL"} if mode == "sidecar" else None)
    socket = named(objects_of(plan), "DestinationRule", "realtime-processor")["spec"]["trafficPolicy"]
    assert socket["connectionPool"]["http"]["idleTimeout"] == "3600s"


@every
def test_outside_hosts_are_named_and_those_of_the_cluster_are_not(environment: str) -> None:
    plan = plan_in(environment)
    named_hosts = {host for each in of_kind(objects_of(plan), "ServiceEntry") for host in each["spec"]["hosts"]}
    assert named_hosts == {
        host for outside in plan.outside.values() for host in outside.hosts if not host.startswith("otel-collector")
    }
    for each in of_kind(objects_of(plan), "ServiceEntry"):
        wild = any(host.startswith("*") for host in each["spec"]["hosts"])
        assert each["spec"]["resolution"] == ("NONE" if wild else "DNS")


def test_an_address_outside_is_an_entry_by_its_address() -> None:
    outside = {"hosts": ["10.0.0.7", "[fd00::7]", "models.example.com"], "port": 8443}
    edge = plan_of("answering", "production").edge.model_dump(mode="json", by_alias=True)
    objects = objects_of(changed("answering", "production", {"edge": edge, "outside": {"model": outside}}))
    assert read_objects(objects) == []
    told = {name_of(each): each["spec"] for each in of_kind(objects, "ServiceEntry")}
    assert told["model"]["hosts"] == ["models.example.com"]
    assert told["model-addresses"]["addresses"] == ["10.0.0.7", "fd00::7"]
    assert told["model-addresses"]["resolution"] == "NONE"
    assert "10.0.0.7" not in told["model-addresses"]["hosts"]  # Istio takes names alone there


@every
@pytest.mark.parametrize("mode", MODES)
def test_identities_are_strict_and_let_the_edges_of_the_plan_pass_and_nothing_else(environment: str, mode: str) -> None:
    plan = plan_in(environment, mode)
    objects = objects_of(plan)
    assert of_kind(objects, "PeerAuthentication")[0]["spec"] == {"mtls": {"mode": "STRICT"}}
    assert named(objects, "AuthorizationPolicy", "default-deny")["spec"] == {}
    found = {
        (source, name, port)
        for name, pod in pods_of(tuple(kubernetes.objects(plan))).items()
        for policy in of_kind(objects, "AuthorizationPolicy")
        if "selector" in policy["spec"] and selects(policy["spec"]["selector"]["matchLabels"], pod.by_label)
        for rule in policy["spec"]["rules"]
        for source in _sources(rule)
        for port in rule["to"][0]["operation"]["ports"]
    }
    here = plan.deployment.namespace
    waypoint = _account(here, "waypoint")
    by_account = {(source.rpartition("/")[2], name, int(port)) for source, name, port in found if "/sa/" in source}
    assert {each for each in by_account if each[0] != "waypoint"} == expected_edges(plan)
    assert all(source.startswith(f"cluster.local/ns/{here}/sa/") for source, _, _ in found if "/" in source)
    assert any(source == waypoint for source, _, _ in found) == (mode == "ambient")
    elsewhere = {plan.deployment.monitoring_namespace, plan.edge.namespace, "istio-ingress"}
    assert {source for source, _, _ in found if "/" not in source} <= elsewhere


def test_at_the_waypoint_a_service_knows_its_callers_and_behind_it_only_the_waypoint() -> None:
    plan = plan_in("production")
    objects = objects_of(plan)
    at = named(objects, "AuthorizationPolicy", "conversation-engine-waypoint")["spec"]
    assert at["targetRefs"] == [{"group": "", "kind": "Service", "name": "conversation-engine"}]
    callers = {source for rule in at["rules"] for source in _sources(rule)}
    assert _account("ai-ninja", "realtime-processor") in callers
    assert _account("ai-ninja", "storage-service") not in callers
    behind = named(objects, "AuthorizationPolicy", "conversation-engine")["spec"]
    assert _account("ai-ninja", "waypoint") in {source for rule in behind["rules"] for source in _sources(rule)}
    service = next(
        each for each in kubernetes.objects(plan) if (each["kind"], name_of(each)) == ("Service", "conversation-engine")
    )
    assert service["metadata"]["labels"]["istio.io/use-waypoint"] == "waypoint"
    assert not of_kind(objects_of(plan_in("production", "sidecar")), "GatewayClass", "WaypointProxy")


def test_traces_are_taken_of_as_many_requests_as_said() -> None:
    (telemetry,) = of_kind(objects_of(plan_in("production")), "Telemetry")
    assert telemetry["spec"]["tracing"][0]["randomSamplingPercentage"] == 10


def _sources(rule: Any) -> list[str]:
    return [
        who for each in rule["from"] for kind in ("principals", "namespaces") for who in each["source"].get(kind, ())
    ]


def _account(namespace: str, name: str) -> str:
    return f"cluster.local/ns/{namespace}/sa/{name}"
