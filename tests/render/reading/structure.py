"""Configurations whose programs no package carries: OpenTelemetry's Collector, Jaeger v2 (which is one), Vector, Loki,
and what Grafana provisions. What stands here is what those programs refuse at their start, and what they would silently
drop. Programs in VRL are compiled by Vector's own compiler.

Sources: opentelemetry.io/docs/collector/configuration, jaegertracing.io/docs (v2), grafana.com/docs (Loki: parameters
and retention; provisioning), vector.dev/docs/reference/configuration.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

Section = Mapping[str, Any]

COMPONENTS = {
    "receivers": {
        "filelog",
        "hostmetrics",
        "jaeger",
        "k8s_cluster",
        "kubeletstats",
        "nop",
        "otlp",
        "prometheus",
        "zipkin",
    },
    "processors": {
        *("attributes", "batch", "filter", "k8sattributes", "memory_limiter", "probabilistic_sampler", "redaction"),
        *("resource", "resourcedetection", "tail_sampling", "transform"),
    },
    "exporters": {
        *("debug", "file", "jaeger_storage_exporter", "nop", "otlp", "otlphttp", "prometheus", "prometheusremotewrite"),
    },
    "connectors": {"count", "forward", "servicegraph", "spanmetrics"},
    "extensions": {
        *("basicauth", "bearertokenauth", "file_storage", "health_check", "healthcheckv2", "jaeger_query"),
        *("jaeger_storage", "pprof", "remote_sampling", "zpages"),
    },
}
VECTOR = {
    "sources": {
        "docker_logs",
        "file",
        "http_server",
        "internal_logs",
        "internal_metrics",
        "journald",
        "kubernetes_logs",
    },
    "transforms": {
        "dedupe",
        "exclusive_route",
        "filter",
        "log_to_metric",
        "reduce",
        "remap",
        "route",
        "sample",
        "throttle",
    },
    "sinks": {"aws_s3", "blackhole", "console", "file", "http", "loki", "opentelemetry", "prometheus_exporter"},
}
LOKI = {
    *(
        "analytics",
        "auth_enabled",
        "common",
        "compactor",
        "distributor",
        "frontend",
        "frontend_worker",
        "index_gateway",
    ),
    *("ingester", "ingester_client", "limits_config", "memberlist", "pattern_ingester", "querier", "query_range"),
    *("query_scheduler", "ruler", "runtime_config", "schema_config", "server", "storage_config", "target", "tracing"),
}


def read_collector(*files: Path) -> list[str]:
    """What the Collector, or Jaeger v2, would say of its configuration."""
    return [f"{file.name}: {each}" for file in files for each in _collector(_loaded(file))]


def _collector(said: Section) -> Iterator[str]:
    service = said.get("service") or {}
    yield from (f"{section} is no section" for section in said.keys() - COMPONENTS.keys() - {"service"})
    for section, known in COMPONENTS.items():
        for name in said.get(section) or {}:
            if name.partition("/")[0] not in known:
                yield f"{section}: there is no component {name}"
    if not service.get("pipelines"):
        yield "service has no pipelines"
    used: dict[str, set[str]] = {section: set() for section in COMPONENTS}
    used["extensions"] = set(service.get("extensions") or [])
    for name, pipeline in (service.get("pipelines") or {}).items():
        if not re.fullmatch(r"(traces|metrics|logs|profiles)(/\S+)?", name):
            yield f"pipeline {name}: a pipeline is of traces, metrics or logs"
        for part in ("receivers", "exporters"):
            if not pipeline.get(part):
                yield f"pipeline {name} has no {part}"
        for part in pipeline:
            chosen = {each: "connectors" if each in (said.get("connectors") or {}) else part for each in pipeline[part]}
            for each, section in chosen.items():
                used.setdefault(section, set()).add(each)
        order = [each.partition("/")[0] for each in pipeline.get("processors") or []]
        if "memory_limiter" in order[1:]:
            yield f"pipeline {name}: memory_limiter must come first, or memory runs out before it"
    for section in used.keys() | COMPONENTS.keys():
        declared = set(said.get(section) or {})
        yield from (
            f"{section}: {each} is used and not declared" for each in sorted(used.get(section, set()) - declared)
        )
        yield from (
            f"{section}: {each} is declared and not used" for each in sorted(declared - used.get(section, set()))
        )
    for name, limiter in (said.get("processors") or {}).items():
        if name.partition("/")[0] == "memory_limiter" and not (
            limiter and limiter.get("check_interval") and (limiter.get("limit_mib") or limiter.get("limit_percentage"))
        ):
            yield f"{name} needs check_interval, and limit_mib or limit_percentage"
    if "address" in ((service.get("telemetry") or {}).get("metrics") or {}):
        yield "service.telemetry.metrics.address was taken out: use readers"


def read_vector(*files: Path) -> list[str]:
    """What Vector would say of its configuration, its programs in VRL included."""
    return [f"{file.name}: {each}" for file in files for each in _vector(_loaded(file))]


def _vector(said: Section) -> Iterator[str]:
    known = {*VECTOR, "acknowledgements", "api", "data_dir", "enrichment_tables", "healthchecks", "secret", "timezone"}
    yield from (f"{section} is no section" for section in said.keys() - known)
    parts = {name: part for section in VECTOR for name, part in (said.get(section) or {}).items()}
    read: set[str] = set()
    for section, kinds in VECTOR.items():
        for name, part in (said.get(section) or {}).items():
            if part.get("type") not in kinds:
                yield f"{section}.{name}: there is no type {part.get('type')}"
            if section != "sources" and not part.get("inputs"):
                yield f"{section}.{name} has no inputs"
            for asked in part.get("inputs") or []:
                found = {each for each in _outputs(said, name) if fnmatchcase(each, asked)}
                read |= {each.partition(".")[0] for each in found}
                if not found:
                    yield f"{section}.{name}: there is no input {asked}"
            yield from (f"{section}.{name}: {each}" for each in _vector_part(part))
    written = set(said.get("sources") or {}) | set(said.get("transforms") or {})
    yield from (f"nothing reads {each}" for each in sorted(written - read))
    for name in parts:
        if _reaches(parts, name, name, frozenset()):
            yield f"{name} is its own input"


def _outputs(said: Section, reader: str) -> Iterator[str]:
    for name in said.get("sources") or {}:
        yield name
    for name, part in (said.get("transforms") or {}).items():
        if name == reader:
            continue
        if part.get("type") in {"route", "exclusive_route"}:
            routes = part.get("route") or part.get("routes") or {}
            ways = routes if isinstance(routes, Mapping) else [each["name"] for each in routes]
            yield from (f"{name}.{way}" for way in (*ways, "_unmatched"))
        else:
            yield name
            if part.get("reroute_dropped"):
                yield f"{name}.dropped"


def _vector_part(part: Section) -> Iterator[str]:
    if part.get("type") == "remap" and not part.get("source"):
        yield "remap has no source"
    if part.get("type") == "loki":
        if not part.get("endpoint") or not (part.get("encoding") or {}).get("codec"):
            yield "loki needs endpoint and encoding.codec"
        if not part.get("labels"):
            yield "loki takes no line without labels"
    programs = {"source": part.get("source"), "condition": part.get("condition")}
    route = part.get("route") or {}
    programs |= {f"route.{way}": condition for way, condition in route.items()}
    for place, program in programs.items():
        if isinstance(program, str):
            yield from (f"{place}: {line}" for line in _compiled(program.replace("$$", "$")))


def _compiled(program: str) -> list[str]:
    vrl = pytest.importorskip("pyvrl", reason="no compiler of VRL for this Python: use 3.11 or 3.12")
    try:
        vrl.Transform(program)
    except ValueError as error:
        return [line for line in str(error).splitlines() if line.startswith("error")] or [str(error)]
    return []


def _reaches(parts: Mapping[str, Section], sought: str, name: str, seen: frozenset[str]) -> bool:
    for asked in parts.get(name, {}).get("inputs") or []:
        before = asked.partition(".")[0]
        if before == sought or (before not in seen and _reaches(parts, sought, before, seen | {before})):
            return True
    return False


def read_loki(*files: Path) -> list[str]:
    """What Loki would say of its configuration."""
    return [f"{file.name}: {each}" for file in files for each in _loki(_loaded(file))]


def _loki(said: Section) -> Iterator[str]:
    yield from (f"{section} is no section" for section in said.keys() - LOKI)
    schemas = (said.get("schema_config") or {}).get("configs") or []
    if not schemas:
        yield "schema_config.configs is empty"
    for schema in schemas:
        yield from (f"a schema needs {key}" for key in ("from", "object_store", "index") if not schema.get(key))
        if (schema.get("store"), schema.get("schema")) != ("tsdb", "v13"):
            yield "only store tsdb with schema v13 keeps structured metadata"
        if (schema.get("index") or {}).get("period") != "24h":
            yield "the index of tsdb has a period of 24h"
    kept = (said.get("limits_config") or {}).get("retention_period")
    compactor = said.get("compactor") or {}
    if kept and not compactor.get("retention_enabled"):
        yield "limits_config.retention_period deletes nothing without compactor.retention_enabled"
    if compactor.get("retention_enabled") and not compactor.get("delete_request_store"):
        yield "compactor.retention_enabled needs compactor.delete_request_store"


def read_provisioning(*files: Path) -> list[str]:
    """What Grafana would say of files with sources of data or with folders of dashboards."""
    return [f"{file.name}: {each}" for file in files for each in _provisioned(_loaded(file))]


def _provisioned(said: Section) -> Iterator[str]:
    if said.get("apiVersion") != 1:
        yield "apiVersion is not 1"
    needed = {"datasources": ("name", "type", "uid", "access", "url"), "providers": ("name", "type", "options")}
    if not said.keys() & needed.keys():
        yield "has neither datasources nor providers"
    yield from (
        f"{section} is no section"
        for section in said.keys() - needed.keys() - {"apiVersion", "deleteDatasources", "prune"}
    )
    for section, keys in needed.items():
        for each in said.get(section) or []:
            yield from (f"{section}: {each.get('name', '?')} has no {key}" for key in keys if not each.get(key))
            if section == "providers" and not (each.get("options") or {}).get("path"):
                yield f"providers: {each.get('name', '?')} has no options.path"
    chosen = [each["name"] for each in said.get("datasources") or [] if each.get("isDefault")]
    if len(chosen) > 1:
        yield f"{' and '.join(chosen)} cannot both be the default"


def _loaded(file: Path) -> Section:
    said = yaml.safe_load(file.read_text())
    return said if isinstance(said, Mapping) else {}
