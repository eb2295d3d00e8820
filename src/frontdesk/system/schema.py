"""The JSON Schema of the system file, for editors and for `frontdesk config schema`."""

from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from frontdesk.system.home import blueprints
from frontdesk.system.load import BLUEPRINT, ENVIRONMENTS, kinds
from frontdesk.system.options import DeskOptions
from frontdesk.system.section import Path, bindings


def schema() -> dict[str, Any]:
    """The whole file's schema (draft 2020-12). Secrets are left out: they never stand in the file.

    A setting that a variable can set says so under `x-variable`.
    """
    references, shared = models_json_schema(
        [(kind, "validation") for kind in kinds().values()], title="Frontdesk system"
    )
    definitions: dict[str, Any] = shared.get("$defs", {})
    properties: dict[str, Any] = {
        BLUEPRINT: {"enum": list(blueprints()), "description": "What the file was made from."}
    }
    for name, kind in kinds().items():
        reference = references[kind, "validation"]
        properties[name] = {"$ref": reference["$ref"]}
        for binding in bindings((), kind):
            _mark(definitions, reference["$ref"], binding.path, binding.env.name, secret=binding.env.secret)
    sections = {"type": "object", "properties": {name: properties[name] for name in kinds()}}
    environments = get_args(DeskOptions.model_fields["environment"].annotation)
    properties[ENVIRONMENTS] = {
        "type": "object",
        "description": "What is different in an environment; it lies over the sections of the file.",
        "properties": {name: sections | {"additionalProperties": False} for name in environments},
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frontdesk system",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": definitions,
    }


def _mark(definitions: dict[str, Any], reference: str, path: Path, variable: str, *, secret: bool) -> None:
    head, *rest = path
    properties: dict[str, Any] = definitions[reference.rpartition("/")[2]].get("properties", {})
    field = properties.get(str(head))
    if field is None:
        return
    if rest:
        _mark(definitions, str(field["$ref"]), tuple(rest), variable, secret=secret)
    elif secret:
        del properties[str(head)]
    else:
        field["x-variable"] = variable
