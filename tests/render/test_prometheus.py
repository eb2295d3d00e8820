"""Alerts as Prometheus reads them: every one names metrics that there are, fires by a planted fault, and resolves."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from frontdesk.render.prometheus import RULES, alert_rules
from frontdesk.system.alerts import Alert, AlertsOptions
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.load import load
from frontdesk.telemetry import metrics
from tests.render.planted import Fault, Series, hold_against, hold_quiet, metrics_in, write_rules

OF_PROMETHEUS = {"up"}  # what Prometheus says itself of whatever it reads


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> AlertsOptions:
    """Those of the blueprint."""
    home = tmp_path_factory.mktemp("home")
    return load(blueprint_file("conversation"), home=home, variables={}).section(AlertsOptions)


def test_the_blueprint_has_the_eight_alerts(options: AlertsOptions) -> None:
    assert {alert.name: alert.severity for alert in options.rules} == {
        "ServiceDown": "critical",
        "DatabaseUnreachable": "critical",
        "HighErrorRate": "critical",
        "HighLatency": "warning",
        "MemoryHigh": "warning",
        "DiskSpaceLow": "warning",
        "Deployed": "info",
        "Scaled": "info",
    }


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_alert_names_metrics_that_the_desk_has(blueprint: str, tmp_path: Path) -> None:
    known = OF_PROMETHEUS | set(_published())
    assert "response_time_seconds_bucket" in known
    for alert in load(blueprint_file(blueprint), home=tmp_path, variables={}).section(AlertsOptions).rules:
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


def test_the_rule_file_holds_every_alert_with_its_runbook(options: AlertsOptions) -> None:
    (group,) = yaml.safe_load(alert_rules(options)[RULES])["groups"]
    assert (group["name"], "interval" in group) == ("frontdesk", False)
    for alert, rule in zip(options.rules, group["rules"], strict=True):
        assert (rule["alert"], rule["labels"]) == (alert.name, {"severity": alert.severity})
        assert rule.get("for", "0s") == alert.lasting
        assert rule["annotations"]["runbook"] == alert.runbook


def test_prometheus_takes_the_rules(options: AlertsOptions, promtool: str, tmp_path: Path) -> None:
    write_rules(options, tmp_path)
    checked = subprocess.run([promtool, "check", "rules", tmp_path / RULES], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "8 rules found" in checked.stdout


REQUESTS = 'requests_total{route="/api/v1/chat", method="POST", status="%s"}'
LATENCY = 'reply_latency_seconds_bucket{le="%s"}'
RESPONSE = 'response_time_seconds_bucket{route="%s", le="%s"}'
INFO = 'frontdesk_build_info{version="%s", role="web", instance="%s"}'
ALL_DAY = "x60"

FAULTS = {
    "a process dies": Fault(
        alert="ServiceDown",
        series={'up{job="frontdesk", instance="a"}': "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "frontdesk", "instance": "a"},
    ),
    "nothing is known of any process": Fault(
        alert="ServiceDown",
        series={'up{job="frontdesk", instance="a"}': "1x4 _x10 1x30"},
        quiet="9m",
        fires="11m",
        resolved="16m",
        labels={"job": "frontdesk"},
    ),
    "the database is away": Fault(
        alert="DatabaseUnreachable",
        series={'frontdesk_part_up{part="database", instance="a"}': "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"part": "database", "instance": "a"},
    ),
    "a tenth of the requests fails": Fault(
        alert="HighErrorRate",
        series={REQUESTS % 200: "0+90x60", REQUESTS % 500: "0+0x10 0+10x20 200+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "a tenth of the replies fails": Fault(
        alert="HighErrorRate",
        series={
            'replies_total{outcome="sent"}': "0+90x60",
            'replies_total{outcome="failed"}': "0+0x10 0+10x20 200+0x30",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "replies take long": Fault(
        alert="HighLatency",
        series={LATENCY % 5: "0+100x10 1000+50x20 2000+100x30", LATENCY % 10: "0+100x60", LATENCY % "+Inf": "0+100x60"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "pages take long": Fault(
        alert="HighLatency",
        series={
            RESPONSE % ("/", 1): "0+100x10 1000+50x20 2000+100x30",
            RESPONSE % ("/", 2.5): "0+100x60",
            RESPONSE % ("/", "+Inf"): "0+100x60",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "memory runs out": Fault(
        alert="MemoryHigh",
        series={"frontdesk_memory_used_bytes": "50x10 85x20 50x30", "frontdesk_memory_limit_bytes": f"100{ALL_DAY}"},
        quiet="11m",
        fires="17m",
        resolved="35m",
    ),
    "the disk fills up": Fault(
        alert="DiskSpaceLow",
        series={"frontdesk_disk_free_bytes": "50x10 14x20 50x30", "frontdesk_disk_size_bytes": f"100{ALL_DAY}"},
        quiet="11m",
        fires="17m",
        resolved="35m",
    ),
    "a version is deployed": Fault(
        alert="Deployed",
        series={INFO % ("1", "a"): "1x20", INFO % ("2", "a"): "_x20 1x40"},
        quiet="19m",
        fires="22m",
        resolved="40m",
        labels={"version": "2"},
    ),
    "a process is added": Fault(
        alert="Scaled",
        series={INFO % ("1", "a"): f"1{ALL_DAY}", INFO % ("1", "b"): "_x20 1x40"},
        quiet="19m",
        fires="22m",
        resolved="40m",
        labels={"role": "web"},
    ),
}


@pytest.mark.proves("conversation-15")
@pytest.mark.parametrize("fault", FAULTS)
def test_an_alert_fires_by_its_fault_and_resolves(
    fault: str, options: AlertsOptions, promtool: str, tmp_path: Path
) -> None:
    hold_against(promtool, FAULTS[fault], options, tmp_path)


def test_every_alert_has_a_fault_that_fires_it(options: AlertsOptions) -> None:
    assert {fault.alert for fault in FAULTS.values()} == {alert.name for alert in options.rules}


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
def test_nothing_fires_that_is_no_fault(series: Series, options: AlertsOptions, promtool: str, tmp_path: Path) -> None:
    up = {'up{job="frontdesk", instance="a"}': f"1{ALL_DAY}"}
    hold_quiet(promtool, up | dict(series), options, tmp_path)


def _published() -> Iterator[str]:
    """The name of every sample that the registry can have, whether it has any labels yet or not."""
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        endings = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}.get(family.type, ("",))
        yield from (f"{family.name}{ending}" for ending in endings)
