"""The way in: routes lead to services, hidden paths nowhere, and certificates are proven."""

import itertools

import pytest

from frontdesk.render import kubernetes
from tests.render.cluster import (
    EVERY,
    Network,
    Pod,
    changed,
    name_of,
    named,
    objects_of,
    of_kind,
    plan_of,
)
from tests.render.reading.objects import read_objects

every = pytest.mark.parametrize(("blueprint", "environment"), EVERY)


@every
def test_routes_lead_to_services_and_never_to_hidden_paths(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    ports = {name_of(each): {port["port"] for port in each["spec"]["ports"]} for each in of_kind(objects, "Service")}
    routes = of_kind(objects, "HTTPRoute")
    assert bool(routes) == bool(plan.edge.hosts)
    for route in routes:
        rules = route["spec"]["rules"]
        for backend in itertools.chain.from_iterable(rule.get("backendRefs", ()) for rule in rules):
            assert backend["port"] in ports[backend["name"]]
        whole = [rule for rule in rules if rule.get("matches", [{}])[0].get("path", {}).get("value") == "/"]
        if whole:
            hidden = {rule["matches"][0]["path"]["value"] for rule in rules if "filters" in rule and "matches" in rule}
            assert hidden == set(plan.edge.hidden)
    (gateway,) = of_kind(objects, "Gateway") or (None,)
    if gateway:
        listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
        assert {parent["sectionName"] for route in routes for parent in route["spec"]["parentRefs"]} == set(listeners)
        secret = listeners["https"]["tls"]["certificateRefs"][0]["name"]
        (certificate,) = of_kind(objects, "Certificate")
        issuer, local = certificate["spec"]["issuerRef"], [name_of(each) for each in of_kind(objects, "Issuer")]
        assert (issuer["kind"], local) == (
            ("Issuer", [issuer["name"]]) if environment == "development" else ("ClusterIssuer", [])
        )
        assert certificate["spec"]["secretName"] == secret == plan.tls_secret
        hosts = {host for route in routes for host in route["spec"].get("hostnames", ())}
        assert set(certificate["spec"]["dnsNames"]) == hosts == {each.host for each in plan.edge.hosts}


def test_where_there_is_only_an_ingress_it_says_the_same() -> None:
    plan = changed("answering", "production", {})
    edge = plan.edge.model_dump(mode="json", by_alias=True) | {"kind": "ingress", "class_name": "nginx"}
    plan = changed("answering", "production", {"edge": edge})
    objects = tuple(kubernetes.objects(plan))
    assert read_objects(objects) == []
    assert not of_kind(objects, "Gateway", "HTTPRoute")
    (ingress,) = of_kind(objects, "Ingress")
    paths = {
        (rule["host"], path["path"], path["backend"]["service"]["name"])
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    led = {(each.host, each.path, plan.service(each.service).host_name) for each in plan.edge.hosts}
    hidden = {
        (each.host, path, "ai-ninja-nowhere")
        for each in plan.edge.hosts
        if each.path == "/"
        for path in plan.edge.hidden
    }
    assert paths == led | hidden
    assert "selector" not in named(objects, "Service", "ai-ninja-nowhere")["spec"]  # no pod ever stands behind it
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "10m"


def test_two_paths_of_one_service_keep_their_own_hosts() -> None:
    hosts = [
        {"host": "desk.example.com", "service": "orchestrator"},
        {"host": "api.example.com", "service": "orchestrator", "path": "/api"},
        {"host": "www.example.com", "service": "orchestrator", "path": "/api"},
    ]
    edge = plan_of("assistant", "production").edge.model_dump(mode="json", by_alias=True) | {"hosts": hosts}
    routes = of_kind(tuple(kubernetes.objects(changed("assistant", "production", {"edge": edge}))), "HTTPRoute")
    said = {name_of(each): each["spec"].get("hostnames") for each in routes}
    assert said == {
        "ai-assistant-ingress-to-https": None,
        "orchestrator": ["desk.example.com"],
        "orchestrator-route-2": ["api.example.com", "www.example.com"],
    }


@every
def test_who_signs_certificates_may_ask_through_the_edge_whether_the_names_are_ours(
    blueprint: str, environment: str
) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    network = Network.of(objects)
    solver = Pod(plan.deployment.namespace, (("acme.cert-manager.io/http01-solver", "true"),))
    asked = bool(plan.edge.hosts) and environment != "development"
    assert network.allows(Pod(plan.edge.namespace), solver, 8089) == asked
    assert not network.allows(Pod("default"), solver, 8089)
