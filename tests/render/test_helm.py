"""The chart: Helm reads it without a complaint, and with an environment's values it is what `kubernetes` writes."""

import copy
import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from frontdesk.render import helm, kubernetes
from frontdesk.render.chart_values import base_of, over, tree
from frontdesk.render.kubernetes.values import value
from frontdesk.render.target import yaml_text
from frontdesk.render.variants import Variants
from frontdesk.system.home import blueprints
from frontdesk.system.layout.plan import Plan
from tests.render.cluster import (
    ENVIRONMENTS,
    EVERY,
    Object,
    changed,
    containers,
    name_of,
    named,
    of_kind,
    plan_of,
    templates,
)
from tests.render.reading import charts

Charts = dict[str, Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Charts:
    """The chart of each blueprint, written out."""
    found: Charts = {}
    for blueprint in blueprints():
        root = tmp_path_factory.mktemp(blueprint)
        plan = plan_of(blueprint, "production")
        for name, text in helm.files(plan).items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        found[blueprint] = root / "charts" / plan.name
    return found


def values_of(chart: Path, environment: str) -> Path:
    return chart / f"values-{helm.ENVIRONMENTS[environment]}.yaml"


def templated(chart: Path, environment: str, changes: dict[str, Any] | None = None) -> tuple[Object, ...]:
    """The chart's objects with an environment's values, and some changes over them."""
    file = values_of(chart, environment)
    if changes:
        said = yaml.safe_load(file.read_text())
        for path, value in changes.items():
            *steps, last = path.split("/")
            here = said
            for step in steps:
                here = here.setdefault(step, {})
            here[last] = value
        file = chart.parent / "changed.yaml"
        file.write_text(yaml.safe_dump(said))
    return tuple(charts.template(chart, file))


def by_identity(objects: Any) -> dict[tuple[str, str, str], Object]:
    return {(each["apiVersion"], each["kind"], name_of(each)): each for each in objects}


@pytest.mark.parametrize(("blueprint", "environment"), EVERY)
def test_the_chart_with_an_environments_values_is_what_kubernetes_writes(
    folders: Charts, blueprint: str, environment: str
) -> None:
    found = by_identity(templated(folders[blueprint], environment))
    wanted = by_identity(kubernetes.objects(plan_of(blueprint, environment)))
    assert found.keys() == wanted.keys()
    for identity, each in wanted.items():
        assert found[identity] == each, identity


@pytest.mark.parametrize("blueprint", blueprints())
def test_helm_has_nothing_to_say_against_it(folders: Charts, blueprint: str) -> None:
    chart = folders[blueprint]
    for file in (None, *(values_of(chart, environment) for environment in ENVIRONMENTS)):
        assert charts.read_chart(chart, file) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_chart_is_the_same_whatever_environment_was_asked_for(environment: str) -> None:
    assert helm.files(plan_of("engagement", environment)) == helm.files(plan_of("engagement", "production"))


def test_without_an_environment_it_is_production(folders: Charts) -> None:
    chart = folders["assistant"]
    found = by_identity(charts.template(chart))
    assert found == by_identity(kubernetes.objects(plan_of("assistant", "production")))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_one_value_changes_the_release_of_every_image_of_ours(folders: Charts, environment: str) -> None:
    changes = {"images/tag": "v9.9.9", "images/registry": "registry.example.com/other"}
    for blueprint, chart in folders.items():
        objects = templated(chart, environment, changes)
        ours = {running.service.image or running.name for running in plan_of(blueprint, environment).services}
        for _, template in templates(objects):
            for each in containers(template):
                name = each["image"].rpartition("/")[2].partition(":")[0]
                if name in ours:
                    assert each["image"].removesuffix("-gpu") == f"registry.example.com/other/{name}:v9.9.9"
        assert not [each for each in objects if ":0.1.0" in json.dumps(each)]


def test_a_digest_is_stronger_than_the_tag(folders: Charts) -> None:
    digest = "sha256:" + "b" * 64
    objects = templated(folders["assistant"], "production", {"images/digests": {"orchestrator": digest}})
    spec = named(objects, "Deployment", "orchestrator")["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"].endswith(f"/orchestrator@{digest}")


def test_a_changed_variable_makes_new_pods(folders: Charts) -> None:
    before = templated(folders["assistant"], "production")
    after = templated(folders["assistant"], "production", {"config/variables/OPENAI_TEMPERATURE": "0.1"})
    assert named(after, "ConfigMap", "ai-assistant-config")["data"]["OPENAI_TEMPERATURE"] == "0.1"
    sums = [
        named(objects, "Deployment", "orchestrator")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for objects in (before, after)
    ]
    assert len(set(sums)) == 2


def test_operators_change_replicas_resources_hosts_and_scaling(folders: Charts) -> None:
    objects = templated(
        folders["assistant"],
        "production",
        {
            "services/orchestrator/autoscaling/maxReplicas": 30,
            "services/mcp-example/replicas": 7,
            "services/frontend/resources/limits/memory": "1Gi",
            "services/frontend/hosts": ["help.example.org"],
            "services/frontend/variables/LOG_LEVEL": "DEBUG",
            "edge/issuer": "letsencrypt-staging",
            "namespace/name": "elsewhere",
        },
    )
    assert named(objects, "HorizontalPodAutoscaler", "orchestrator-hpa")["spec"]["maxReplicas"] == 30
    assert named(objects, "Deployment", "mcp-example")["spec"]["replicas"] == 7
    (container,) = named(objects, "Deployment", "frontend")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert {"name": "LOG_LEVEL", "value": "DEBUG"} in container["env"]
    assert named(objects, "HTTPRoute", "frontend")["spec"]["hostnames"] == ["help.example.org"]
    assert of_kind(objects, "Certificate")[0]["spec"]["issuerRef"]["name"] == "letsencrypt-staging"
    assert {each["metadata"].get("namespace", "elsewhere") for each in objects} == {"elsewhere"}


@pytest.mark.parametrize(
    "typo", ["service/orchestrator/replicas", "services/orchestrater/replicas", "services/orchestrator/replica"]
)
def test_a_typo_in_a_value_is_refused(folders: Charts, typo: str) -> None:
    with pytest.raises(helm_python.HelmError, match=r"not allowed|additional"):
        templated(folders["assistant"], "production", {typo: 3})


@pytest.mark.parametrize("blueprint", blueprints())
def test_no_secret_stands_in_the_chart(folders: Charts, blueprint: str) -> None:
    for environment in ENVIRONMENTS:
        for each in templated(folders[blueprint], environment):
            assert each["kind"] != "Secret"
            if each["kind"] == "SealedSecret":
                assert set(each["spec"]["encryptedData"].values()) == {""}


def test_two_paths_of_one_service_keep_their_own_hosts_in_the_chart(tmp_path: Path) -> None:
    hosts = [
        {"host": "desk.example.com", "service": "orchestrator"},
        {"host": "api.example.com", "service": "orchestrator", "path": "/api"},
    ]
    edge = plan_of("assistant", "production").edge.model_dump(mode="json", by_alias=True) | {"hosts": hosts}
    changed_plan = changed("assistant", "production", {"edge": edge})
    plan = Plan(replace(changed_plan.system, file=None))  # one environment
    for name, text in helm.files(plan).items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    found = by_identity(charts.template(tmp_path / "charts" / plan.name))
    assert found == by_identity(kubernetes.objects(plan))


def test_two_objects_cannot_say_different_things_at_one_place_of_the_values() -> None:
    variants = Variants(["production"])
    head: dict[str, Any] = {"apiVersion": "v1", "kind": "Thing"}
    things = [head | {"metadata": {"name": str(each)}, "spec": value(each, "things", "number")} for each in (1, 2)]
    with pytest.raises(ValueError, match=r"different values at things\.number"):
        variants.template({"production": things})


WORDS = [
    "plain",
    "yes",
    "1e3",
    "0x1f",
    "{{ .Values }}",
    "a: b",
    "# no comment",
    "two\nlines\n",
    "",
    "ümlaut",
    "'quoted\"",
    "~",
]


def anything(chance: random.Random, depth: int) -> Any:
    """A part of an object, of any shape."""
    kind = chance.choice(["map", "map", "list", "named", "leaf", "leaf"]) if depth else "leaf"
    if kind == "map":
        return {f"key{number}": anything(chance, depth - 1) for number in range(chance.randint(1, 4))}
    if kind == "list":
        return [anything(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    if kind == "named":
        return [{"name": f"item{number}", "of": anything(chance, depth - 1)} for number in range(chance.randint(1, 3))]
    return chance.choice([chance.choice(WORDS), chance.randint(-5, 2**40), chance.random(), True, False])


def otherwise(chance: random.Random, part: Any) -> Any:
    """The same with some difference: a value, a key more or less, an item more or less. A field keeps its type."""
    part = copy.deepcopy(part)
    if isinstance(part, dict):
        key = chance.choice(list(part))
        if chance.random() < 0.3 and len(part) > 1:
            del part[key]
        elif chance.random() < 0.3:
            part[f"more{chance.randint(0, 3)}"] = chance.choice(WORDS)
        else:
            part[key] = otherwise(chance, part[key])
        return part
    if isinstance(part, list):
        if not part or chance.random() < 0.3:
            return part[1:]
        return [*part[:-1], otherwise(chance, part[-1])]
    return anything(chance, 0)


def test_any_variants_become_one_template_that_is_each_of_them(tmp_path: Path) -> None:
    """For hundreds of made-up objects with made-up differences, as Helm itself templates them."""
    chance = random.Random(5)
    variants = Variants(["dev", "staging", "production"])
    objects: dict[str, list[dict[str, Any]]] = {name: [] for name in variants.names}
    for number in range(300):
        first = {f"key{each}": anything(chance, 3) for each in range(3)}
        for name in variants.names:
            if chance.random() < 0.9:
                spec = otherwise(chance, first) if chance.random() < 0.7 else first
                head = {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": f"thing-{number}"}}
                objects[name].append(head | {"spec": spec})
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "things.yaml").write_text(variants.template(objects))
    (tmp_path / "Chart.yaml").write_text(yaml_text({"apiVersion": "v2", "name": "things", "version": "1.0.0"}))
    (tmp_path / "values.yaml").write_text(yaml_text(tree(base_of(variants.values))))
    for name in variants.names:
        file = tmp_path / f"{name}.yaml"
        file.write_text(yaml_text(tree(over(variants.values, name))))
        found = by_identity(charts.template(tmp_path, file))
        assert found == by_identity(objects[name])
