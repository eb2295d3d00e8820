"""Network policies let the edges of the plan pass and nothing else, as a cluster's network plug-in reads them."""

import itertools

import pytest

from frontdesk.render import kubernetes
from tests.render.cluster import (
    EVERY,
    Network,
    Pod,
    changed,
    expected_edges,
    objects_of,
    plan_of,
    pods_of,
)
from tests.render.reading.admission import refused

every = pytest.mark.parametrize(("blueprint", "environment"), EVERY)
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"


@every
def test_the_network_lets_the_edges_of_the_plan_pass_and_nothing_else(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    network, pods = Network.of(objects), pods_of(objects)
    expected = expected_edges(plan)
    ports = {port for _, _, port in expected} | {22, 80, 443, 5432, 6379, 8443}
    found = {
        (source, target, port)
        for (source, one), (target, other), port in itertools.product(pods.items(), pods.items(), sorted(ports))
        if network.allows(one, other, port)
    }
    assert found == expected


@every
def test_only_who_says_so_reaches_the_internet_and_nobody_private_networks(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    network, pods = Network.of(objects), pods_of(objects)
    managed = {key for key, store in plan.stores.items() if store.managed}
    for running in plan.services:
        reached = {*running.service.needs, *running.service.calls}
        outside = {
            plan.outside[key].port
            for key in reached & plan.outside.keys()
            if any(host.count(".") > 1 for host in plan.outside[key].hosts)
        }
        anywhere = {plan.stores[key].port for key in reached & managed}
        for port in (25, 80, 443, 587, 5432, 6379, 8080):
            assert network.allows(pods[running.name], Pod("", address=PUBLIC), port) == (port in outside | anywhere)
            assert network.allows(pods[running.name], Pod("", address=PRIVATE), port) == (port in anywhere)


@pytest.mark.parametrize(("address", "neighbour"), [("10.0.0.7", "10.0.0.8"), ("fd00::7", "fd00::8")])
def test_an_address_outside_is_reached_on_its_own_and_nothing_beside_it(address: str, neighbour: str) -> None:
    plan = changed("engagement", "production", {"outside": {"model": {"hosts": [address], "port": 8443}}})
    objects = tuple(kubernetes.objects(plan))
    assert refused(objects) == []
    network, pods = Network.of(objects), pods_of(objects)
    callers = [each.name for each in plan.services if "model" in each.service.calls]
    assert callers
    for name in callers:
        assert network.allows(pods[name], Pod("", address=address), 8443)
        assert not network.allows(pods[name], Pod("", address=neighbour), 8443)
        assert not network.allows(pods[name], Pod("", address=PUBLIC), 8443)


@every
def test_names_are_resolved_and_strangers_stay_out(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    network = Network.of(objects)
    resolver = Pod("kube-system", (("k8s-app", "kube-dns"),))
    for pod in pods_of(objects).values():
        assert network.allows(pod, resolver, 53, "UDP")
        assert network.allows(pod, resolver, 53, "TCP")
        asks = pod.by_label["app.kubernetes.io/name"].endswith("-snapshots")  # the API server, which has no label
        assert network.allows(pod, resolver, 443) == asks
        for port in (22, 80, 443, 5432, 6379, 6432, 8000, 8085):
            assert not network.allows(Pod("default"), pod, port)
            assert not network.allows(Pod("", address=PUBLIC), pod, port)


@pytest.mark.proves("engagement-16")
@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_only_the_gateway_reaches_the_decisions_and_prometheus_their_metrics(environment: str) -> None:
    objects, plan = objects_of("engagement", environment), plan_of("engagement", environment)
    network, pods = Network.of(objects), pods_of(objects)
    target, here = pods["ai-orchestration"], plan.deployment.namespace
    gateway, prometheus = Pod(here, (("role", "api-gateway"),)), Pod(plan.deployment.monitoring_namespace)
    assert network.allows(gateway, target, 8085)
    assert not network.allows(gateway, target, 9090)
    assert network.allows(prometheus, target, 9090)
    assert not network.allows(prometheus, target, 8085)
    for stranger in (Pod(here, (("role", "other"),)), Pod("default", (("role", "api-gateway"),)), *pods.values()):
        assert not network.allows(stranger, target, 8085)
