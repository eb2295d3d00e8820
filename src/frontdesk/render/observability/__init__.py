"""Target `observability`: everything that watches a system, from one description of it."""

from frontdesk.render.observability import (
    alertmanager,
    collector,
    grafana,
    logs,
    operator,
    prometheus,
    rules,
    slo,
    traces,
)
from frontdesk.render.target import Files, Target
from frontdesk.system.layout.plan import Plan


def files(plan: Plan) -> Files:
    """Metrics, rules, alerts, dashboards, traces and logs; each part has a folder of its own."""
    written = (prometheus, rules, slo, alertmanager, grafana, collector, traces, logs, operator)
    return {path: text for part in written for path, text in part.files(plan).items()}


target = Target(
    summary="Prometheus, rules, Alertmanager, Grafana, OpenTelemetry, Jaeger, Loki and Vector",
    files=files,
    next_step="promtool check rules {out}/prometheus/rules/*.yml",
)
