"""Amounts as operators write them: `250m` cores, `512Mi` of memory, `30d`. Inside they are plain whole numbers."""

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_BYTES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?")
_CORES = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m)?")


def millicores(said: object) -> int:
    """Thousandths of a core, from `250m`, `0.25` or `2`. Raises `ValueError`."""
    found = _CORES.fullmatch(str(said)) if not isinstance(said, bool) else None
    if not found:
        raise ValueError("cores are written like `500m`, `0.5` or `2`")
    return round(float(found[1]) * (1 if found[2] else 1000))


def amount_of_bytes(said: object) -> int:
    """Bytes, from `256Mi`, `10G` or `1024`. Raises `ValueError`."""
    found = _AMOUNT.fullmatch(str(said)) if not isinstance(said, bool) else None
    if not found:
        raise ValueError("memory and disk are written like `256Mi` or `10Gi`")
    return round(float(found[1]) * _BYTES[found[2] or ""])


def cores_text(thousandths: int) -> str:
    """As Kubernetes writes it: `2`, `250m`."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def bytes_text(count: int) -> str:
    """As Kubernetes writes it, in the largest unit that leaves nothing over: `512Mi`, `10Gi`."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return str(count)


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{pattern}$"}]})


Cores = Annotated[
    int, BeforeValidator(millicores), PlainSerializer(cores_text, return_type=str), _schema(_CORES.pattern)
]
Bytes = Annotated[
    int, BeforeValidator(amount_of_bytes), PlainSerializer(bytes_text, return_type=str), _schema(_AMOUNT.pattern)
]
