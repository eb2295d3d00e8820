"""What watches the desk: Prometheus, its rules, Alertmanager, and Grafana's dashboards."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.render.reading.programs import call, complaints, from_debian

register_default_plugins()


def read_prometheus(*files: Path) -> list[str]:
    """What Prometheus says of its configuration. Files that it names need not be here."""
    return [
        each
        for file in files
        for each in complaints(
            call(_promtool(), "check", "config", "--syntax-only", "--lint=all", "--lint-fatal", file)
        )
    ]


def read_rules(*files: Path) -> list[str]:
    """What Prometheus says of rule files, a rule that stands twice included."""
    return complaints(call(_promtool(), "check", "rules", "--lint=all", "--lint-fatal", *files))


def read_expressions(expressions: Mapping[str, str]) -> list[str]:
    """What Prometheus says of PromQL that stands elsewhere, in dashboards for example: what it is of → expression."""
    groups = [
        {"name": name, "rules": [{"record": "read:expression", "expr": expression}]}
        for name, expression in expressions.items()
    ]
    with NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": groups}, file)
        file.flush()
        return complaints(call(_promtool(), "check", "rules", "--lint=none", file.name))


def read_alertmanager(*files: Path) -> list[str]:
    """What Alertmanager says of its configuration."""
    return complaints(call(_amtool(), "check-config", *files))


def receivers(file: Path, **labels: str) -> list[str]:
    """Who is told of an alert with these labels, as Alertmanager routes it."""
    ran = call(_amtool(), "config", "routes", "test", f"--config.file={file}", *(f"{k}={v}" for k, v in labels.items()))
    if ran.returncode != 0:
        raise ValueError(ran.stderr)
    return ran.stdout.strip().split(",")


def read_dashboards(*files: Path) -> list[str]:
    """What Grafana's own types and Prometheus say of dashboards: what those types do not know is lost when they read a
    dashboard and write it again. Variables of Grafana in expressions stand for a text or a duration."""
    return [f"{file.name}: {each}" for file in files for each in _dashboard(json.loads(file.read_text()))]


def _dashboard(given: Mapping[str, Any]) -> Iterator[str]:
    try:
        kept = json.loads(json.dumps(Dashboard.from_json(dict(given)), cls=JSONEncoder))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        yield f"Grafana's types cannot read it: {error}"
        return
    yield from (f"{path} is unknown to Grafana" for path in _lost(given, kept, ""))
    if not given.get("title") or not given.get("uid"):
        yield "has no title or no uid"
    panels = [each for panel in given.get("panels", []) for each in (panel, *panel.get("panels", []))]
    numbers = [panel.get("id") for panel in panels]
    if len(set(numbers)) < len(numbers):
        yield "two panels have the same id"
    asked = {
        f"{panel.get('title', '?')} {target.get('refId', '')}": _plain(target["expr"])
        for panel in panels
        for target in panel.get("targets", [])
        if "expr" in target and target.get("datasource", panel.get("datasource", {})).get("type") != "loki"
    }
    if asked:
        yield from read_expressions(asked)


def _plain(expression: str) -> str:
    for variable, value in (("$__rate_interval", "5m"), ("$__interval", "1m"), ("$__range", "1h")):
        expression = expression.replace(variable, value)
    return expression


def _lost(given: object, kept: object, path: str) -> Iterator[str]:
    if isinstance(given, Mapping) and isinstance(kept, Mapping):
        for key, value in given.items():
            if key in kept:
                yield from _lost(value, kept[key], f"{path}.{key}")
            elif value is not None:
                yield f"{path}.{key}"
    elif isinstance(given, list) and isinstance(kept, list):
        for place, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from _lost(one, other, f"{path}[{place}]")
    elif given != kept:
        yield f"{path} ({given!r})"


def _promtool() -> str:
    return from_debian("promtool", "prometheus")


def _amtool() -> str:
    return from_debian("amtool", "prometheus-alertmanager")
