"""Names, labels and taints as a cluster takes them (kubernetes.io/docs/concepts/overview/working-with-objects)."""

from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$"
_LABEL = r"^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$"
_CHOOSING = ("app.kubernetes.io/name", "app.kubernetes.io/instance")


def _not_choosing(labels: dict[str, str]) -> dict[str, str]:
    for key in _CHOOSING:
        if key in labels:
            raise ValueError(f"`{key}` is how pods are told from each other, and is made from the service's name")
    return labels


HostName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,48}[a-z0-9])?$")]  # a name by which others reach a server
ObjectName = Annotated[str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]{0,240}[a-z0-9])?)?$")]  # empty: none is said
Namespace = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
LabelKey = Annotated[str, Field(pattern=_LABEL_KEY)]
LabelValue = Annotated[str, Field(pattern=_LABEL)]
Labels = dict[LabelKey, LabelValue]
OwnLabels = Annotated[Labels, AfterValidator(_not_choosing)]
Taint = Annotated[  # `key`, `key=value` or `key=value:effect`
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*(=[A-Za-z0-9_.-]*)?(:(NoSchedule|PreferNoSchedule|NoExecute))?$")
]
