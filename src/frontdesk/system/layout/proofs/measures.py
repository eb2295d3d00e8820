"""Alerts, objectives, dashboards and autoscalers ask for figures that somebody really publishes."""

import re
from collections.abc import Iterator

from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, mistake
from frontdesk.system.load import near

EXPORTERS = (  # beginnings of names that others publish beside the desk
    "node_",
    "container_",
    "kube_",
    "nvidia_smi_",
    "DCGM_",
    "otelcol_",
    "probe_",
    "pg_",
    "redis_",
    "slo:",
    "up",
    "ALERTS",
)
_ENDINGS = ("_bucket", "_sum", "_count", "_total", "_created")
_WORDS = frozenset(
    ("and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right", "offset", "bool")
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_ASIDE = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|offset\s+\w+"
)
_NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_:][\w:]*(?!\w*\s*\()")


def measures(plan: Plan, metrics: frozenset[str]) -> Iterator[Found]:
    """One mistake for each name that nobody publishes."""
    alerts = plan.system.section(AlertsOptions).rules
    asked = [("alerts.rules", f"The alert {alert.name}", alert.expression) for alert in alerts]
    asked += [
        ("objectives.list", f"The objective {each.name}", f"{each.good} or {each.total} or {each.expression}")
        for each in plan.objectives.all
    ]
    asked += [
        ("dashboards.list", f"The panel {panel.title!r} of {dashboard.title!r}", series.expression)
        for dashboard in plan.dashboards.all
        for panel in dashboard.panels
        for series in panel.series
    ]
    for running in plan.services:
        for target in running.service.scaling.own if running.service.scaling else ():
            if running.service.built:
                path = f"services.{running.key}.scaling"
                asked.append((path, f"The autoscaler of {running.key}", target.expression or target.metric))
    for path, who, expression in asked:
        for name in names_in(expression):
            if not is_published(name, metrics):
                hint = near(name, metrics) or "docs/reference/metrics.md lists what the desk publishes."
                yield mistake(plan, path, f"{who} asks for `{name}`, which nobody publishes", hint)


def names_in(expression: str) -> tuple[str, ...]:
    """The metrics that a PromQL expression asks for, once each."""
    bare = _ASIDE.sub(" ", _QUOTED.sub(" ", expression))
    return tuple(dict.fromkeys(name for name in _NAME.findall(bare) if name not in _WORDS))


def is_published(name: str, metrics: frozenset[str]) -> bool:
    """Whether the desk, or an exporter beside it, publishes `name`."""
    if name in metrics or name.startswith(EXPORTERS):
        return True
    return any(name.endswith(ending) and name.removesuffix(ending) in metrics for ending in _ENDINGS)
