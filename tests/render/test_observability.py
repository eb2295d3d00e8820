"""What watches a system: each file is read by the program that reads it in use, and names only what there is."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.utils import floatToGoString

from frontdesk.render import compose
from frontdesk.render.observability import alertmanager, collector, files, rules, slo
from frontdesk.render.observability.exporters import EXPORTERS, wanted
from frontdesk.render.observability.expressions import every, metrics_in
from frontdesk.render.observability.parts import parts
from frontdesk.render.observability.prometheus import metrics_port, watched
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described
from frontdesk.telemetry import metrics
from frontdesk.telemetry.metrics import Distribution, Observed
from frontdesk.telemetry.tracing import ATTRIBUTES
from tests.render.cluster import changed
from tests.render.planted import planned
from tests.render.reading import monitoring, objects, structure

OF_PROMETHEUS = {"up", "ALERTS"}  # what Prometheus says itself of whatever it reads
OF_OTHER_EXPORTERS = {"DCGM_FI_DEV_GPU_UTIL"}  # read where it is there, asked for nowhere else
OF_A_TARGET = {"job", "instance", "machine", "namespace", "pod"}
ENVIRONMENTS = ("development", "staging", "production")
ALL = [(blueprint, environment) for blueprint in blueprints() for environment in ENVIRONMENTS]


def written(found: Mapping[str, str], folder: Path) -> Path:
    for name, text in found.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def loaded(plan: Plan, name: str) -> dict[str, object]:
    return yaml.safe_load(files(plan)[name])


def told(variable: str) -> Plan:
    """The assistant whose alerts are posted to the address in a variable."""
    options = {"dashboards.alerts_to": variable}
    system, problems = described(blueprint_file("assistant"), "production", options)
    assert system is not None, problems
    return Plan(system)


# --- read by the tools ---


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_prometheus_alertmanager_grafana_and_kubernetes_take_what_is_written(
    blueprint: str, environment: str, tmp_path: Path
) -> None:
    folder = written(files(planned(blueprint, environment)), tmp_path)
    without_discovery(folder / "prometheus/prometheus.kubernetes.yml")
    assert monitoring.read_prometheus(*folder.glob("prometheus/*.yml")) == []
    assert monitoring.read_rules(*folder.glob("prometheus/rules/*.yml")) == []
    assert monitoring.read_alertmanager(*folder.glob("alertmanager/*.yml")) == []
    assert objects.read_manifests(folder / "kubernetes") == []
    assert structure.read_collector(folder / collector.FILE, folder / "jaeger/jaeger.yaml") == []
    assert structure.read_vector(*folder.glob("vector/*.yaml")) == []
    assert structure.read_loki(folder / "loki/loki.yaml") == []
    assert structure.read_provisioning(*folder.glob("grafana/provisioning/*/*.yaml")) == []
    said = monitoring.read_dashboards(*folder.glob("grafana/dashboards/*.json"))
    assert [each for each in said if not _OF_THE_SOURCE.search(each)] == []


def without_discovery(file: Path) -> None:
    """Debian builds its promtool without Kubernetes; what is said of discovery is looked at below, by hand."""
    read = yaml.safe_load(file.read_text())
    for job in read["scrape_configs"]:
        if job.pop("kubernetes_sd_configs", None):
            job["static_configs"] = [{"targets": ["localhost:9090"]}]
    file.write_text(yaml.safe_dump(read))


_OF_THE_SOURCE = re.compile(r"annotations\.list\[0\]\.(titleFormat|textFormat) is unknown")  # Prometheus' own options


@pytest.mark.parametrize("blueprint", blueprints())
def test_the_same_system_gives_the_same_bytes(blueprint: str) -> None:
    assert files(planned(blueprint)) == files(planned.__wrapped__(blueprint))


# --- everything that is named is there ---


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_metric_that_is_named_is_told_by_somebody(blueprint: str) -> None:
    plan = planned(blueprint)
    recorded = {str(rule["record"]) for rule in _rules(plan) if "record" in rule}
    known = OF_PROMETHEUS | OF_OTHER_EXPORTERS | recorded | set(_published())
    known |= {metric for exporter in EXPORTERS for metric in exporter.metrics}
    assert "response_time_seconds_bucket" in known
    named = {what: metrics_in(_plain(expression)) for what, expression in _every_expression(plan)}
    assert {what for what, found in named.items() if not found - {"vector"}} <= _CONSTANT
    assert {what: found - known for what, found in named.items() if found - known} == {}


_CONSTANT = {"slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days", "slo:objective:bound"} | {
    "sloth_slo_info"
}


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_label_and_bucket_that_is_named_is_one_of_its_metric(blueprint: str) -> None:
    labels, edges = _labels(), _edges()
    for what, expression in _every_expression(planned(blueprint)):
        for metric, inside in re.findall(r"(\w+)\{([^{}]*)\}", expression):
            base = re.sub(r"_(bucket|sum|count|total)$", "", metric)
            if base not in labels:
                continue
            selected = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', inside)
            assert {name for name, _ in selected} <= labels[base] | OF_A_TARGET | {"le"}, what
            assert {bound for name, bound in selected if name == "le"} <= edges.get(base, set()), what


def test_the_walk_over_an_expression_finds_its_metrics() -> None:
    found = metrics_in('sum by (le, route) (rate(a_total{x=~"b|c", y!="d"}[5m])) / on () group(e offset 10m) > 0.5')
    assert found == {"a_total", "e"}


# --- Prometheus ---


@pytest.mark.parametrize("blueprint", blueprints())
@pytest.mark.parametrize("place", ["", ".kubernetes"])
def test_every_service_is_a_job_of_its_name(blueprint: str, place: str) -> None:
    plan = planned(blueprint)
    read = loaded(plan, f"prometheus/prometheus{place}.yml")
    jobs = [job["job_name"] for job in read["scrape_configs"]]
    named = {running.name for running in plan.services}
    assert named & set(jobs) == {running.name for running in plan.services if running.service.built}
    assert len(set(jobs)) == len(jobs)
    assert read["global"]["scrape_interval"] == read["global"]["evaluation_interval"] == "15s"


@pytest.mark.parametrize("blueprint", blueprints())
def test_containers_are_asked_by_name_on_the_port_of_their_metrics(blueprint: str) -> None:
    plan = planned(blueprint)
    jobs = {job["job_name"]: job for job in loaded(plan, "prometheus/prometheus.yml")["scrape_configs"]}
    for running in watched(plan):
        job = jobs[running.name]
        if running.service.least > 1:
            (found,) = job["dns_sd_configs"]
            assert (found["names"], found["type"], found["port"]) == ([running.host_name], "A", metrics_port(running))
        else:
            (static,) = job["static_configs"]
            assert static["targets"] == [f"{running.host_name}:{metrics_port(running)}"]


@pytest.mark.parametrize("blueprint", blueprints())
def test_pods_are_found_by_their_labels_where_their_hints_say(blueprint: str) -> None:
    plan = planned(blueprint)
    jobs = {job["job_name"]: job for job in loaded(plan, "prometheus/prometheus.kubernetes.yml")["scrape_configs"]}
    for running in watched(plan):
        (found,) = jobs[running.name]["kubernetes_sd_configs"]
        assert found == {"role": "pod", "namespaces": {"names": [plan.deployment.namespace]}}
        kept = {
            rule["source_labels"][0].removeprefix("__meta_kubernetes_pod_"): rule["regex"]
            for rule in jobs[running.name]["relabel_configs"]
            if rule.get("action") == "keep"
        }
        assert kept["label_app_kubernetes_io_name"] == running.name
        assert kept["label_app_kubernetes_io_instance"] == plan.name
        assert kept["annotation_prometheus_io_scrape"] == "true"


def test_bare_hosts_are_asked_at_their_addresses() -> None:
    read = loaded(planned("agents"), "prometheus/prometheus.hosts.yml")
    jobs = {job["job_name"]: job["static_configs"] for job in read["scrape_configs"]}
    assert jobs["web-interface"] == [{"targets": ["pc2.internal:8000"], "labels": {"machine": "pc2"}}]
    assert jobs["nvidia-gpu-exporter"] == [
        {"targets": ["mainpc.internal:9835"], "labels": {"machine": "mainpc"}},
        {"targets": ["pc2.internal:9835"], "labels": {"machine": "pc2"}},
    ]
    alone = loaded(planned("assistant"), "prometheus/prometheus.hosts.yml")["scrape_configs"]
    assert {"job_name": "frontend", "static_configs": [{"targets": ["localhost:5000"]}]} in alone


@pytest.mark.parametrize("blueprint", blueprints())
@pytest.mark.parametrize("place", ["", ".hosts"])
def test_every_machine_that_a_figure_is_asked_of_is_the_label_of_a_target(blueprint: str, place: str) -> None:
    plan = planned(blueprint)
    jobs = {job["job_name"]: job for job in loaded(plan, f"prometheus/prometheus{place}.yml")["scrape_configs"]}
    for exporter in (each for each in wanted(plan) if each.of_a_host):
        told = [static.get("labels", {}).get("machine") for static in jobs[exporter.name]["static_configs"]]
        assert len(set(told)) == len(told)  # targets that differ in nothing are one to Prometheus
        for what, expression in _every_expression(plan):
            for metric, inside in re.findall(r"(\w+)\{([^{}]*)\}", expression):
                if metric in exporter.metrics:
                    assert set(re.findall(r'machine="([^"]*)"', inside)) <= set(told), what


def test_one_machine_that_plays_several_tells_its_figures_under_the_name_of_each() -> None:
    jobs = {job["job_name"]: job for job in loaded(planned("agents"), "prometheus/prometheus.yml")["scrape_configs"]}
    assert jobs["node-exporter"]["static_configs"] == [
        {"targets": ["node-exporter:9100"], "labels": {"machine": "mainpc"}},
        {"targets": ["node-exporter:9100"], "labels": {"machine": "pc2"}},
    ]
    plan = planned("conversation")  # whose nodes are kinds of a cluster, and no machines
    jobs = {job["job_name"]: job for job in loaded(plan, "prometheus/prometheus.yml")["scrape_configs"]}
    assert jobs["node-exporter"]["static_configs"] == [{"targets": ["node-exporter:9100"]}]


def test_the_only_machine_bears_its_name_and_one_without_a_card_is_not_asked_for_any() -> None:
    hosts = planned("agents").system.sections["hosts"].model_dump(mode="json", by_alias=True)
    alone = changed("agents", "production", {"hosts": {"pc2": hosts["pc2"] | {"address": ""}}})
    jobs = {job["job_name"]: job for job in loaded(alone, "prometheus/prometheus.hosts.yml")["scrape_configs"]}
    assert jobs["node-exporter"]["static_configs"] == [{"targets": ["localhost:9100"], "labels": {"machine": "mainpc"}}]
    plan = changed("agents", "production", {"hosts": {"pc2": hosts["pc2"] | {"gpu": None}}})
    for place in ("", ".hosts"):
        jobs = {job["job_name"]: job for job in loaded(plan, f"prometheus/prometheus{place}.yml")["scrape_configs"]}
        assert [each["labels"] for each in jobs["nvidia-gpu-exporter"]["static_configs"]] == [{"machine": "mainpc"}]


def test_exporters_are_wanted_where_something_names_their_metrics() -> None:
    assert {exporter.name for exporter in wanted(planned("agents"))} == {
        "node-exporter",
        "nvidia-gpu-exporter",
        "otel-collector",
        "blackbox-exporter",
    }
    assert wanted(planned("assistant")) == ()


# --- who is told ---


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "page"), ("warning", "ticket"), ("info", "nobody")])
@pytest.mark.parametrize("blueprint", blueprints())
def test_who_is_told_follows_the_severity(blueprint: str, severity: str, receiver: str, tmp_path: Path) -> None:
    folder = written({alertmanager.FILE: files(planned(blueprint))[alertmanager.FILE]}, tmp_path)
    assert monitoring.receivers(folder / alertmanager.FILE, severity=severity, alertname="X") == [receiver]


def test_the_webhooks_address_stands_in_a_file(tmp_path: Path) -> None:
    plan = told("ALERTS_URL")
    text = files(plan)[alertmanager.FILE]
    called = {each["name"]: each.get("webhook_configs", []) for each in yaml.safe_load(text)["receivers"]}
    assert [hook["url_file"] for hook in called["page"] + called["ticket"]] == ["/run/secrets/ALERTS_URL"] * 2
    assert called["nobody"] == []
    assert next(part for part in parts(plan) if part.name == "alertmanager").secrets == ("ALERTS_URL",)
    # Debian's amtool is of 0.25, which knows no `url_file` yet: all else it must take.
    known = text.replace("url_file: /run/secrets/ALERTS_URL", "url: http://localhost/")
    folder = written({alertmanager.FILE: known}, tmp_path)
    assert monitoring.read_alertmanager(folder / alertmanager.FILE) == []


@pytest.mark.parametrize("blueprint", blueprints())
def test_only_milder_alerts_that_are_there_are_quieted(blueprint: str) -> None:
    alerts = {alert.name: alert for alert in planned(blueprint).system.section(AlertsOptions).rules}
    for alert in alerts.values():
        for quieted in alert.quiets:
            assert alert.severity == "critical"
            assert alerts[quieted].severity == "warning"
            assert metrics_in(alert.expression) == metrics_in(alerts[quieted].expression)
    inhibited = loaded(planned(blueprint), alertmanager.FILE)["inhibit_rules"]
    assert len(inhibited) == 1 + sum(1 for alert in alerts.values() if alert.quiets)


# --- dashboards ---


def boards(plan: Plan) -> dict[str, dict[str, object]]:
    found = files(plan)
    return {name: json.loads(text) for name, text in found.items() if name.startswith("grafana/dashboards/")}


@pytest.mark.parametrize("blueprint", blueprints())
def test_panels_have_numbers_sources_questions_and_places_of_their_own(blueprint: str) -> None:
    plan = planned(blueprint)
    sources = loaded(plan, "grafana/provisioning/datasources/frontdesk.yaml")["datasources"]
    uids = {source["uid"] for source in sources}
    assert [source["uid"] for source in sources if source.get("isDefault")] == ["prometheus"]
    shown = boards(plan)
    assert len({board["uid"] for board in shown.values()}) == len(shown)
    for name, board in shown.items():
        panels = board["panels"]
        assert len({each["id"] for each in panels}) == len(panels) > 0, name
        taken: set[tuple[int, int]] = set()
        for each in panels:
            assert each["datasource"]["uid"] in uids, name
            assert each["targets"], name
            assert all(target["expr"] for target in each["targets"]), name
            assert len({target["refId"] for target in each["targets"]}) == len(each["targets"]), name
            place = each["gridPos"]
            assert place["x"] + place["w"] <= 24, name
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{name}: {each['title']} covers another"
            taken |= cells


LISTED = {
    ("assistant", "AI Assistant Monitoring"): ["Request Rate", "Response Time", "Error Rate", "Token Usage"],
    ("conversation", "Application"): ["Request rates", "Response times", "Error rates", "Queues"],
    ("conversation", "Infrastructure"): ["Processes by role", "CPU of the processes", "Memory", "Memory of the limit"],
    ("conversation", "Business"): ["User interactions", "Conversations", "Typing simulations"],
    ("engagement", "AI Orchestration Dashboard"): [
        "AI Decision Rate",
        "Decision Confidence Distribution",
        "Learning Pipeline Performance",
        "Strategy Evolution Metrics",
    ],
}


@pytest.mark.parametrize(("blueprint", "title"), LISTED)
def test_the_listed_dashboards_have_the_listed_panels(blueprint: str, title: str) -> None:
    (board,) = (board for board in boards(planned(blueprint)).values() if board["title"] == title)
    assert [each["title"] for each in board["panels"]] == LISTED[blueprint, title]


def test_confidence_is_a_heat_map_and_nothing_is_an_old_graph() -> None:
    shown = [
        each for blueprint in blueprints() for board in boards(planned(blueprint)).values() for each in board["panels"]
    ]
    assert {each["title"] for each in shown if each["type"] == "heatmap"} == {"Decision Confidence Distribution"}
    assert not {"graph", "singlestat"} & {each["type"] for each in shown}


# --- traces and logs ---


@pytest.mark.parametrize("name", [collector.FILE, "jaeger/jaeger.yaml"])
def test_pipelines_name_only_what_is_set_up(name: str) -> None:
    read = loaded(planned("agents"), name)
    joints = set(read.get("connectors", {}))
    for pipeline in read["service"]["pipelines"].values():
        assert set(pipeline["receivers"]) <= set(read["receivers"]) | joints
        assert set(pipeline["processors"]) <= set(read["processors"])
        assert set(pipeline["exporters"]) <= set(read["exporters"]) | joints
    assert set(read["service"]["extensions"]) == set(read["extensions"])
    used = {each for pipeline in read["service"]["pipelines"].values() for each in pipeline["processors"]}
    assert used == set(read["processors"])


def test_the_collector_guards_its_memory_first_and_samples_what_the_file_says() -> None:
    read = loaded(planned("assistant"), collector.FILE)
    assert read["service"]["pipelines"]["traces/in"]["processors"][0] == "memory_limiter"
    policies = {each["name"]: each for each in read["processors"]["tail_sampling"]["policies"]}
    assert policies["share"]["probabilistic"]["sampling_percentage"] == 10
    assert policies["errors"]["status_code"]["status_codes"] == ["ERROR"]
    protocols = read["receivers"]["otlp"]["protocols"]
    assert [protocols[each]["endpoint"] for each in ("grpc", "http")] == ["0.0.0.0:4317", "0.0.0.0:4318"]


def test_the_collector_lets_listed_attributes_pass_and_no_other() -> None:
    read = loaded(planned("assistant"), collector.FILE)
    of_spans, of_events = read["processors"]["transform/private"]["trace_statements"]
    said = re.fullmatch(r'keep_matching_keys\(attributes, "(.*)"\)', of_spans["statements"][0])
    assert said
    pattern = re.compile(said[1].replace("\\\\", "\\"))
    assert all(pattern.fullmatch(name) for name in (*ATTRIBUTES, "frontdesk.turn"))
    for name in ("gen_ai.prompt", "http.request.header.authorization", "enduser.id", "httpXroute", "user_frontdesk.x"):
        assert not pattern.search(name)
    assert of_events["statements"] == ['keep_keys(attributes, ["exception.type"])']


def test_logs_have_few_labels_and_an_end() -> None:
    plan = planned("conversation")
    for place in ("", ".hosts", ".kubernetes"):
        read = loaded(plan, f"vector/vector{place}.yaml")
        assert set(read["sinks"]["loki"]["labels"]) == {"system", "environment", "service", "level"}
        assert read["transforms"]["read"]["inputs"] == list(read["sources"])
        assert read["sinks"]["loki"]["inputs"] == list(read["transforms"])
    loki = loaded(plan, "loki/loki.yaml")
    assert loki["limits_config"]["retention_period"] == f"{plan.dashboards.logs_days * 24}h"
    assert loki["compactor"]["retention_enabled"]


@pytest.mark.parametrize("blueprint", blueprints())
def test_vector_listens_to_the_containers_of_its_own_project(blueprint: str) -> None:
    plan = planned(blueprint)
    (label,) = loaded(plan, "vector/vector.yaml")["sources"]["lines"]["include_labels"]
    core = yaml.safe_load(compose.files(plan)["compose.yaml"])
    assert label == f"com.docker.compose.project=${{COMPOSE_PROJECT_NAME:-{core['name']}}}"
    (vector,) = (part for part in parts(plan) if part.name == "vector")
    assert vector.variables == {"COMPOSE_PROJECT_NAME": "${COMPOSE_PROJECT_NAME}"}  # which Compose fills in


def test_jaeger_keeps_traces_where_its_user_may_write() -> None:
    """Its image has one such folder, /tmp, whose rights a new volume takes over."""
    badger = loaded(planned("assistant"), "jaeger/jaeger.yaml")["extensions"]["jaeger_storage"]["backends"]["traces"]
    (jaeger,) = (part for part in parts(planned("assistant")) if part.name == "jaeger")
    assert jaeger.data == "/tmp"
    assert badger["badger"]["directories"] == {"keys": "/tmp/keys", "values": "/tmp/values"}


def test_a_file_that_tells_nobody_says_so() -> None:
    assert files(planned("assistant"))[alertmanager.FILE].startswith("# Nobody is told of any alert")
    assert not files(told("ALERTS_URL"))[alertmanager.FILE].startswith("#")


LINE = '{"at":"2026-11-21T10:00:00.000+00:00","level":"error","logger":"frontdesk.http","event":"http","status":500}'
SAID = {
    "": {"label": {"com.docker.compose.service": "orchestrator"}},
    ".hosts": {"_SYSTEMD_UNIT": "ai-assistant-orchestrator.service"},
    ".kubernetes": {"kubernetes": {"pod_labels": {"app.kubernetes.io/name": "orchestrator"}}},
}


@pytest.mark.parametrize("place", SAID)
def test_vector_tells_who_said_a_line_and_how_bad_it_is(place: str) -> None:
    vrl = pytest.importorskip("pyvrl", reason="no compiler of VRL for this Python: use 3.11 or 3.12")
    source = loaded(planned("assistant"), f"vector/vector{place}.yaml")["transforms"]["read"]["source"]
    program = vrl.Transform(f"{source}\n.")  # which tells the whole event
    read = program.remap({**SAID[place], "message": LINE})
    assert (read["service"], read["level"], read["message"]) == ("orchestrator", "error", LINE)
    other = program.remap({**SAID[place], "message": "LOG:  checkpoint starting: time"})
    assert (other["service"], other["level"]) == ("orchestrator", "unknown")
    strange = program.remap({**SAID[place], "message": LINE.replace("error", "visitor-4711")})
    assert strange["level"] == "unknown", "a label never takes what somebody wrote"


# --- containers ---


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_file_of_a_container_is_written_and_no_image_floats(blueprint: str) -> None:
    plan = planned(blueprint)
    names = files(plan)
    found = {part.name: part for part in parts(plan)}
    for part in found.values():
        for path in part.files.values():
            assert any(name == path or (path.endswith("/") and name.startswith(path)) for name in names), path
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", part.image), part.image
        assert set(part.needs) <= set(found)
    assert f"--storage.tsdb.retention.time={plan.dashboards.keep_days}d" in found["prometheus"].command
    assert found["grafana"].shown == (3000, plan.dashboards.grafana_port)


def _every_expression(plan: Plan) -> Iterator[tuple[str, str]]:
    yield from every(plan)
    for rule in _rules(plan):
        yield str(rule.get("record") or rule["alert"]), str(rule["expr"])
    for board in boards(plan).values():
        for each in board["panels"]:
            if each["datasource"]["uid"] == "prometheus":
                yield from ((f"panel {each['title']}", target["expr"]) for target in each["targets"])


def _rules(plan: Plan) -> Iterator[Mapping[str, object]]:
    for found in (*rules.groups(plan).values(), *slo.groups(plan).values()):
        for group in found:
            yield from group["rules"]


def _plain(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m")


def _published() -> Iterator[str]:
    """The name of every sample that the desk can have, whether it has any labels yet or not."""
    for family in metrics.registry.collect():
        endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        yield from (f"{family.name}{ending}" for ending in endings)


def _collectors() -> Iterator[MetricWrapperBase | Distribution | Observed]:
    """Those of the desk; Prometheus' client brings the process's own, which have no labels."""
    named = set(metrics.registry._names_to_collectors.values())
    found = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase | Distribution | Observed)]
    assert named <= set(found), "a new kind of metric"
    yield from found


def _labels() -> dict[str, set[str]]:
    return {each._name: set(getattr(each, "_labelnames", ())) for each in _collectors()}


def _edges() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for each in _collectors():
        bounds = getattr(each, "_upper_bounds", None) or getattr(each, "_bounds", None)
        if isinstance(each, Distribution):
            found[each._name] = {f"{bound:.1f}" for bound in each._buckets}
        elif bounds:
            found[each._name] = {floatToGoString(bound) for bound in bounds}
    return found
