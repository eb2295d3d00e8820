"""Alerts as Prometheus reads them: every one names metrics that there are, fires by a planted fault, and resolves."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from frontdesk.render.prometheus import RULES, alert_rules
from frontdesk.system.alerts import Alert, AlertsOptions
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import load
from frontdesk.telemetry import metrics

OF_PROMETHEUS = {"up"}  # what Prometheus says itself of whatever it reads
WORDS = {"and", "or", "unless", "by", "on", "offset", "without", "ignoring", "bool", "group_left", "group_right"}


@pytest.fixture(scope="module")
def alerts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Alert, ...]:
    """Those of the blueprint."""
    home = tmp_path_factory.mktemp("home")
    return load(blueprint_file("conversation"), home=home, variables={}).section(AlertsOptions).rules


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("no promtool: apt-get install --yes prometheus")
    return path


def test_the_blueprint_has_the_eight_alerts(alerts: tuple[Alert, ...]) -> None:
    assert {alert.name: alert.severity for alert in alerts} == {
        "ServiceDown": "critical",
        "DatabaseUnreachable": "critical",
        "HighErrorRate": "critical",
        "HighLatency": "warning",
        "MemoryHigh": "warning",
        "DiskSpaceLow": "warning",
        "Deployed": "info",
        "Scaled": "info",
    }


def test_every_alert_names_metrics_that_the_desk_has(alerts: tuple[Alert, ...]) -> None:
    known = OF_PROMETHEUS | set(_published())
    assert "response_time_seconds_bucket" in known
    for alert in alerts:
        named = metrics_in(alert.expression)
        assert named, f"{alert.name} names no metric"
        assert named <= known, f"{alert.name} names what is not there"


def test_the_walk_over_an_expression_finds_its_metrics() -> None:
    found = metrics_in('sum by (le, route) (rate(a_total{x=~"b|c", y!="d"}[5m])) / on () group(e offset 10m) > 0.5')
    assert found == {"a_total", "e"}


def test_an_alert_is_checked_when_it_is_read() -> None:
    right = {"name": "X", "severity": "info", "expression": "up", "summary": "s", "runbook": "r"}
    Alert.model_validate(right | {"for": "1h30m"})
    for wrong in ({"for": "soon"}, {"severity": "panic"}, {"name": "no spaces"}, {"runbook": ""}, {"colour": "red"}):
        with pytest.raises(ValidationError):
            Alert.model_validate(right | wrong)


def test_the_rule_file_holds_every_alert_with_its_runbook(alerts: tuple[Alert, ...]) -> None:
    (group,) = yaml.safe_load(alert_rules(alerts, group="frontdesk")[RULES])["groups"]
    assert group["name"] == "frontdesk"
    for alert, rule in zip(alerts, group["rules"], strict=True):
        assert (rule["alert"], rule["labels"]) == (alert.name, {"severity": alert.severity})
        assert rule.get("for", "0s") == alert.lasting
        assert rule["annotations"]["runbook"] == alert.runbook


def test_prometheus_takes_the_rules(alerts: tuple[Alert, ...], promtool: str, tmp_path: Path) -> None:
    _write(alerts, tmp_path)
    checked = subprocess.run([promtool, "check", "rules", tmp_path / RULES], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "8 rules found" in checked.stdout


Series = Mapping[str, str]

REQUESTS = 'requests_total{route="/api/v1/chat", method="POST", status="%s"}'
LATENCY = 'reply_latency_seconds_bucket{le="%s"}'
RESPONSE = 'response_time_seconds_bucket{route="%s", le="%s"}'
INFO = 'frontdesk_build_info{version="%s", role="web", instance="%s"}'
ALL_DAY = "x60"

# A fault that is planted, a minute a step: the series, when the alert fires (and no earlier), when it has resolved, and
# the labels of its series. `_xN` repeats, `+NxM` counts up, `_` is nothing.
FAULTS: dict[str, tuple[str, Series, str, str, Mapping[str, str]]] = {
    "a process dies": (
        "ServiceDown",
        {'up{job="frontdesk", instance="a"}': "1x4 0x10 1x30"},
        "5m:6m",
        "16m",
        {"job": "frontdesk", "instance": "a"},
    ),
    "nothing is known of any process": (
        "ServiceDown",
        {'up{job="frontdesk", instance="a"}': "1x4 _x10 1x30"},
        "9m:11m",
        "16m",
        {"job": "frontdesk"},
    ),
    "the database is away": (
        "DatabaseUnreachable",
        {'frontdesk_part_up{part="database", instance="a"}': "1x4 0x10 1x30"},
        "5m:6m",
        "16m",
        {"part": "database", "instance": "a"},
    ),
    "a tenth of the requests fails": (
        "HighErrorRate",
        {REQUESTS % 200: "0+90x60", REQUESTS % 500: "0+0x10 0+10x20 200+0x30"},
        "11m:20m",
        "40m",
        {},
    ),
    "a tenth of the replies fails": (
        "HighErrorRate",
        {
            'replies_total{outcome="sent"}': "0+90x60",
            'replies_total{outcome="failed"}': "0+0x10 0+10x20 200+0x30",
        },
        "11m:20m",
        "40m",
        {},
    ),
    "replies take long": (
        "HighLatency",
        {LATENCY % 5: "0+100x10 1000+50x20 2000+100x30", LATENCY % 10: "0+100x60", LATENCY % "+Inf": "0+100x60"},
        "11m:20m",
        "40m",
        {},
    ),
    "pages take long": (
        "HighLatency",
        {
            RESPONSE % ("/", 1): "0+100x10 1000+50x20 2000+100x30",
            RESPONSE % ("/", 2.5): "0+100x60",
            RESPONSE % ("/", "+Inf"): "0+100x60",
        },
        "11m:20m",
        "40m",
        {},
    ),
    "memory runs out": (
        "MemoryHigh",
        {"frontdesk_memory_used_bytes": "50x10 85x20 50x30", "frontdesk_memory_limit_bytes": f"100{ALL_DAY}"},
        "11m:17m",
        "35m",
        {},
    ),
    "the disk fills up": (
        "DiskSpaceLow",
        {"frontdesk_disk_free_bytes": "50x10 14x20 50x30", "frontdesk_disk_size_bytes": f"100{ALL_DAY}"},
        "11m:17m",
        "35m",
        {},
    ),
    "a version is deployed": (
        "Deployed",
        {INFO % ("1", "a"): "1x20", INFO % ("2", "a"): "_x20 1x40"},
        "19m:22m",
        "40m",
        {"version": "2"},
    ),
    "a process is added": (
        "Scaled",
        {INFO % ("1", "a"): f"1{ALL_DAY}", INFO % ("1", "b"): "_x20 1x40"},
        "19m:22m",
        "40m",
        {"role": "web"},
    ),
}


@pytest.mark.proves("conversation-15")
@pytest.mark.parametrize("fault", FAULTS)
def test_an_alert_fires_by_its_fault_and_resolves(
    fault: str, alerts: tuple[Alert, ...], promtool: str, tmp_path: Path
) -> None:
    name, series, times, resolved, labels = FAULTS[fault]
    quiet, _, fires = times.partition(":")
    (alert,) = (alert for alert in alerts if alert.name == name)
    _write(alerts, tmp_path)
    firing = [
        {
            "exp_labels": {"severity": alert.severity, **labels},
            "exp_annotations": {"summary": alert.summary, "runbook": alert.runbook},
        }
    ]
    expected = ((quiet, []), (fires, firing), (resolved, []))
    test = {
        "rule_files": [RULES],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": each, "values": values} for each, values in series.items()],
                "alert_rule_test": [
                    {"eval_time": at, "alertname": name, "exp_alerts": alerts_then} for at, alerts_then in expected
                ],
            }
        ],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    ran = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_has_a_fault_that_fires_it(alerts: tuple[Alert, ...]) -> None:
    assert {name for name, *_ in FAULTS.values()} == {alert.name for alert in alerts}


@pytest.mark.parametrize(
    "series",
    [
        {REQUESTS % 500: "0+1x3 3+0x60", REQUESTS % 200: "0+0x60"},
        {'requests_total{route="/ready", method="GET", status="503"}': "0+60x60"},
        {RESPONSE % ("/v1/chat/completions", 1): "0+0x60", RESPONSE % ("/v1/chat/completions", "+Inf"): "0+9x60"},
        {RESPONSE % ("/api/v1/console/events", 1): "0+0x60", RESPONSE % ("/api/v1/console/events", "+Inf"): "0+9x60"},
        {INFO % ("1", "a"): f"1{ALL_DAY}"},
    ],
    ids=["three failures in an hour", "probes that fail", "a slow model", "quiet news", "a first start"],
)
def test_nothing_fires_that_is_no_fault(
    series: Series, alerts: tuple[Alert, ...], promtool: str, tmp_path: Path
) -> None:
    _write(alerts, tmp_path)
    up = {'up{job="frontdesk", instance="a"}': f"1{ALL_DAY}"}
    planted = [{"series": each, "values": values} for each, values in (up | dict(series)).items()]
    quiet = [
        {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": []}
        for alert in alerts
        for minute in (1, 6, 12, 30)
    ]
    test = {
        "rule_files": [RULES],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": planted, "alert_rule_test": quiet}],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    ran = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def metrics_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression names: words that are neither its own, nor functions, nor labels."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    words = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()", bare)
    return {word for word in words if word not in WORDS}


def _published() -> Iterator[str]:
    """The name of every sample that the registry can have, whether it has any labels yet or not."""
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        yield from (f"{family.name}{ending}" for ending in endings)


def _write(alerts: tuple[Alert, ...], folder: Path) -> None:
    for name, text in alert_rules(alerts, group="frontdesk").items():
        (folder / name).write_text(text)
