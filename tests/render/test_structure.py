"""What reads configurations of programs that no package carries refuses planted bad files as those programs would."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.render.reading import structure

COLLECTOR = """\
extensions:
  health_check: {endpoint: "0.0.0.0:13133"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "0.0.0.0:4317"}, http: {endpoint: "0.0.0.0:4318"}}}
processors:
  memory_limiter: {check_interval: 1s, limit_percentage: 80}
  batch: {}
connectors:
  spanmetrics: {}
exporters:
  otlp/jaeger: {endpoint: "jaeger:4317", tls: {insecure: true}}
  prometheus: {endpoint: "0.0.0.0:8889"}
service:
  extensions: [health_check]
  pipelines:
    traces: {receivers: [otlp], processors: [memory_limiter, batch], exporters: [otlp/jaeger, spanmetrics]}
    metrics: {receivers: [spanmetrics], processors: [memory_limiter, batch], exporters: [prometheus]}
"""

VECTOR = """\
data_dir: /var/lib/vector
sources:
  containers: {type: docker_logs}
transforms:
  parsed:
    type: remap
    inputs: [containers]
    source: |
      . = merge(., object(parse_json(.message) ?? {}) ?? {})
      del(.email)
  kinds:
    type: route
    inputs: [parsed]
    route: {errors: '.level == "error"'}
sinks:
  loki:
    type: loki
    inputs: [kinds.errors, kinds._unmatched]
    endpoint: http://loki:3100
    encoding: {codec: json}
    labels: {service: "{{ service }}"}
"""

LOKI = """\
auth_enabled: false
server: {http_listen_port: 3100}
common: {path_prefix: /loki, replication_factor: 1, ring: {kvstore: {store: inmemory}}}
schema_config:
  configs:
    - {from: 2026-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}
limits_config: {retention_period: 720h}
compactor: {working_directory: /loki/compactor, retention_enabled: true, delete_request_store: filesystem}
"""

SOURCES = """\
apiVersion: 1
datasources:
  - {name: Prometheus, type: prometheus, uid: prometheus, access: proxy, url: "http://prometheus:9090", isDefault: true}
  - {name: Loki, type: loki, uid: loki, access: proxy, url: "http://loki:3100"}
"""

PROVIDERS = """\
apiVersion: 1
providers:
  - {name: desk, type: file, options: {path: /var/lib/grafana/dashboards}}
"""

READ: dict[str, tuple[Callable[[Path], list[str]], str, dict[tuple[str, str], str]]] = {
    "collector": (
        structure.read_collector,
        COLLECTOR,
        {
            ("connectors:", "connecters:"): "connecters is no section",
            ("exporters:\n  otlp/jaeger", "exporters:\n  jaeger"): "no component jaeger",
            ("receivers: [otlp]", "receivers: [otlpp]"): "receivers: otlpp is used and not declared",
            ("[otlp/jaeger, spanmetrics]", "[spanmetrics]"): "exporters: otlp/jaeger is declared and not used",
            ("[memory_limiter, batch]", "[batch, memory_limiter]"): "memory_limiter must come first",
            ("exporters: [prometheus]", "exporters: []"): "has no exporters",
            ("check_interval: 1s, ", ""): "needs check_interval",
            ("    traces:", "    spans:"): "pipeline spans",
            ("  extensions: [health_check]\n", ""): "health_check is declared and not used",
            ("service:\n", "service:\n  telemetry: {metrics: {address: ':8888'}}\n"): "address was taken out",
        },
    ),
    "vector": (
        structure.read_vector,
        VECTOR,
        {
            ("sinks:", "sink:"): "sink is no section",
            ("inputs: [parsed]", "inputs: [parst]"): "there is no input parst",
            ("kinds.errors, kinds._unmatched", "kinds"): "there is no input kinds",
            ("inputs: [containers]", "inputs: [parsed2]"): "nothing reads containers",
            ("parse_json(.message) ??", "parse_jsonn(.message) ??"): "call to undefined function",
            ("del(.email)", ".seen = parse_json(.message)"): "unhandled fallible assignment",
            ("'.level == \"error\"'", "'.level = = 1'"): "route.errors: error",
            ("type: docker_logs", "type: docker_log"): "no type docker_log",
            ("    labels: {service", "    label: {service"): "without labels",
            ("type: remap\n    inputs: [containers]", "type: remap\n    inputs: [again]"): "no input again",
        },
    ),
    "loki": (
        structure.read_loki,
        LOKI,
        {
            ("limits_config", "limit_config"): "limit_config is no section",
            ("store: tsdb, ", "store: boltdb-shipper, "): "tsdb",
            ("retention_enabled: true", "retention_enabled: false"): "deletes nothing",
            (", delete_request_store: filesystem", ""): "delete_request_store",
            ("period: 24h", "period: 168h"): "24h",
            ("object_store: filesystem, ", ""): "object_store",
        },
    ),
    "sources of data": (
        structure.read_provisioning,
        SOURCES,
        {
            ("apiVersion: 1", "apiVersion: 2"): "apiVersion",
            (", uid: loki", ""): "Loki has no uid",
            ('"http://loki:3100"', '"http://loki:3100", isDefault: true'): "both be the default",
            ("datasources:", "datasource:"): "datasource is no section",
        },
    ),
    "folders of dashboards": (
        structure.read_provisioning,
        PROVIDERS,
        {("path:", "paths:"): "options.path", ("type: file, ", ""): "has no type"},
    ),
}

BAD = [(kind, before, after, word) for kind, (*_, bad) in READ.items() for (before, after), word in bad.items()]


@pytest.mark.parametrize("kind", READ)
def test_a_good_file_is_read_without_complaint(kind: str, tmp_path: Path) -> None:
    read, text, _ = READ[kind]
    file = tmp_path / "file.yaml"
    file.write_text(text)
    assert read(file) == []


@pytest.mark.parametrize(("kind", "before", "after", "word"), BAD, ids=[f"{kind}: {word}" for kind, _, _, word in BAD])
def test_a_bad_file_is_refused(kind: str, before: str, after: str, word: str, tmp_path: Path) -> None:
    read, text, _ = READ[kind]
    assert before in text
    file = tmp_path / "file.yaml"
    file.write_text(text.replace(before, after, 1))
    assert word in "\n".join(read(file))


def test_parts_that_read_each_other_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(VECTOR.replace("inputs: [containers]", "inputs: [containers, kinds.errors]"))
    assert "parsed is its own input" in "\n".join(structure.read_vector(file))
