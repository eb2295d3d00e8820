"""What `frontdesk check` proves: each mistake is planted once, and told with its place and its remedy."""

from pathlib import Path

import pytest

from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs import prove
from frontdesk.system.layout.proofs.measures import is_published, names_in
from frontdesk.system.load import described
from frontdesk.telemetry.metrics import names
from tests.system.layout.described import planned

PLANTED = {
    "a service that nobody describes": (
        "services: {web: {needs: [postgres, redis, wokrer]}}",
        "`web` names `wokrer` under `needs`",
        "Did you mean `worker`?",
    ),
    "a store that nobody describes": (
        "stores: {redis: null}",
        "`web` names `redis` under `needs`",
        "Describe it under `stores.redis`",
    ),
    "an address that nobody describes": ("outside: {model: null}", "`web` names `model` under `calls`", "There are"),
    "a host that nobody describes": ("services: {web: {host: [nod]}}", "`web` names `nod` under `host`", "`node`"),
    "a circle": (
        "services: {tools: {needs: [web]}, web: {needs: [postgres, redis, tools]}}",
        "These services wait for each other",
        "Take one of them out",
    ),
    "a call to what answers on no port": (
        "services: {web: {calls: [worker, tools]}, worker: {metrics_port: null}}",
        "`web` calls `worker`, which answers on no port",
        "Give `worker` a `port`",
    ),
    "a caller that is none": ("services: {web: {called_by: [gateway]}}", "is called by `gateway`", "role=api-gateway"),
    "a worker without queues": ("services: {worker: {queues: []}}", "`worker` is a worker without `queues`", "queues:"),
    "a desk without a port": ("services: {tools: {port: null}}", "`tools` answers HTTP and has no `port`", "Say which"),
    "pages without a desk behind them": (
        "services: {pages: {role: frontend, port: 5000}}",
        "`pages` shows pages and calls no service",
        "role `all` or `web`",
    ),
    "a secret that nothing reads": (
        "services: {tools: {secrets: [MCP_SERVICE_TOKN]}}",
        "`tools` gets the secret MCP_SERVICE_TOKN, and no setting reads it",
        "Did you mean `MCP_SERVICE_TOKEN`?",
    ),
    "two on one port": (
        "services: {tools: {port: 8000, host: [node]}}",
        "`tools` and `web` both listen on port 8000 of node",
        "another port",
    ),
    "an agent that needs nobody": (
        "services: {web: {agents: [{name: a, port: 7001, needs: [b]}]}}",
        "The agent `a` needs `b`",
        "There are 1",
    ),
    "agents that wait for each other": (
        "services: {web: {agents: [{name: a, port: 7001, needs: [b]}, {name: b, port: 7002, needs: [a]}]}}",
        "These agents wait for each other",
        "Take one out",
    ),
    "two agents of one name": (
        "services: {web: {agents: [{name: a, port: 7001}]}, tools: {agents: [{name: a, port: 7002}]}}",
        "Two agents are called `a`, of `web` and of `tools`",
        "Rename one",
    ),
    "an agent on the port of a service": (
        "services: {web: {agents: [{name: a, port: 8000}]}}",
        "The agent `a` of `web` and `web` both listen on port 8000 of node",
        "another port",
    ),
    "a store on the port of a service": (
        "stores: {redis: {port: 8000, host: [node]}}",
        "`web` and the store `redis` both listen on port 8000 of node",
        "another port",
    ),
    "a name of two things": (
        "outside: {worker: {hosts: [a.example.com]}}",
        "`worker` stands under `outside`",
        "another",
    ),
    "two services of one name": (
        "services: {tools: {names: [web]}}",
        "`tools` and `web` are both reached as web",
        "another name",
    ),
    "a service called as a store": (
        "stores: {redis: {name: web}}",
        "`web` and `redis` are both reached as web",
        "another name",
    ),
    "queues that may be evicted": (
        "stores: {redis: {keeps: cache}}",
        "Of `redis` what is least used may vanish",
        "stores.cache",
    ),
    "queues that a setting lets go": (
        "stores: {redis: {settings: {maxmemory-policy: allkeys-lru}}}",
        "Of `redis` what is least used may vanish",
        "maxmemory-policy",
    ),
    "a start after what nobody describes": (
        "services: {web: {after: [wokrer]}}",
        "`web` names `wokrer` under `after`",
        "Did you mean `worker`?",
    ),
    "two that begin after each other": (
        "services: {web: {after: [worker]}, worker: {needs: [postgres, redis, web]}}",
        "These services wait for each other",
        "`after`",
    ),
    "a secret among the variables": (
        "services: {web: {variables: {OPENAI_API_KEY: sk-1234}}}",
        "`web` is given OPENAI_API_KEY as a variable",
        "services.web.secrets",
    ),
    "two alerts of one name": (
        "alerts: {rules: [{name: A, severity: info, expression: up, summary: s, runbook: r},"
        " {name: A, severity: info, expression: up, summary: s, runbook: r}]}",
        "Two alerts are called `A`",
        "Rename one",
    ),
    "an alert that quiets nobody": (
        "alerts: {rules: [{name: Quiet, severity: info, expression: up, summary: s, runbook: r, quiets: [Quite]}]}",
        "Quiet quiets `Quite`",
        "Did you mean `Quiet`?",
    ),
    "an expression that does not end": (
        "alerts: {rules: [{name: A, severity: info, expression: 'sum(up{job=\"web\"} > 1', summary: s, runbook: r}]}",
        "`(` stands without its other half",
        "two halves",
    ),
    "a share of nobody's card": (
        "services: {tools: {gpu: {memory: 4Gi}}}",
        "`tools` wants a share of a card, and names no host",
        "Name it under `host`",
    ),
    "a slot of two services": (
        "hosts: {node: {gpu: {model: T4, memory: 16Gi}}}\n"
        "services: {web: {gpu: {slot: 1, compute: 9, memory: 1Gi}}, worker: {gpu: {slot: 1, compute: 9, memory: 1Gi}}}",
        "`web` and `worker` both want slot 1",
        "gpu.slot",
    ),
    "a pooler without room": (
        "stores: {postgres: {pooler: {replicas: 9, resources: {requests: {memory: 8Gi}, limits: {memory: 8Gi}}}}}",
        "of the replicas of `pooler`",
        "add machines",
    ),
    "a startup probe slower than its rhythm": (
        "services: {web: {probes: {startup: {every: 2, timeout: 3}}}}",
        "The startup probe of `web`",
        "`timeout` to `every`",
    ),
    "a public name that leads nowhere": (
        "edge: {hosts: [{host: desk.example.com, service: webb}]}",
        "desk.example.com leads to `webb`",
        "Did you mean `web`?",
    ),
    "a public name that leads to two": (
        "edge: {hosts: [{host: a.example.com, service: web}, {host: a.example.com, service: tools}]}",
        "a.example.com/ leads to two services",
        "Keep one",
    ),
    "an image without a version": ("stores: {redis: {image: valkey/valkey}}", "has no version", "Name one"),
    "the tag latest": ("deployment: {images: {tag: latest}}", "`latest` says nothing", "Name a release"),
    "an objective of nothing": (
        "objectives: {list: [{name: a, category: shop, kind: ratio, target: 99, good: up, total: up}]}",
        "holds the category `shop`",
        "Say `category`",
    ),
    "replicas beside an autoscaler": (
        "services: {web: {replicas: 2, scaling: {least: 2, most: 4}}}",
        "an autoscaler and `replicas` as well",
        "Leave `replicas` out",
    ),
    "a budget that never gives way": (
        "services: {web: {replicas: 2, disruption: 2}}",
        "keeps 2 of 2 replicas up",
        "at least one fewer",
    ),
    "a kill before the drain has ended": (
        "services: {web: {stopping: {pause: 15, drain: 60, grace: 75}}}",
        "`web` is killed after 75 s",
        "Set `grace` above 75",
    ),
    "streams that may run longer than any service waits": (
        "http: {drain_seconds: 600}",
        "Running streams may take 600 s to end",
        "stopping.drain",
    ),
    "a roll-out that cannot move": (
        "services: {web: {rollout: {surge: 0, unavailable: 0}}}",
        "neither more nor fewer replicas",
        "`surge` or `unavailable`",
    ),
    "a probe slower than its rhythm": (
        "services: {web: {probes: {readiness: {every: 2, timeout: 3}}}}",
        "may take 3 s and is asked every 2 s",
        "`timeout` to `every`",
    ),
    "more asked for than allowed": (
        "services: {web: {resources: {requests: {cpu: 2}, limits: {cpu: 1}}}}",
        "`web` asks for 2 of CPU and may never have more than 1",
        "Raise the limit",
    ),
    "more than a machine has": (
        "services: {web: {resources: {requests: {memory: 32Gi}, limits: {memory: 32Gi}}}}",
        "No host has room for 1 of the replicas of `web` (0 CPU, 32Gi)",
        "add machines",
    ),
    "more cards than there are": (
        "services: {web: {resources: {gpu: 1}}}",
        "No host has room for 1 of the replicas of `web` (250m CPU, 256Mi, 1 GPU)",
        "add machines",
    ),
    "nodes that nothing tolerates": (
        "hosts: {node: {taint: reserved}}",
        "No host has room",
        "add machines",
    ),
    "a quota that is too small": (
        "deployment: {quota: {requests_memory: 512Mi}}",
        "of requests_memory are asked for, and the quota is 512Mi",
        "Raise the quota",
    ),
    "MIG on a card without it": (
        "hosts: {node: {gpu: {model: RTX 4090, memory: 24Gi, sharing: mig}}}\n"
        "services: {web: {gpu: {compute: 50, memory: 8Gi}}}",
        "On `node` the RTX 4090 has no MIG",
        "Leave `gpu.sharing` out, or say `mps`",
    ),
    "more of a card than it has": (
        "hosts: {node: {gpu: {model: RTX 3060, memory: 12Gi}}}\n"
        "services: {web: {gpu: {compute: 50, memory: 8Gi}}, worker: {gpu: {compute: 60, memory: 2Gi}}}",
        "`worker` wants 60 % and 2Gi of the card (RTX 3060)",
        "Lower the shares",
    ),
    "more connections than the server has": (
        "services: {web: {scaling: {least: 1, most: 10}}}",
        "11 processes of 60 connections each may open 660, and the server takes from them 197",
        "Let `store.pool_size` and `store.max_overflow` be 17 together",
    ),
    "a pooler that holds more than the server gives": (
        "stores: {postgres: {connections: 50, pooler: {server_connections: 100}}}",
        "holds 100 connections, and the server gives 47",
        "Lower",
    ),
    "an alert on what nobody publishes": (
        "alerts: {rules: [{name: A, severity: info, expression: 'rate(http_requets_total[5m]) > 1', summary: s,"
        " runbook: r}]}",
        "The alert A asks for `http_requets_total`",
        "Did you mean `http_requests`?",
    ),
    "an autoscaler by what nobody publishes": (
        "services: {web: {scaling: {least: 1, most: 2, own: [{metric: calls_waiting, average: 3}]}}}",
        "The autoscaler of web asks for `calls_waiting`",
        "publishes",
    ),
}


def test_the_small_system_has_no_mistake(tmp_path: Path) -> None:
    assert prove(planned(tmp_path), names()) == ()


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_mistake_is_told_with_its_place_and_remedy(fault: str, tmp_path: Path) -> None:
    text, what, hint = PLANTED[fault]
    found = [each for each in prove(planned(tmp_path, text), names()) if each.severity == "error"]
    told = [each.problem for each in found if what in each.problem.what]
    assert told, [str(each.problem) for each in found]
    assert hint in told[0].hint
    assert (told[0].where or "").startswith(str(tmp_path / "system.yaml"))


@pytest.mark.proves("conversation-20")
def test_pools_times_replicas_beyond_the_server_are_told_with_what_would_fit(tmp_path: Path) -> None:
    text = "store: {pool_size: 30, max_overflow: 50}\nservices: {web: {scaling: {least: 3, most: 10}}}"
    (found,) = prove(planned(tmp_path, text), names())
    assert found.severity == "error"
    assert "11 processes of 80 connections each may open 880" in found.problem.what
    pooled = text + "\nstores: {postgres: {pooler: {client_connections: 1000}}}"
    assert prove(planned(tmp_path, pooled), names()) == ()


def test_what_only_the_most_replicas_exceed_is_a_warning(tmp_path: Path) -> None:
    text = "store: {pool_size: 2, max_overflow: 1}\nservices: {web: {scaling: {least: 1, most: 60}}}"
    (found,) = prove(planned(tmp_path, text), names())
    assert found.severity == "warning"
    assert "All services at their most ask for" in found.problem.what
    assert prove(planned(tmp_path, f"{text}\nhosts: {{node: {{most: 8}}}}"), names()) == ()


def test_a_store_that_no_service_names_is_a_warning(tmp_path: Path) -> None:
    (found,) = prove(planned(tmp_path, "stores: {cache: {keeps: cache, name: cache-service}}"), names())
    assert (found.severity, found.path) == ("warning", "stores.cache")
    assert "No service names `cache`" in found.problem.what
    named = "stores: {cache: {keeps: cache, name: cache-service}}\nservices: {web: {calls: [cache]}}"
    assert prove(planned(tmp_path, named), names()) == ()


def test_rules_of_one_service_that_add_replicas_otherwise_are_one_way_to_kubernetes(tmp_path: Path) -> None:
    own = "{metric: queue_length, average: 9%s}"
    text = "services: {web: {scaling: {least: 1, most: 2, up: {replicas: 1}, own: [%s]}}}"
    (found,) = prove(planned(tmp_path, text % own % ", up: {replicas: 2}"), names())
    assert found.severity == "warning"
    assert "`web` adds replicas by `queue_length` otherwise than by its other rules" in found.problem.what
    for alike in ("", ", up: {replicas: 1}"):
        assert prove(planned(tmp_path, text % own % alike), names()) == ()


def test_what_a_proof_says_of_a_list_stands_at_its_entry(tmp_path: Path) -> None:
    alert = "{name: %s, severity: info, expression: %s, summary: s, runbook: r}"
    rules = "\n".join(f"    - {alert % each}" for each in (("A", "up"), ("B", "nobody_publishes_this"), ("C", "up")))
    file = tmp_path / "system.yaml"
    file.write_text(f"alerts:\n  rules:\n{rules}\n")
    system, _ = described(file, "development")
    assert system is not None
    (found,) = prove(Plan(system), names())
    assert found.problem.where == f"{file}:4"


def test_what_the_file_leaves_unsaid_is_told_at_its_section(tmp_path: Path) -> None:
    rules = "alerts: {rules: [{name: A, severity: info, expression: up, summary: s, runbook: r}]}"
    plan = planned(tmp_path, f"{rules}\ndashboards: {{scrape_seconds: 30}}", environment="production")
    (found,) = prove(plan, names())
    file, _, line = (found.problem.where or "").rpartition(":")
    assert found.path == "dashboards.alerts_to"
    assert Path(file).read_text().splitlines()[int(line) - 1] == "  scrape_seconds: 30"


BROKEN = """\
deployment: {namspace: a}
services:
  web: {role: web, prot: 8000, needs: [postgres], replicas: 2, disruption: 2}
  worker: {role: worker, queues: [generl], needs: [web]}
  tools: {role: tools, port: 9000, stopping: {pause: 15, drain: 60, grace: 70}}
stores: {postgres: {}}
store: {pool_size: many}
alerts: {rules: [{name: A, severity: info, expression: nobody_publishes_this, summary: s, runbook: r}]}
"""


def test_what_stands_beside_a_mistake_of_form_is_proved_as_well_and_nothing_that_follows_from_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "system.yaml"
    file.write_text(BROKEN)
    system, problems = described(file, "development")
    assert system is not None
    assert [problem.where for problem in problems] == [f"{file}:{line}" for line in (1, 3, 4, 7)]
    found = [each.problem for each in prove(Plan(system), names())]
    assert [problem.where for problem in found] == [f"{file}:{line}" for line in (5, 8)]
    assert "`tools` is killed after 70 s" in found[0].what


def test_of_an_entry_that_cannot_be_made_out_nothing_is_concluded(tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text("services:\n  web: {port: 8000}\n  worker: {role: worker, queues: [ml], needs: [web]}\n")
    system, (problem,) = described(file, "development")
    assert system is None
    assert (problem.what, problem.where) == ("`services.web.role` is missing", f"{file}:2")


def test_sorting_in_every_connection_at_once_is_told_where_it_exceeds_the_database(tmp_path: Path) -> None:
    (found,) = prove(planned(tmp_path, "stores: {postgres: {settings: {work_mem: 256MB}}}"), names())
    assert found.severity == "warning"
    assert "200 connections that sort at once take 50Gi (`work_mem`), and the database has 2Gi" in found.problem.what
    assert prove(planned(tmp_path, "stores: {postgres: {settings: {work_mem: 8192}}}"), names()) == ()


def test_debug_of_production_is_told_wherever_the_file_is_checked(tmp_path: Path) -> None:
    text = "desk: {debug: true}"
    assert prove(planned(tmp_path, text), names()) == ()
    (found,) = prove(planned(tmp_path, text, environment="production"), names())
    assert "`desk.debug` is on" in found.problem.what


def test_an_unbuilt_role_is_named_and_no_mistake(tmp_path: Path) -> None:
    (found,) = prove(planned(tmp_path, "services: {eyes: {role: vision, port: 7000}}"), names())
    assert (found.severity, "`eyes` is described but not built yet" in found.problem.what) == ("warning", True)


def test_alerts_that_reach_nobody_are_worth_a_warning_in_production(tmp_path: Path) -> None:
    rule = "alerts: {rules: [{name: A, severity: info, expression: up == 0, summary: s, runbook: r}]}"
    (found,) = prove(planned(tmp_path, rule, environment="production"), names())
    assert (found.severity, found.problem.what) == ("warning", "Alerts are shown on dashboards and told to nobody")
    assert prove(planned(tmp_path, rule), names()) == ()
    told = f"{rule}\ndashboards: {{alerts_to: PAGER_URL}}"
    assert prove(planned(tmp_path, told, environment="production"), names()) == ()


@pytest.mark.parametrize("environment", ["development", "staging", "production"])
@pytest.mark.parametrize("blueprint", blueprints())
def test_a_shipped_blueprint_could_run_in_each_environment(blueprint: str, environment: str) -> None:
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None
    assert not problems
    found = prove(Plan(system), names())
    assert [str(each.problem) for each in found if each.severity == "error"] == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('sum by (le, job) (rate(a_bucket{x="b_total"}[5m])) > 0.1', ("a_bucket",)),
        ("a / on (c) group_left (d) e and absent(f) or vector(0)", ("a", "e", "f")),
        ('label_replace(up, "g", "$1", "h", "(.*)") offset 5m', ("up",)),
        ("histogram_quantile(0.95, a:b:c) unless 1e6 == bool i", ("a:b:c", "i")),
    ],
)
def test_the_metrics_of_an_expression_are_found(expression: str, expected: tuple[str, ...]) -> None:
    assert names_in(expression) == expected


def test_a_metric_is_known_by_its_series_too() -> None:
    known = frozenset(("a", "b"))
    assert all(is_published(name, known) for name in ("a", "a_total", "b_bucket", "b_count", "node_load1", "up"))
    assert not is_published("a_totals", known)
