"""The values files of a chart: what all environments start from, what each says over it, and the schema of both."""

from collections.abc import Mapping, Sequence
from typing import cast

from frontdesk.render.kubernetes.values import Path
from frontdesk.render.variants import Values

DEFAULT = "production"  # whose values a chart has by itself
OPEN: tuple[Path, ...] = (
    *(("config", "variables"), ("images", "digests"), ("secrets", "sealed"), ("limits", "default")),
    *(("limits", "defaultRequest"), ("quota",), ("enabled",), ("objects",)),
)  # whose keys operators choose
NAMED = 3  # so deep the keys are ours: section, service, what of it


def base_of(values: Mapping[str, Values]) -> Values:
    """Production's values, and of the others what production does not know."""
    order = sorted(values, key=lambda environment: environment != DEFAULT)
    found: Values = {}
    for environment in order:
        found |= {path: said for path, said in values[environment].items() if path not in found}
    return found


def over(values: Mapping[str, Values], environment: str) -> Values:
    """What an environment says otherwise than another one does. Null takes away what the chart has by itself."""
    base, found = base_of(values), Values()
    for path, own in values[environment].items():
        if any(own != other.get(path) for other in values.values()):
            found[path] = _nulled(own, base[path])
    return found


def _nulled(own: object, base: object) -> object:
    """`own`, with null for each key that only `base` has."""
    if not (isinstance(own, dict) and isinstance(base, dict)):
        return cast("object", own)
    mine, other = cast("dict[str, object]", own), cast("dict[str, object]", base)
    found = {key: _nulled(said, other[key]) if key in other else said for key, said in mine.items()}
    return found | {key: None for key in other if key not in mine}


def tree(values: Values) -> dict[str, object]:
    """Values as a file has them, nested."""
    found: dict[str, object] = {}
    for path, said in values.items():
        here = found
        for step in path[:-1]:
            here = cast("dict[str, object]", here.setdefault(step, {}))
        here[path[-1]] = said
    return found


def schema_of(values: Mapping[str, Values]) -> Mapping[str, object]:
    """So that a typo in a value is refused: in the names of sections and services, and in what can be said of them."""
    samples = [tree(said) for said in (*values.values(), base_of(values))]
    found = _shape(samples, ())
    found["properties"] = {**cast("dict[str, object]", found["properties"]), "global": {"type": "object"}}  # Helm's own
    return {"$schema": "http://json-schema.org/draft-07/schema#", **found}


def _shape(samples: Sequence[object], path: Path) -> dict[str, object]:
    """What all samples of one value have in common."""
    kinds = sorted({_kind(sample) for sample in samples})
    maps = [cast("Mapping[str, object]", sample) for sample in samples if isinstance(sample, Mapping)]
    found: dict[str, object] = {"type": kinds[0] if len(kinds) == 1 else kinds}
    if not maps or len(path) >= NAMED or path in OPEN:
        return found
    keys = dict.fromkeys(key for each in maps for key in each)
    inner = {key: _shape([each[key] for each in maps if key in each], (*path, key)) for key in keys}
    return found | {"properties": inner, "additionalProperties": False}


def _kind(sample: object) -> str:
    """Its type in JSON Schema."""
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(sample, kind):
            return name
    return "null" if sample is None else "object"
