"""Alerts as Prometheus reads them: every one of every blueprint fires by a planted fault, no earlier, and resolves."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from frontdesk.render.observability import rules
from frontdesk.system.alerts import Alert
from frontdesk.system.home import blueprints
from tests.render.faults import PLANTED
from tests.render.planted import alerts_of, hold_against, hold_quiet, planned

PROVEN = {"conversation": "conversation-15", "engagement": "engagement-12", "answering": "answering-13"}
FAULTS = [
    pytest.param(
        blueprint,
        fault,
        id=f"{blueprint}: {fault}",
        marks=[pytest.mark.proves(PROVEN[blueprint])] if blueprint in PROVEN else [],
    )
    for blueprint, planted in PLANTED.items()
    for fault in planted.faults
]
HARMLESS = [
    pytest.param(blueprint, name, id=f"{blueprint}: {name}")
    for blueprint, planted in PLANTED.items()
    for name in planted.harmless
]


@pytest.mark.parametrize(("blueprint", "fault"), FAULTS)
def test_an_alert_fires_by_its_fault_and_resolves(blueprint: str, fault: str, promtool: str, tmp_path: Path) -> None:
    hold_against(promtool, PLANTED[blueprint].faults[fault], planned(blueprint), tmp_path)


@pytest.mark.parametrize(("blueprint", "name"), HARMLESS)
def test_nothing_fires_that_is_no_fault(blueprint: str, name: str, promtool: str, tmp_path: Path) -> None:
    planted = PLANTED[blueprint]
    hold_quiet(promtool, {**planted.healthy, **planted.harmless[name]}, planned(blueprint), tmp_path, planted.minutes)


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_alert_has_a_fault_that_fires_it(blueprint: str) -> None:
    planted = {fault.alert for fault in PLANTED[blueprint].faults.values()}
    assert planted == {alert.name for alert in alerts_of(planned(blueprint)).rules}


def test_the_listed_alerts_have_the_listed_severities() -> None:
    listed = {
        "conversation": (
            {"ServiceDown", "DatabaseUnreachable", "HighErrorRate"},
            {"HighLatency", "MemoryHigh", "DiskSpaceLow"},
            {"Deployed", "Scaled"},
        ),
        "engagement": (
            {"AIOrchestrationDown", "HighAIErrorRate"},
            {"HighDecisionLatency", "LowAIConfidence", "LearningStagnation"},
            set[str](),
        ),
        "assistant": (
            {"OrchestratorDown", "FrontendDown", "HighErrorRate", "ModelCircuitOpen", "BackupOld"},
            {"ErrorRateRaised", "HighLatency", "NoToolServer", "TokenBudgetSpent"},
            set[str](),
        ),
        "answering": (
            {"ServiceDown", "HighErrorRate", "SlowResponses", "DatabaseFailing", "ResourcesExhausted"},
            {"ResourcesHigh", "ErrorRateRaised", "ProcessRestarted", "ResponsesSlowing"},
            set[str](),
        ),
        "agents": ({"GroupDown", "BackupOld"}, {"CardBusy", "CardMemoryHigh", "MemoryHigh", "WorkWaits"}, set[str]()),
    }
    for blueprint in blueprints():
        found = {
            severity: {alert.name for alert in alerts_of(planned(blueprint)).rules if alert.severity == severity}
            for severity in ("critical", "warning", "info")
        }
        found["critical"].remove("BackupDamaged")  # which every desk with backups has besides
        assert tuple(found.values()) == listed[blueprint], blueprint


@pytest.mark.parametrize("blueprint", blueprints())
def test_the_rule_file_holds_every_alert_with_its_runbook(blueprint: str) -> None:
    plan = planned(blueprint)
    (group,) = yaml.safe_load(rules.files(plan)[rules.ALERTS])["groups"]
    assert (group["name"], group.get("interval", "")) == (alerts_of(plan).group, alerts_of(plan).interval)
    for alert, rule in zip(alerts_of(plan).rules, group["rules"], strict=True):
        assert (rule["alert"], rule["labels"]) == (alert.name, {"severity": alert.severity})
        assert rule.get("for", "0s") == alert.lasting
        assert rule["annotations"]["runbook"] == alert.runbook


def test_the_group_of_engagement_is_looked_at_every_30_seconds() -> None:
    options = alerts_of(planned("engagement"))
    assert (options.group, options.interval) == ("ai_orchestration_alerts", "30s")


def test_an_alert_is_checked_when_it_is_read() -> None:
    right = {"name": "X", "severity": "info", "expression": "up", "summary": "s", "runbook": "r"}
    Alert.model_validate(right | {"for": "1h30m"})
    for wrong in ({"for": "soon"}, {"severity": "panic"}, {"name": "no spaces"}, {"runbook": ""}, {"colour": "red"}):
        with pytest.raises(ValidationError):
            Alert.model_validate(right | wrong)
