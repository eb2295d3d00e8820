"""What follows from a description."""

from pathlib import Path

import pytest

from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Edge, Plan, variables_said
from frontdesk.system.layout.quantities import amount_of_bytes, bytes_text, cores_text, millicores
from frontdesk.system.load import described
from tests.system.layout.described import planned


def of(blueprint: str, environment: str = "production") -> Plan:
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None
    assert not problems
    return Plan(system)


def test_services_start_in_stages_after_what_they_need(tmp_path: Path) -> None:
    plan = planned(tmp_path, "services: {web: {needs: [postgres, redis, tools]}}")
    assert plan.stages == (("worker", "tools"), ("web",))
    assert [running.stage for running in plan.services] == [1, 0, 0]


def test_every_way_through_the_network_is_known_once(tmp_path: Path) -> None:
    edges = planned(tmp_path).edges
    assert len(edges) == len(set(edges))
    assert {edge for edge in edges if edge.source == "web"} == {
        Edge("web", "postgres", 5432),
        Edge("web", "redis", 6379),
        Edge("web", "tools", 9000),
        Edge("web", "model", 443),
    }
    assert {edge for edge in edges if edge.target == "web"} == {
        Edge("edge", "web", 8000),
        Edge("monitoring", "web", 8000),
    }


def test_a_pooler_stands_between_services_and_database(tmp_path: Path) -> None:
    plan = planned(tmp_path, "stores: {postgres: {pooler: {port: 6432}}}")
    assert Edge("web", "postgres", 6432) in plan.edges
    assert plan.service("web").variables["DB_HOST"] == "pgbouncer"


def test_who_needs_no_secret_gets_none() -> None:
    plan = of("assistant")
    assert plan.service("frontend").secrets == ()
    assert plan.service("frontend").variables["ORCHESTRATOR_URL"] == "http://orchestrator:8000"
    assert plan.service("mcp_example").secrets == ("MCP_SERVICE_TOKEN",)
    assert {"SECRET_KEY", "JWT_SECRET_KEY", "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY"} <= set(
        plan.service("orchestrator").secrets
    )


def test_a_store_of_somebody_else_comes_by_a_secret_address_and_ours_by_its_name() -> None:
    ours, theirs = of("assistant", "development").service("orchestrator"), of("assistant").service("orchestrator")
    assert ours.variables["DB_HOST"] == "postgres"
    assert "POSTGRES_PASSWORD" in ours.secrets
    assert "DB_HOST" not in theirs.variables
    assert "DATABASE_URL" in theirs.secrets


def test_variables_hold_what_the_file_says_of_an_environment_and_no_secret() -> None:
    said = variables_said(of("engagement").system)
    assert (said["CONFIDENCE_THRESHOLD"], said["RISK_TOLERANCE"], said["THROUGHPUT_TARGET"]) == (
        "0.85",
        "0.05",
        "10000",
    )
    assert said["BIAS_DETECTION"] == "true"
    assert not {name for name in said if "KEY" in name or "PASSWORD" in name}
    assert variables_said(of("engagement", "staging").system)["CONFIDENCE_THRESHOLD"] == "0.7"


def test_images_are_named_by_release_or_by_digest(tmp_path: Path) -> None:
    text = "deployment: {images: {registry: registry.example.com/small, tag: v1.2.0, digests: {web: 'sha256:0a'}}}"
    plan = planned(tmp_path, text)
    assert plan.service("web").image == "registry.example.com/small/web@sha256:0a"
    assert plan.service("worker").image == "registry.example.com/small/worker:v1.2.0"


def test_the_listed_figures_of_the_blueprints_stand() -> None:
    engagement, conversation = of("engagement"), of("conversation")
    web = engagement.service("ai_orchestration").service
    assert web.scaling is not None
    assert (web.port, web.metrics_port, web.service_port, web.least, web.most) == (8085, 9090, 80, 3, 20)
    assert (web.scaling.up.window, web.scaling.down.window, web.stopping.pause) == (60, 300, 15)
    assert (conversation.service("app").service.least, conversation.service("app").service.most) == (3, 10)
    assert len(of("answering").services) == 9
    assert of("answering").service("realtime_processor").service.most == 50
    agents = of("agents")
    assert len(agents.services) == 18
    assert sum(len(running.service.agents) for running in agents.services) == 42
    assert sum("mainpc" in running.service.host for running in agents.services) == 11
    assert len(agents.objectives.all) >= 25


@pytest.mark.parametrize(
    ("said", "thousandths", "written"), [("250m", 250, "250m"), (2, 2000, "2"), ("0.5", 500, "500m"), (0, 0, "0")]
)
def test_cores_are_read_and_written_as_kubernetes_does(said: object, thousandths: int, written: str) -> None:
    assert (millicores(said), cores_text(thousandths)) == (thousandths, written)


@pytest.mark.parametrize(
    ("said", "count", "written"),
    [("256Mi", 2**28, "256Mi"), ("10G", 10**10, "9765625Ki"), (1024, 1024, "1Ki"), ("1.5Gi", 3 * 2**29, "1536Mi")],
)
def test_memory_is_read_and_written_as_kubernetes_does(said: object, count: int, written: str) -> None:
    assert (amount_of_bytes(said), bytes_text(count)) == (count, written)
    assert amount_of_bytes(written) == count


@pytest.mark.parametrize("said", ["", "1x", "-1", "Mi", True, None, "1e3"])
def test_other_amounts_are_refused(said: object) -> None:
    with pytest.raises(ValueError, match="are written like"):
        amount_of_bytes(said)
    with pytest.raises(ValueError, match="are written like"):
        millicores(said)
