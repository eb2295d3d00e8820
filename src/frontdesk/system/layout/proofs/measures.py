"""Alerts, objectives, dashboards and autoscalers ask for figures that somebody really publishes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_ASIDE = re.compile(
    r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)|offset\s+\w+"
)
_NAME = re.compile(r"(?<![\w:.$])[a-zA-Z_:][\w:]*(?!\w*\s*\()")


@dataclass(frozen=True, slots=True)
class Asked:
    """A PromQL expression of the description, where it stands, and who asks by it."""

    path: str
    by: str
    expression: str


def measures(plan: Plan, metrics: frozenset[str]) -> Iterator[Found]:
    """One mistake for each name that nobody publishes."""
    for asked in _asked(plan):
        if sign := unclosed(asked.expression):
            what = f"{asked.by} asks for what is no PromQL: `{sign}` stands without its other half"
            yield mistake(plan, asked.path, what, "Every bracket and every quotation mark has two halves.")
            continue
        for name in names_in(asked.expression):
            if not is_published(name, metrics):
                hint = near(name, metrics) or "docs/reference/metrics.md lists what the desk publishes."
                yield mistake(plan, asked.path, f"{asked.by} asks for `{name}`, which nobody publishes", hint)


def _asked(plan: Plan) -> Iterator[Asked]:
    for at, alert in enumerate(plan.system.section(AlertsOptions).rules):
        yield Asked(f"alerts.rules.{at}.expression", f"The alert {alert.name}", alert.expression)
    for at, objective in enumerate(plan.objectives.all):
        parts = (("good", objective.good), ("total", objective.total), ("expression", objective.expression))
        for key, expression in parts:
            yield Asked(f"objectives.list.{at}.{key}", f"The objective {objective.name}", expression)
    for page, dashboard in enumerate(plan.dashboards.all):
        for at, panel in enumerate(dashboard.panels):
            by = f"The panel {panel.title!r} of {dashboard.title!r}"
            path = f"dashboards.list.{page}.panels.{at}.series"
            yield from (Asked(f"{path}.{line}", by, each.expression) for line, each in enumerate(panel.series))
    for running in plan.services:
        for at, target in enumerate(running.service.scaling.own if running.service.scaling else ()):
            if running.service.built:
                path, by = f"services.{running.key}.scaling.own.{at}", f"The autoscaler of {running.key}"
                yield Asked(path, by, target.expression or target.metric)


def unclosed(expression: str) -> str:
    """The bracket or quotation mark of an expression that lacks its other half; empty when all are whole."""
    bare = _QUOTED.sub("", expression.replace('\\"', "").replace("\\'", ""))
    waiting: list[str] = []
    for sign in re.findall(r"[][(){}\"']", bare):
        if sign in _PAIRS:
            waiting.append(sign)
        elif not waiting or _PAIRS[waiting.pop()] != sign:
            return sign
    return waiting[-1] if waiting else ""


def names_in(expression: str) -> tuple[str, ...]:
    """The metrics that a PromQL expression asks for, once each."""
    bare = _ASIDE.sub(" ", _QUOTED.sub(" ", expression))
    return tuple(dict.fromkeys(name for name in _NAME.findall(bare) if name not in _WORDS))


def is_published(name: str, metrics: frozenset[str]) -> bool:
    """Whether the desk, or an exporter beside it, publishes `name`."""
    if name in metrics or name.startswith(EXPORTERS):
        return True
    return any(name.endswith(ending) and name.removesuffix(ending) in metrics for ending in _ENDINGS)
