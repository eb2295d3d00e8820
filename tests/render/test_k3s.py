"""The way to k3s: the shell, the cluster's own schemas and the other targets agree with what it says."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from frontdesk.render import k3s, kubernetes
from frontdesk.render.k3s.guide import BRINGS
from frontdesk.render.k3s.today import SOMEWHERE
from tests.render.blueprints import ALL, plan_of, write
from tests.render.cluster import changed
from tests.render.reading.hosts import read_scripts
from tests.render.reading.objects import read_objects


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_script_and_objects_are_right_and_every_file_that_is_named_is_there(
    blueprint: str, environment: str, tmp_path: Path
) -> None:
    plan = plan_of(blueprint, environment)
    files = k3s.files(plan)
    assert read_scripts(write(files, tmp_path) / "install.sh") == []
    if "today.yaml" in files:
        assert read_objects(list(yaml.safe_load_all(files["today.yaml"]))) == []
    objects = kubernetes.files(plan)
    named = set(re.findall(r"--filename kubernetes/([\w./-]+\.yaml)", files["README.md"]))
    assert named <= set(objects)
    unbuilt = {f"30-services/{each.name}.yaml" for each in plan.services if not each.service.built}
    applied = {name for name in objects if name[0].isdigit()}  # the others are read by other tools
    assert applied - named == unbuilt  # nothing is forgotten
    assert files == k3s.files(plan)


def test_the_four_weeks_are_the_blueprints() -> None:
    guide = k3s.files(plan_of("agents", "production"))["README.md"]
    weeks = re.findall(r"^## Week (\d): (.*)$", guide, re.MULTILINE)
    assert [number for number, _ in weeks] == ["1", "2", "3", "4"]
    assert [words for _, words in weeks] == [
        "cluster, registry, secrets",
        "what keeps nothing and has no card",
        "stores and cards",
        "over, with the way back kept for 7 days",
    ]
    _, _, two, three, four = guide.split("\n## ")
    assert "30-services/coordination.yaml" in two
    assert two.index("infra-core.yaml") < two.index("coordination.yaml")
    assert "20-postgres.yaml" in three
    assert "40-edge.yaml" in four
    assert all("To undo" in week or "Back within 7 days" in week for week in (two, three, four))


def test_nodes_are_labelled_as_pods_choose_them() -> None:
    for blueprint in ("agents", "conversation"):
        plan = plan_of(blueprint, "production")
        files = k3s.files(plan)
        for name, host in plan.hosts.items():
            said = yaml.safe_load(files[f"nodes/{name}.yaml"])
            assert f"frontdesk/host={name}" in said["node-label"]
            assert {f"{key}={value}" for key, value in host.labels.items()} <= set(said["node-label"])
            assert (said.get("default-runtime") == "nvidia") == (host.gpu is not None)
        leads = [name for name in plan.hosts if "cluster-init" in yaml.safe_load(files[f"nodes/{name}.yaml"])]
        assert leads == [next(iter(plan.hosts))]


def test_cards_are_shared_by_what_they_can_and_the_reason_is_told() -> None:
    files = k3s.files(plan_of("agents", "production"))
    manifest = files["manifests/nvidia-device-plugin.yaml"]
    chart = yaml.safe_load(manifest)
    said = {name: yaml.safe_load(text) for name, text in _settings(chart).items()}
    assert said["mainpc"]["sharing"]["timeSlicing"]["resources"] == [{"name": "nvidia.com/gpu", "replicas": 4}]
    assert "reasoning_gpu wants 9Gi" in manifest  # more than a quarter, which the plugin's MPS would give it
    assert said["pc2"]["sharing"]["mps"]["resources"] == [{"name": "nvidia.com/gpu", "replicas": 1}]
    assert all(each["flags"]["migStrategy"] == "none" for each in said.values())  # neither card has MIG
    assert "manifests/nvidia-device-plugin.yaml" not in k3s.files(plan_of("assistant", "production"))


def test_what_a_cluster_does_not_know_by_itself_is_installed_before_it_is_asked_for() -> None:
    own = {"v1", "apps", "autoscaling", "batch", "networking.k8s.io", "policy", "rbac.authorization.k8s.io"}
    own.add("scheduling.k8s.io")
    for blueprint, environment in ALL:
        plan = plan_of(blueprint, environment)
        groups = {str(each["apiVersion"]).partition("/")[0] for each in kubernetes.objects(plan)} - own
        one = k3s.files(plan)["README.md"].split("\n## ")[1]
        begins, _, rest = one.partition("--dry-run=server")
        for group in groups:
            assert f"- {BRINGS[group].partition(' and ')[0]}"[:20] in begins
        assert begins.index("--filename kubernetes/00-namespace.yaml") < len(begins)  # else all within it is refused
        assert "10-config.yaml" in rest


def test_names_of_stores_lead_to_todays_stores_and_their_pooler_too() -> None:
    said = list(yaml.safe_load_all(k3s.files(plan_of("conversation", "production"))["today.yaml"]))
    assert {each["metadata"]["name"] for each in said} == {
        *("postgres-primary-service", "postgres-master-service", "pgbouncer", "redis-service"),
    }


@pytest.mark.parametrize(("address", "family"), [("192.168.7.4", "IPv4"), ("fd00::4", "IPv6"), ("[fd00::4]", "IPv6")])
def test_a_store_at_an_address_is_led_to_by_an_endpoint(address: str, family: str) -> None:
    hosts = plan_of("agents", "production").system.sections["hosts"].model_dump(mode="json", by_alias=True)
    plan = changed("agents", "production", {"hosts": {"mainpc": hosts["mainpc"] | {"address": address}}})
    said = list(yaml.safe_load_all(k3s.files(plan)["today.yaml"]))
    assert read_objects(said) == []
    assert "ExternalName" not in str(said)  # to the cluster's names an address there is one more name, which nobody has
    services = {each["metadata"]["name"]: each["spec"] for each in said if each["kind"] == "Service"}
    slices = {each["metadata"]["labels"]["kubernetes.io/service-name"]: each for each in said if "endpoints" in each}
    assert services.keys() == slices.keys() == {"postgres-service", "redis-service"}
    for name, port in (("postgres-service", 5432), ("redis-service", 6379)):
        assert (services[name]["clusterIP"], "selector" in services[name]) == ("None", False)
        assert services[name]["ports"] == slices[name]["ports"]
        assert (slices[name]["ports"][0]["port"], slices[name]["addressType"]) == (port, family)
        assert slices[name]["endpoints"][0]["addresses"] == [address.strip("[]")]


@pytest.mark.parametrize(("address", "led_to"), [("pc.lan", "pc.lan"), ("127.0.0.1", SOMEWHERE), ("", SOMEWHERE)])
def test_a_store_at_a_name_is_led_to_by_it_and_one_on_a_loopback_by_a_name_to_be_filled_in(
    address: str, led_to: str
) -> None:
    hosts = plan_of("agents", "production").system.sections["hosts"].model_dump(mode="json", by_alias=True)
    plan = changed("agents", "production", {"hosts": {"mainpc": hosts["mainpc"] | {"address": address}}})
    said = list(yaml.safe_load_all(k3s.files(plan)["today.yaml"]))
    assert {each["spec"]["externalName"] for each in said} == {led_to}


def test_a_taint_is_written_whole() -> None:
    files = k3s.files(plan_of("conversation", "production"))
    assert yaml.safe_load(files["nodes/ml.yaml"])["node-taint"] == ["nvidia.com/gpu=true:NoSchedule"]


def test_a_machine_that_cannot_be_the_node_is_told_everything_it_lacks(tmp_path: Path) -> None:
    write(k3s.files(plan_of("agents", "production")), tmp_path)
    ran = subprocess.run(["sh", "install.sh", "check", "mainpc"], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "NVIDIA driver" in ran.stderr
    assert "this machine cannot be mainpc yet" in ran.stderr
    for wrong, word in (
        (("check", "mainpx"), "take one of mainpc, pc2"),
        (("begin", "mainpc"), "check, server or agent"),
    ):
        ran = subprocess.run(["sh", "install.sh", *wrong], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 1
        assert word in ran.stderr


def _settings(chart: dict[str, dict[str, str]]) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(chart["spec"]["valuesContent"])["config"]["map"]
    return found
