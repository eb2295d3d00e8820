"""The OpenTelemetry collector: takes spans, cleans them, keeps the telling ones, counts all of them."""

import re
from collections.abc import Mapping

from frontdesk.render.observability.exporters import COLLECTOR
from frontdesk.render.observability.prometheus import SPANS_PORT
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan
from frontdesk.telemetry.tracing import ATTRIBUTES, OWN

FILE = "otel-collector/config.yaml"
HEALTH_PORT = 13133
SLOW = 2000  # milliseconds; every trace that takes longer is kept
DECIDE_AFTER = "30s"  # when a trace is whole, as far as anybody can know

Block = Mapping[str, object]


def files(plan: Plan) -> Files:
    """Its configuration (opentelemetry.io/docs/collector/configuration), for the distribution `contrib`."""
    spans = {"receivers": ["otlp"], "processors": ["memory_limiter", "transform/private", "batch"]}
    kept = {"receivers": ["forward/kept"], "processors": ["tail_sampling", "batch"], "exporters": ["otlp/jaeger"]}
    return {
        FILE: yaml_text(
            {
                "receivers": {"otlp": otlp()},
                "processors": {
                    "memory_limiter": {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20},
                    "transform/private": _private(),
                    "tail_sampling": _kept(plan.dashboards.trace_percent),
                    "batch": {"send_batch_size": 1024, "send_batch_max_size": 2048, "timeout": "1s"},
                },
                "connectors": {"forward/kept": {}, "spanmetrics": _counted()},
                "exporters": {
                    "otlp/jaeger": {"endpoint": "jaeger:4317", "tls": {"insecure": True}},  # within one network
                    "prometheus": {
                        "endpoint": f"0.0.0.0:{SPANS_PORT}",
                        "resource_to_telemetry_conversion": {"enabled": False},
                    },
                },
                "extensions": {"health_check": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"}},
                "service": {
                    "extensions": ["health_check"],
                    "pipelines": {
                        "traces/in": spans | {"exporters": ["forward/kept", "spanmetrics"]},
                        "traces/kept": kept,
                        "metrics": {"receivers": ["spanmetrics"], "processors": ["batch"], "exporters": ["prometheus"]},
                    },
                    "telemetry": own_metrics(COLLECTOR.port),
                },
            }
        )
    }


def otlp() -> Block:
    """OTLP by gRPC and HTTP, on the ports that everybody knows."""
    return {"protocols": {"grpc": {"endpoint": "0.0.0.0:4317"}, "http": {"endpoint": "0.0.0.0:4318"}}}


def own_metrics(port: int) -> Block:
    """The collector's figures of itself. The three options keep the names that its documentation lists."""
    exporter = {
        "host": "0.0.0.0",  # noqa: S104 — within its container
        "port": port,
        "without_type_suffix": True,
        "without_units": True,
        "without_scope_info": True,
    }
    return {
        "logs": {"level": "info", "encoding": "json"},
        "metrics": {"level": "normal", "readers": [{"pull": {"exporter": {"prometheus": exporter}}}]},
    }


def _private() -> Block:
    """Only what the desk itself may say passes, whoever sends it; the words of errors never do."""
    known = "|".join(sorted(re.escape(name) for name in ATTRIBUTES))
    pattern = f"^({known}|{re.escape(OWN)}.*)$".replace("\\", "\\\\")
    return {
        "error_mode": "propagate",
        "trace_statements": [
            {
                "context": "span",
                "statements": [f'keep_matching_keys(attributes, "{pattern}")', 'set(status.message, "")'],
            },
            {"context": "spanevent", "statements": ['keep_keys(attributes, ["exception.type"])']},
        ],
    }


def _kept(percent: float) -> Block:
    """Every trace with an error, every slow one, and a share of the others."""
    return {
        "decision_wait": DECIDE_AFTER,
        "num_traces": 50_000,
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": SLOW}},
            {"name": "share", "type": "probabilistic", "probabilistic": {"sampling_percentage": percent}},
        ],
    }


def _counted() -> Block:
    """Rate, errors and duration of every span, before any is left out."""
    return {
        "namespace": "traces",
        "histogram": {"explicit": {"buckets": ["50ms", "100ms", "250ms", "500ms", "1s", "2.5s", "5s", "10s", "30s"]}},
        "dimensions": [{"name": "http.route"}, {"name": "gen_ai.request.model"}],
        "metrics_flush_interval": "15s",
    }
