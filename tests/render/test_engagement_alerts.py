"""The alerts of the engagement blueprint: each fires by a planted fault and resolves, on Prometheus' own clock."""

import subprocess
from pathlib import Path

import pytest
import yaml

from frontdesk.render.prometheus import RULES, alert_rules
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import load
from tests.render.planted import Fault, Series, hold_against, hold_quiet, write_rules

UP = 'up{job="ai-orchestration", instance="a"}'
TOOK = 'ai_decision_duration_seconds_bucket{le="%s"}'
DECIDED = 'ai_decisions_total{customer_segment="smb", objective="retain", confidence_level="high"}'
FAILED = 'ai_orchestration_errors_total{stage="decide", error_type="store_unavailable"}'
LEARNED = 'ai_learning_events_total{event_type="click", significance="medium"}'

FAULTS = {
    "a process dies": Fault(
        alert="AIOrchestrationDown",
        series={UP: "1x4 0x10 1x30"},
        quiet="6m",
        fires="8m",
        resolved="16m",
        labels={"job": "ai-orchestration", "instance": "a"},
    ),
    "nothing is known of any process": Fault(
        alert="AIOrchestrationDown",
        series={UP: "1x4 _x15 1x30"},
        quiet="10m",
        fires="13m",
        resolved="22m",
        labels={"job": "ai-orchestration"},
    ),
    "decisions take long": Fault(
        alert="HighDecisionLatency",
        series={
            TOOK % "0.1": "0+100x10 1000+50x20 2000+100x30",
            TOOK % "0.5": "0+100x60",
            TOOK % "+Inf": "0+100x60",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "confidence sinks": Fault(
        alert="LowAIConfidence",
        series={
            "ai_decision_confidence_sum": "0+90x20 1800+50x40 3800+90x60",
            "ai_decision_confidence_count": "0+100x120",
        },
        quiet="21m",
        fires="55m",
        resolved="90m",
    ),
    "nothing is learned": Fault(
        alert="LearningStagnation",
        series={LEARNED: "0+1x10 10+0x150 10+1x60", "ai_learning_enabled": "1x240"},
        quiet="60m",
        fires="110m",
        resolved="170m",
    ),
    "what is asked fails": Fault(
        alert="HighAIErrorRate",
        series={DECIDED: "0+100x60", FAILED: "0+0x10 0+5x20 100+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> AlertsOptions:
    home = tmp_path_factory.mktemp("home")
    return load(blueprint_file("engagement"), home=home, variables={}).section(AlertsOptions)


def test_the_group_is_the_blueprints(options: AlertsOptions, promtool: str, tmp_path: Path) -> None:
    (group,) = yaml.safe_load(alert_rules(options)[RULES])["groups"]
    assert (group["name"], group["interval"]) == ("ai_orchestration_alerts", "30s")
    write_rules(options, tmp_path)
    subprocess.run([promtool, "check", "rules", tmp_path / RULES], check=True, capture_output=True)


@pytest.mark.proves("engagement-12")
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
        {LEARNED: "0x240", "ai_learning_enabled": "0x240"},
        {LEARNED: "0+1x240", "ai_learning_enabled": "1x240"},
        {DECIDED: "0+1000x240", FAILED: "0+1x240"},
        {"ai_decision_confidence_sum": "0+0x240", "ai_decision_confidence_count": "0+0x240"},
    ],
    ids=["learning is off", "learning goes on", "one in a thousand fails", "nothing is decided"],
)
def test_nothing_fires_that_is_no_fault(series: Series, options: AlertsOptions, promtool: str, tmp_path: Path) -> None:
    hold_quiet(promtool, {UP: "1x240"} | dict(series), options, tmp_path, minutes=(1, 12, 61, 100, 150))
