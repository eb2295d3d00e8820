"""Helm charts as Helm 4 reads them, in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tests.render.reading.objects import VERSION, objects_in, read_objects

SAYS = {0: "unknown", 1: "info", 2: "warning", 3: "error"}


def read_chart(folder: Path, values: Path | None = None) -> list[str]:
    """What `helm lint --strict` says of a chart, and what the schemas say of its objects as `helm template` writes them
    with this file of values over the chart's own."""
    given = dict(_given(values))
    report = helm_python.lint(folder, given, strict=True, kube_version=f"v{VERSION}.0")
    said = [f"{each['path']}: {each['error']}" for each in report["messages"] if SAYS[each["severity"]] != "info"]
    said += [each for each in report["errors"] if not any(each in known for known in said)]
    if said:
        return said
    try:
        return read_objects(template(folder, values))
    except helm_python.HelmError as error:
        return [str(error)]


def template(
    folder: Path, values: Path | None = None, *, release: str = "desk", namespace: str = "default"
) -> list[dict[str, Any]]:
    """The objects that `helm template` writes, those of `crds/` and the notes left out.

    Raises:
        helm_python.HelmError: the chart or the values are wrong.
    """
    with helm_python.Chart.load(folder) as chart:
        written = chart.render(dict(_given(values)), name=release, namespace=namespace)
    return [each for name, text in written.items() if name.endswith((".yaml", ".yml")) for each in objects_in(text)]


def _given(values: Path | None) -> Mapping[str, Any]:
    return yaml.safe_load(values.read_text()) or {} if values else {}
