"""Names, labels and taints as a cluster takes them (kubernetes.io/docs/concepts/overview/working-with-objects)."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

_HOST = r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?"
_NAMESPACE = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_OBJECT = r"([a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?)?"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_LABEL = r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
_LABEL_KEY = r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_TAINT = rf"({_LABEL_KEY}(={_LABEL})?(:(NoSchedule|PreferNoSchedule|NoExecute))?)?"
_CHOOSING = ("app.kubernetes.io/name", "app.kubernetes.io/instance")


def address_in(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` is; None where it is a name."""
    try:
        return ip_address(host.strip("[]"))  # as addresses of version 6 stand in URLs
    except ValueError:
        return None


def _like(pattern: str, wanted: str) -> AfterValidator:
    """Text of a pattern; the mistake says what is wanted."""
    compiled = re.compile(pattern)

    def check(said: str) -> str:
        if not compiled.fullmatch(said):
            raise ValueError(wanted)
        return said

    return AfterValidator(check)


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _not_choosing(labels: dict[str, str]) -> dict[str, str]:
    for key in _CHOOSING:
        if key in labels:
            raise ValueError(f"`{key}` tells pods from each other and is made from the service's name")
    return labels


HostName = Annotated[  # by which others reach a server
    str, _like(_HOST, "a name is of small letters, digits and `-` between them, 50 at most"), _schema(_HOST)
]
Namespace = Annotated[
    str, _like(_NAMESPACE, "a namespace is of small letters, digits and `-` between them"), _schema(_NAMESPACE)
]
ObjectName = Annotated[  # empty: none is said
    str, _like(_OBJECT, "a name is of small letters, digits, `-` and `.` between them"), _schema(_OBJECT)
]
VariableName = Annotated[str, _like(_VARIABLE, "a variable is of letters, digits and `_`"), _schema(_VARIABLE)]
_Key = Annotated[str, _like(_LABEL_KEY, "a label's key is like `tier` or `example.com/tier`"), _schema(_LABEL_KEY)]
_Value = Annotated[
    str, _like(_LABEL, "a label's value is of letters, digits, `-`, `_` and `.`, 63 at most"), _schema(_LABEL)
]
Labels = dict[_Key, _Value]
OwnLabels = Annotated[Labels, AfterValidator(_not_choosing)]
Taint = Annotated[  # empty: none is said
    str, _like(_TAINT, "a taint is like `key`, `key=value` or `key=value:NoSchedule`"), _schema(_TAINT)
]
