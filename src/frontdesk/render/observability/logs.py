"""Logs: Vector gathers the lines of every service and hands them to Loki. Labels have few values; all else stays in the
line, which is JSON and is taken apart when somebody asks.
"""

from collections.abc import Mapping

from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

LOKI = "loki/loki.yaml"
LOKI_PORT = 3100
LOKI_DATA = "/loki"
VECTOR_DATA = "/var/lib/vector"
LABELS = ("service", "level")  # with system and environment; a label with ids would make a stream of each

Block = Mapping[str, object]


def files(plan: Plan) -> Files:
    """Loki, and Vector for containers, for bare hosts and for a cluster."""
    project = f"${{COMPOSE_PROJECT_NAME:-{plan.project}}}"  # of Vector's own environment
    containers = {"type": "docker_logs", "include_labels": [f"com.docker.compose.project={project}"]}
    journal = {"type": "journald", "current_boot_only": True}
    of_unit = _OF_UNIT.replace("NAME-", f"{plan.name}-")
    return {
        LOKI: yaml_text(_loki(plan)),
        "vector/vector.yaml": yaml_text(_vector(plan, containers, _OF_CONTAINER, "loki")),
        "vector/vector.hosts.yaml": yaml_text(_vector(plan, journal, of_unit, "localhost")),
        "vector/vector.kubernetes.yaml": yaml_text(_vector(plan, _pods(plan), _OF_POD, "loki")),
    }


def _loki(plan: Plan) -> Block:
    """One process with files of its own (grafana.com/docs/loki/latest/configure), which forgets after some days."""
    return {
        "auth_enabled": False,
        "server": {"http_listen_port": LOKI_PORT, "log_level": "warn"},
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": LOKI_DATA,
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}},
            "storage": {
                "filesystem": {"chunks_directory": f"{LOKI_DATA}/chunks", "rules_directory": f"{LOKI_DATA}/rules"}
            },
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2025-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "compactor": {
            "working_directory": f"{LOKI_DATA}/compactor",
            "retention_enabled": True,
            "delete_request_store": "filesystem",
        },
        "limits_config": {
            "retention_period": f"{plan.dashboards.logs_days * 24}h",
            "reject_old_samples_max_age": "24h",
            "max_label_names_per_series": 10,
            "allow_structured_metadata": True,
        },
        "analytics": {"reporting_enabled": False},
    }


def _vector(plan: Plan, source: Block, told_by: str, loki: str) -> Block:
    """Source, one step that reads the line, Loki (vector.dev/docs/reference/configuration)."""
    labels = {"system": plan.name, "environment": plan.environment, **{name: f"{{{{ {name} }}}}" for name in LABELS}}
    return {
        "data_dir": VECTOR_DATA,
        "api": {"enabled": True, "address": "127.0.0.1:8686"},
        "sources": {"lines": source},
        "transforms": {"read": {"type": "remap", "inputs": ["lines"], "source": told_by + _READ}},
        "sinks": {
            "loki": {
                "type": "loki",
                "inputs": ["read"],
                "endpoint": f"http://{loki}:{LOKI_PORT}",
                "encoding": {"codec": "text"},
                "labels": labels,
                "out_of_order_action": "accept",
                "buffer": {"type": "disk", "max_size": 268_435_488, "when_full": "block"},
            }
        },
    }


def _pods(plan: Plan) -> Block:
    return {
        "type": "kubernetes_logs",
        "extra_namespace_label_selector": f"kubernetes.io/metadata.name={plan.deployment.namespace}",
        "extra_label_selector": f"app.kubernetes.io/instance={plan.name}",
    }


# Programs in Vector's language: who said the line …
_OF_CONTAINER = '.service = to_string(.label."com.docker.compose.service") ?? "unknown"\n'
_OF_POD = '.service = to_string(.kubernetes.pod_labels."app.kubernetes.io/name") ?? "unknown"\n'
_OF_UNIT = """\
unit = to_string(._SYSTEMD_UNIT) ?? ""
if !starts_with(unit, "NAME-") { abort }
.service = replace(replace(unit, "NAME-", "", count: 1), ".service", "")
"""

# … and how bad it is, when it was said. A line of a store is no JSON: it passes as it is.
_READ = """\
.level = "unknown"
told, wrong = parse_json(.message)
if wrong == null && is_object(told) {
  level = downcase(to_string(told.level) ?? "unknown")
  .level = if includes(["debug", "info", "warning", "error", "critical"], level) { level } else { "unknown" }
  at, late = parse_timestamp(to_string(told.at) ?? "", "%+")
  if late == null { .timestamp = at }
}
"""
