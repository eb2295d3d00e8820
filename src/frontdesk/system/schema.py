"""The JSON Schema of the system file, for editors and for `frontdesk config schema`."""

from typing import Any, cast, get_args

from pydantic.json_schema import models_json_schema

from frontdesk.system.home import blueprints
from frontdesk.system.load import BLUEPRINT, ENVIRONMENTS, kinds
from frontdesk.system.options import DeskOptions
from frontdesk.system.section import Path, bindings

IN_PART = "-in-part"  # behind the names of definitions of what lies over something else


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
    overlays = {name: _in_part(properties[name]) for name in kinds()}
    sections = {"type": "object", "properties": overlays}
    definitions |= {f"{name}{IN_PART}": _in_part(definition) for name, definition in definitions.items()}
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


def _in_part(schema: Any) -> Any:
    """The schema of what lies over something else: nothing is required, since it may stand below."""
    if isinstance(schema, list):
        return [_in_part(each) for each in cast(list[Any], schema)]
    if not isinstance(schema, dict):
        return schema
    partial = {
        key: _in_part(value)
        for key, value in cast(dict[str, Any], schema).items()
        if key != "required" or not isinstance(value, list)
    }
    return partial | {"$ref": f"{partial['$ref']}{IN_PART}"} if isinstance(partial.get("$ref"), str) else partial


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
