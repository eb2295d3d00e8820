"""Rules of Prometheus: the alerts of the system file, and figures under the names that operators know."""

from collections.abc import Iterable, Mapping, Sequence

from frontdesk.render.observability.slo import identity
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.alerts import Alert, AlertsOptions
from frontdesk.system.layout.objectives import Objective
from frontdesk.system.layout.plan import Plan, Running

FOLDER = "prometheus/rules"
ALERTS = f"{FOLDER}/alerts.yml"
DERIVED = f"{FOLDER}/derived.yml"

Rule = Mapping[str, object]


def files(plan: Plan) -> Files:
    """The alerts and the derived figures."""
    return {name: yaml_text({"groups": found}) for name, found in groups(plan).items()}


def groups(plan: Plan) -> dict[str, list[Rule]]:
    """The groups of each file."""
    alerts = plan.system.section(AlertsOptions)
    return {
        **({ALERTS: [_group(alerts)]} if alerts.rules else {}),
        DERIVED: [{"name": f"{plan.name}-derived", "rules": list(_derived(plan))}],
    }


def _group(options: AlertsOptions) -> Rule:
    """One group of alerting rules (prometheus.io/docs/prometheus/latest/configuration/alerting_rules)."""
    interval = {"interval": options.interval} if options.interval else {}
    return {"name": options.group, **interval, "rules": [_alert(alert) for alert in options.rules]}


def _alert(alert: Alert) -> Rule:
    return {
        "alert": alert.name,
        "expr": alert.expression.strip(),
        **({} if alert.lasting == "0s" else {"for": alert.lasting}),
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary.strip(), "runbook": alert.runbook.strip()},
    }


def _derived(plan: Plan) -> Iterable[Rule]:
    """A percentile cannot be merged, so these are made from counters and histograms, and never the other way round.

    Shares are weighted by traffic over the objectives' days, from rates that are kept: so they cost few samples.
    """
    days = f"{plan.objectives.window_days}d"
    good = 'http_requests_total{path!~"/health|/ready|/metrics",status!~"5.."}'
    every = 'http_requests_total{path!~"/health|/ready|/metrics"}'
    yield _record("service:http_requests_good:rate5m", _by_service(f"rate({good}[5m])"))
    yield _record("service:http_requests:rate5m", _by_service(f"rate({every}[5m])"))
    yield _record(
        "ai_system_availability_percentage",
        f"100 * sum_over_time(service:http_requests_good:rate5m[{days}])\n"
        f"/ (sum_over_time(service:http_requests:rate5m[{days}]) > 0)",
    )
    waits = 'http_request_duration_seconds_bucket{path!~"/health|/ready|/metrics|.*/(events|draft)"}'
    yield _record(
        "ai_system_response_time_p99_seconds",
        f"histogram_quantile(0.99, {_by_service(f'rate({waits}[5m])', 'le')})",
    )
    for running in plan.services:
        held = [each for each in plan.objectives.all if each.category and each.category == running.service.category]
        if held:
            yield _compliance(plan, running, held)
    yield _record("conversation:replies_sent:rate1h", 'sum(rate(replies_total{outcome="sent"}[1h]))')
    yield _record("conversation:replies:rate1h", "sum(rate(replies_total[1h]))")
    yield _record(
        "ai_conversation_success_rate",
        "(conversation:replies_sent:rate1h or vector(0)) / (conversation:replies:rate1h > 0)",
    )
    yield _record(
        "ai_model_inference_total",
        "sum by (model, group, outcome, instance) (\n"
        '  label_replace(frontdesk_model_call_duration_seconds_count, "group", "$1", "job", "(.+)")\n)',
    )
    # DCGM tells percent and knows data-centre cards best; here it answers under the name of the other exporter.
    yield _record("nvidia_smi_utilization_gpu_ratio", "DCGM_FI_DEV_GPU_UTIL / 100")


def _compliance(plan: Plan, running: Running, held: Sequence[Objective]) -> Rule:
    """The share of its category's objectives that are met: 1 is all of them."""
    names = "|".join(each.name for each in held)
    system = identity(plan, held[0])["sloth_service"]
    labels = {"service": running.name, "machine": running.service.host[0] if running.service.host else ""}
    return _record(
        "ai_system_slo_compliance",
        f'avg(slo:objective_met:bool{{sloth_service="{system}",sloth_slo=~"{names}"}})',
        {name: text for name, text in labels.items() if text},
    )


def _by_service(expression: str, *more: str) -> str:
    """Summed by service and machine; services are Prometheus' jobs."""
    labels = ", ".join(("service", "machine", *more))
    return f'sum by ({labels}) (\n  label_replace({expression}, "service", "$1", "job", "(.+)")\n)'


def _record(name: str, expression: str, labels: dict[str, str] | None = None) -> Rule:
    return {"record": name, "expr": expression} | ({"labels": labels} if labels else {})
