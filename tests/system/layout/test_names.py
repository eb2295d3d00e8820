"""What no cluster would take as a name, label, taint or period is refused with words that say what is wanted."""

from pathlib import Path

import pytest
import yaml

from frontdesk.system.load import described
from tests.system.layout.described import planned

REFUSED = {
    "services: {web: {names: [My_Desk]}}": "a name is of small letters",
    "services: {web-: {role: web, port: 8001}}": "small letters, digits, `-` and `_` between them",
    "services: {web: {labels: {tier: 'the first'}}}": "a label's value is of letters",
    "services: {web: {labels: {app.kubernetes.io/name: other}}}": "tells pods from each other",
    "services: {web: {variables: {NOT-ONE: '1'}}}": "a variable is of letters",
    "services: {web: {placement: {tolerations: ['a=b=c']}}}": "a taint is like",
    "services: {web: {scaling: {least: 1, most: 2, up: {window: 7200}}}}": "less than or equal to 3600",
    "stores: {postgres: {name: -db}}": "a name is of small letters",
    "hosts: {node: {labels: {'two words': x}}}": "a label's key is like",
    "deployment: {namespace: Desk}": "a namespace is of small letters",
    "deployment: {secret_name: my secret}": "a name is of small letters",
    "edge: {tls_secret: UPPER}": "a name is of small letters",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_no_cluster_takes_is_refused_with_what_is_wanted(text: str, tmp_path: Path) -> None:
    planned(tmp_path)
    file = tmp_path / "system.yaml"
    values = yaml.safe_load(file.read_text())
    _lay(values, yaml.safe_load(text))
    file.write_text(yaml.safe_dump(values))
    _, problems = described(file, "development")
    (problem,) = problems
    assert REFUSED[text] in str(problem)
    assert "system.yaml:" in str(problem.where)


def test_labels_with_a_domain_and_whole_taints_are_taken(tmp_path: Path) -> None:
    text = "services: {web: {labels: {example.com/tier: web_1}, placement: {tolerations: ['gpu=true:NoExecute', gpu]}}}"
    assert planned(tmp_path, text).service("web").service.labels == {"example.com/tier": "web_1"}


def _lay(below: dict[str, object], above: dict[str, object]) -> None:
    for key, value in above.items():
        lower = below.get(key)
        if isinstance(lower, dict) and isinstance(value, dict):
            _lay(lower, value)
        else:
            below[key] = value
