"""The config maps: variables, and the system file; and the sum by which pods start anew when either changes."""

import json
from collections.abc import Mapping
from hashlib import sha256

from frontdesk.render.kubernetes.naming import config_name, head
from frontdesk.render.kubernetes.values import Object, Value, reference, value
from frontdesk.system.layout.plan import CONFIGURATION, Plan, variables_said

SYSTEM_FILE = "system.yaml"
IN_CHART = f"files/{SYSTEM_FILE}"  # where a chart keeps it
_READ = f'$.Files.Get "{IN_CHART}"'


def variables(plan: Plan) -> dict[str, str]:
    """What every container is told. The backup job makes the backups, so that no replica makes one of its own."""
    return dict(sorted((variables_said(plan.system) | {"BACKUP_AT": "never"}).items()))


def objects(plan: Plan) -> list[Object]:
    """The two config maps."""
    file = Value(content=plan.system_file, said={}, template=_READ)
    said = value(variables(plan), "config", "variables")
    return [
        head(plan, "v1", "ConfigMap", config_name(plan), plan.name) | {"data": said},
        head(plan, "v1", "ConfigMap", system_name(plan), plan.name) | {"data": {SYSTEM_FILE: file}},
    ]


def system_name(plan: Plan) -> Value:
    """The config map of the system file."""
    return value(plan.settings_name, "config", "settings")


def checksum(plan: Plan) -> Value:
    """The annotation that changes with the configuration."""
    text = _json(variables(plan)) + plan.system_file
    template = f'printf "%s%s" (toRawJson {reference("config", "variables")}) ({_READ}) | sha256sum'
    return Value(content=sha256(text.encode()).hexdigest(), said={}, template=template)


def mount() -> Object:
    """Where a container finds the system file."""
    return {"name": "system", "mountPath": CONFIGURATION, "readOnly": True}


def volume(plan: Plan) -> Object:
    """The volume of that mount."""
    return {"name": "system", "configMap": {"name": system_name(plan)}}


def _json(said: Mapping[str, str]) -> str:
    """As a chart's `toRawJson` writes it: keys in order, nothing escaped that need not be."""
    return json.dumps(dict(sorted(said.items())), ensure_ascii=False, separators=(",", ":"))
