"""The figures of each blueprint's services: ports, resources, replicas, scaling, probes, endings."""

import pytest

from frontdesk.system.layout.quantities import bytes_text, cores_text
from frontdesk.system.layout.services import Steps
from tests.system.shipped import amounts, of, scaling, service

SIZES = {  # port, port of metrics, CPU asked for and bound, memory asked for and bound
    ("assistant", "orchestrator"): (8000, None, "250m", "500m", "256Mi", "512Mi"),
    ("assistant", "frontend"): (5000, None, "100m", "200m", "128Mi", "256Mi"),
    ("assistant", "mcp_example"): (8001, None, "100m", "500m", "128Mi", "256Mi"),
    ("conversation", "app"): (8000, 8001, "1", "2", "2Gi", "4Gi"),
    ("conversation", "worker_general"): (None, 8001, "500m", "1", "1Gi", "2Gi"),
    ("conversation", "worker_ml"): (None, 8001, "2", "3", "3Gi", "6Gi"),
    ("engagement", "ai_orchestration"): (8085, 9090, "1", "2", "2Gi", "4Gi"),
    ("answering", "phone_gateway"): (3001, None, "250m", "1", "256Mi", "512Mi"),
    ("answering", "realtime_processor"): (3002, None, "500m", "2", "512Mi", "2Gi"),
    ("answering", "conversation_engine"): (3003, None, "500m", "2", "512Mi", "2Gi"),
    ("answering", "profile_analytics"): (None, 3004, "250m", "1", "256Mi", "512Mi"),
    ("answering", "user_management"): (3005, None, "250m", "1", "256Mi", "512Mi"),
    ("answering", "smart_whitelist"): (3006, None, "250m", "1", "256Mi", "512Mi"),
    ("answering", "configuration_service"): (3007, None, "250m", "1", "256Mi", "512Mi"),
    ("answering", "storage_service"): (None, 3008, "250m", "1", "256Mi", "512Mi"),
    ("answering", "monitoring"): (3009, None, "250m", "1", "256Mi", "512Mi"),
}


@pytest.mark.parametrize(("blueprint", "key"), SIZES)
def test_each_service_has_its_ports_and_resources(blueprint: str, key: str) -> None:
    found = service(blueprint, key)
    assert (found.port, found.metrics_port, *amounts(found)) == SIZES[blueprint, key]


def test_services_of_engagement_are_reached_by_their_names_and_ports() -> None:
    plan = of("engagement")
    reached = {running.host_name: (running.service_port, running.service.metrics_port) for running in plan.services}
    assert reached == {
        "ai-orchestration-service": (80, 9090),
        "behavioral-analysis-service": (8081, None),
        "decision-engine-service": (80, None),
        "content-generation-service": (None, 8083),
        "channel-orchestration-service": (None, 8084),
    }
    assert service("engagement", "decision_engine").port == 8082


REPLICAS = {  # fewest, most, percent of CPU, percent of memory in production
    ("assistant", "orchestrator"): (2, 10, 70, 80),
    ("assistant", "frontend"): (2, 5, 80, None),
    ("conversation", "app"): (3, 10, 70, 80),
    ("conversation", "worker_general"): (2, 10, None, None),
    ("conversation", "worker_ml"): (1, 4, None, None),
    ("engagement", "ai_orchestration"): (3, 20, 70, 80),
    ("answering", "phone_gateway"): (3, 20, 70, 80),
    ("answering", "realtime_processor"): (5, 50, 60, 75),
} | {
    ("answering", key): (2, 10, 70, 80)
    for key in (
        *("conversation_engine", "profile_analytics", "user_management", "smart_whitelist"),
        *("configuration_service", "storage_service", "monitoring"),
    )
}


@pytest.mark.parametrize(("blueprint", "key"), REPLICAS)
def test_each_service_scales_within_its_bounds(blueprint: str, key: str) -> None:
    found = scaling(blueprint, key)
    assert (found.least, found.most, found.cpu, found.memory) == REPLICAS[blueprint, key]


@pytest.mark.parametrize(
    ("blueprint", "key", "replicas"),
    [("assistant", "orchestrator", 3), ("assistant", "frontend", 2), ("engagement", "ai_orchestration", 3)],
)
def test_without_an_autoscaler_the_base_replicas_stand(blueprint: str, key: str, replicas: int) -> None:
    assert service(blueprint, key, "staging").replicas == replicas
    assert service(blueprint, key).replicas is None


STEPS = {  # window, percent, replicas and period, of adding and of removing
    ("assistant", "orchestrator"): ((0, 100, 2, 15), (300, 50, 0, 60)),
    ("assistant", "frontend"): ((0, 100, 4, 15), (300, 100, 0, 15)),  # as Kubernetes does by itself
    ("engagement", "ai_orchestration"): ((60, 100, 0, 30), (300, 50, 0, 60)),
    ("conversation", "app"): ((0, 0, 1, 60), (300, 0, 1, 60)),
    ("conversation", "worker_general"): ((0, 0, 1, 30), (300, 0, 1, 60)),
}


@pytest.mark.parametrize(("blueprint", "key"), STEPS)
def test_replicas_come_and_go_by_the_listed_steps(blueprint: str, key: str) -> None:
    def said(steps: Steps) -> tuple[int, int, int, int]:
        return steps.window, steps.percent, steps.replicas, steps.period

    found = scaling(blueprint, key)
    assert (said(found.up), said(found.down)) == STEPS[blueprint, key]
    more = [said(target.up) for target in found.own if target.up]
    assert more == ([(0, 0, 2, 60)] if (blueprint, key) == ("conversation", "app") else [])  # by requests a second


OWN = {
    ("engagement", "ai_orchestration"): {"ai_decisions_per_second": 100},
    ("answering", "phone_gateway"): {"concurrent_connections": 100},
    ("answering", "realtime_processor"): {"websocket_connections": 20},
    ("conversation", "worker_general"): {"queue_length": 100, "queue_oldest_seconds": 5},
    ("conversation", "worker_ml"): {"queue_length": 100, "queue_oldest_seconds": 5},
}


@pytest.mark.parametrize(("blueprint", "key"), OWN)
def test_services_scale_by_figures_of_their_own(blueprint: str, key: str) -> None:
    assert {target.metric: target.average for target in scaling(blueprint, key).own} == OWN[blueprint, key]


def test_a_thousand_requests_a_second_are_more_than_the_fewest_replicas_of_the_bot_bear() -> None:
    (target,) = scaling("conversation", "app").own
    assert 0.99 < target.average * scaling("conversation", "app").least / 1000 <= 1
    assert "[1m]" in target.expression


PROBES = {  # after, every, timeout, failures, of liveness and readiness
    ("assistant", "orchestrator"): ((30, 10, 5, 3), (10, 5, 3, 3)),
    ("assistant", "frontend"): ((20, 10, 5, 3), (10, 5, 3, 3)),
    ("conversation", "app"): ((30, 10, 5, 3), (10, 5, 3, 3)),
    ("engagement", "ai_orchestration"): ((30, 10, 5, 3), (10, 5, 3, 3)),
    ("answering", "phone_gateway"): ((0, 10, 5, 3), (0, 5, 3, 3)),
}


@pytest.mark.parametrize(("blueprint", "key"), PROBES)
def test_probes_ask_in_the_listed_rhythm(blueprint: str, key: str) -> None:
    probes = service(blueprint, key).probes
    found = tuple(
        (probe.after, probe.every, probe.timeout, probe.failures) for probe in (probes.liveness, probes.readiness)
    )
    assert found == PROBES[blueprint, key]
    assert (probes.liveness.path, probes.readiness.path) == ("/health", "/ready")


def test_every_service_that_answers_calls_has_a_startup_probe_of_30_tries() -> None:
    for running in of("answering").services:
        startup = running.service.probes.startup
        assert startup is not None
        assert (startup.path, startup.every, startup.failures) == ("/health", 5, 30)


@pytest.mark.parametrize(
    ("blueprint", "key", "pause", "drain"),
    [
        ("engagement", "ai_orchestration", 15, 15),
        ("answering", "phone_gateway", 5, 600),
        ("answering", "realtime_processor", 5, 600),
    ],
)
def test_services_end_in_the_listed_time(blueprint: str, key: str, pause: int, drain: int) -> None:
    stopping = service(blueprint, key).stopping
    assert (stopping.pause, stopping.drain) == (pause, drain)
    assert stopping.grace > pause + drain


def test_recommended_sizes_stay_within_their_bounds() -> None:
    for blueprint, key, bounds in (
        ("assistant", "orchestrator", ("100m", "128Mi", "2", "2Gi")),
        ("conversation", "app", ("1", "2Gi", "4", "8Gi")),
    ):
        found = service(blueprint, key).vertical
        assert found is not None
        least, most = found.least, found.most
        assert (
            *(cores_text(least.cpu), bytes_text(least.memory)),
            *(cores_text(most.cpu), bytes_text(most.memory)),
        ) == bounds
