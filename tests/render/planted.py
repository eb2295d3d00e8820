"""Rule files held against planted series by Prometheus' own tool."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from frontdesk.render.observability import rules
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described

Series = Mapping[str, str]
Expected = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, a minute a step (`_xN` repeats, `+NxM` counts up, `_` is nothing): the alert that it fires, at which
    moments that is still quiet, fires and has resolved, the labels of its series, and how often rules are looked at."""

    alert: str
    series: Series
    quiet: str
    fires: str
    resolved: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    evaluated: str = "15s"


@cache
def planned(blueprint: str, environment: str = "production") -> Plan:
    """What follows from a blueprint."""
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None, problems
    return Plan(system)


def alerts_of(plan: Plan) -> AlertsOptions:
    """The alerts of its system file."""
    return plan.system.section(AlertsOptions)


def hold_against(promtool: str, fault: Fault, plan: Plan, folder: Path) -> None:
    """Fail unless the alert fires by the fault, no earlier, and resolves."""
    (alert,) = (alert for alert in alerts_of(plan).rules if alert.name == fault.alert)
    firing = {
        "exp_labels": {"severity": alert.severity, **fault.labels},
        "exp_annotations": {"summary": alert.summary, "runbook": alert.runbook},
    }
    moments = ((fault.quiet, []), (fault.fires, [firing]), (fault.resolved, []))
    run(
        promtool,
        folder,
        rules.files(plan)[rules.ALERTS],
        fault.series,
        [{"eval_time": at, "alertname": fault.alert, "exp_alerts": expected} for at, expected in moments],
        evaluated=fault.evaluated,
    )


def hold_quiet(
    promtool: str, series: Series, plan: Plan, folder: Path, minutes: Sequence[int] = (1, 6, 12, 30)
) -> None:
    """Fail if any alert fires at any of these minutes."""
    quiet = [
        {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": []}
        for alert in alerts_of(plan).rules
        for minute in minutes
    ]
    run(promtool, folder, rules.files(plan)[rules.ALERTS], series, quiet, evaluated="1m")


def run(
    promtool: str,
    folder: Path,
    text: str,
    series: Series,
    alerts: Sequence[Expected] = (),
    values: Sequence[Expected] = (),
    *,
    evaluated: str,
    every: str = "1m",
) -> None:
    """Evaluate a rule file over series that have a value `every` so often; fail unless alerts and values are those."""
    (folder / "rules.yml").write_text(text)
    test = {
        "interval": every,
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": list(alerts),
        "promql_expr_test": list(values),
    }
    whole = {"rule_files": ["rules.yml"], "evaluation_interval": evaluated, "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(whole))
    ran = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
