"""Rule files held against planted series by Prometheus' own tool."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from frontdesk.render.prometheus import RULES, alert_rules
from frontdesk.system.alerts import AlertsOptions

Series = Mapping[str, str]

WORDS = {"and", "or", "unless", "by", "on", "offset", "without", "ignoring", "bool", "group_left", "group_right"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault, a minute a step (`_xN` repeats, `+NxM` counts up, `_` is nothing): the alert that it fires, at which
    moments that is still quiet, fires and has resolved, and the labels of its series."""

    alert: str
    series: Series
    quiet: str
    fires: str
    resolved: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


def write_rules(options: AlertsOptions, folder: Path) -> None:
    """The rule file, into `folder`."""
    for name, text in alert_rules(options).items():
        (folder / name).write_text(text)


def hold_against(promtool: str, fault: Fault, options: AlertsOptions, folder: Path) -> None:
    """Fail unless the alert fires by the fault, no earlier, and resolves."""
    write_rules(options, folder)
    (alert,) = (alert for alert in options.rules if alert.name == fault.alert)
    firing = {
        "exp_labels": {"severity": alert.severity, **fault.labels},
        "exp_annotations": {"summary": alert.summary, "runbook": alert.runbook},
    }
    moments = ((fault.quiet, []), (fault.fires, [firing]), (fault.resolved, []))
    _run(
        promtool,
        folder,
        fault.series,
        [{"eval_time": at, "alertname": fault.alert, "exp_alerts": expected} for at, expected in moments],
        evaluated="15s",
    )


def hold_quiet(
    promtool: str, series: Series, options: AlertsOptions, folder: Path, minutes: Sequence[int] = (1, 6, 12, 30)
) -> None:
    """Fail if any alert fires at any of these minutes."""
    write_rules(options, folder)
    quiet = [
        {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": []}
        for alert in options.rules
        for minute in minutes
    ]
    _run(promtool, folder, series, quiet, evaluated="1m")


def _run(promtool: str, folder: Path, series: Series, expected: Sequence[object], *, evaluated: str) -> None:
    planted = [{"series": each, "values": values} for each, values in series.items()]
    test = {
        "rule_files": [RULES],
        "evaluation_interval": evaluated,
        "tests": [{"interval": "1m", "input_series": planted, "alert_rule_test": list(expected)}],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test))
    ran = subprocess.run([promtool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def metrics_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression names: words that are neither its own, nor functions, nor labels."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    words = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()", bare)
    return {word for word in words if word not in WORDS}
