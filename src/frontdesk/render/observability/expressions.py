"""What PromQL of a system file names, and what is put into it."""

import re
from collections.abc import Iterator

from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.layout.objectives import Objective
from frontdesk.system.layout.plan import Plan

_WORDS = {"and", "or", "unless", "by", "on", "offset", "without", "ignoring", "bool", "group_left", "group_right"}


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression names: words that are neither its own, nor functions, nor labels."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    words = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()", bare)
    return {word for word in words if word not in _WORDS}


def asked(plan: Plan, objective: Objective, text: str, window: str = "5m") -> str:
    """An objective's PromQL for a window: `{jobs}` are the services of its category, as a pattern of Prometheus."""
    jobs = "|".join(each.name for each in plan.services if each.service.category == objective.category)
    return text.strip().replace("{window}", window).replace("{jobs}", jobs)


def every(plan: Plan) -> Iterator[tuple[str, str]]:
    """All PromQL of alerts, objectives and dashboards, with what it belongs to."""
    for alert in plan.system.section(AlertsOptions).rules:
        yield f"alert {alert.name}", alert.expression
    for objective in plan.objectives.all:
        for text in (objective.good, objective.total, objective.expression):
            if text:
                yield f"objective {objective.name}", asked(plan, objective, text)
    for board in plan.dashboards.all:
        for panel in board.panels:
            for series in panel.series:
                yield f"panel {board.title}: {panel.title}", series.expression
