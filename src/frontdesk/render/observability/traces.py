"""Jaeger 2, which is a collector with a store and pages of its own (jaegertracing.io/docs/latest/deployment)."""

from frontdesk.render.observability.collector import HEALTH_PORT, otlp, own_metrics
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

FILE = "jaeger/jaeger.yaml"
DATA = "/tmp"  # noqa: S108 — the one folder of the image that its user may write to, so the volume is theirs too
PAGES_PORT = 16686
OWN_PORT = 8888


def files(plan: Plan) -> Files:
    """Its configuration. Traces are kept as long as logs, so that a line leads to its trace."""
    store = {
        "directories": {"keys": f"{DATA}/keys", "values": f"{DATA}/values"},
        "ephemeral": False,
        "ttl": {"spans": f"{plan.dashboards.logs_days * 24}h"},
    }
    return {
        FILE: yaml_text(
            {
                "extensions": {
                    "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"0.0.0.0:{HEALTH_PORT}"}},
                    "jaeger_storage": {"backends": {"traces": {"badger": store}}},
                    "jaeger_query": {
                        "storage": {"traces": "traces"},
                        "grpc": {"endpoint": "0.0.0.0:16685"},
                        "http": {"endpoint": f"0.0.0.0:{PAGES_PORT}"},
                    },
                },
                "receivers": {"otlp": otlp()},
                "processors": {"batch": {}},
                "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
                "service": {
                    "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
                    "pipelines": {
                        "traces": {
                            "receivers": ["otlp"],
                            "processors": ["batch"],
                            "exporters": ["jaeger_storage_exporter"],
                        }
                    },
                    "telemetry": own_metrics(OWN_PORT),
                },
            }
        )
    }
