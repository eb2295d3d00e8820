"""What the Kubernetes target writes for every blueprint and environment: valid, whole, tight, the same each time."""

import copy
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from frontdesk.render import docker, kubernetes
from frontdesk.system.home import blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres
from tests.render.cluster import (
    EVERY,
    Object,
    changed,
    containers,
    name_of,
    named,
    objects_of,
    of_kind,
    plan_of,
    selects,
    templates,
    violations,
)
from tests.render.reading import images
from tests.render.reading.objects import objects_in, read_objects

every = pytest.mark.parametrize(("blueprint", "environment"), EVERY)
PUBLIC, PRIVATE = "93.184.216.34", "10.1.2.3"
EXPLAINED = (  # config maps with words in which a scanner sees secrets (KSV-0109); none of them is a value
    '{"  tls_secret"}',  # the system file says how the edge's certificate is called
    '{"CREATE ROLE ", "psql --set"}',  # the script that makes the replicating user reads its password from a file
    '{"MAX_TOKENS", "OPENAI_MAX_TOKENS"}',  # how long an answer may be
)


@every
def test_every_object_is_valid_to_the_letter(blueprint: str, environment: str) -> None:
    assert read_objects(objects_of(blueprint, environment)) == []


@pytest.mark.parametrize("version", ["1.33", "1.35"])
def test_the_core_objects_are_valid_in_older_versions_too(version: str) -> None:
    seen: set[str] = set()
    for blueprint in blueprints():
        for each in objects_of(blueprint, "production"):
            group, _, rest = each["apiVersion"].partition("/")
            if each["kind"] not in seen and (not rest or "." not in group or group.endswith("k8s.io")):
                if group in ("autoscaling.k8s.io", "gateway.networking.k8s.io", "snapshot.storage.k8s.io"):
                    continue
                seen.add(each["kind"])
                kubernetes_validate.validate(dict(each), version, strict=True)
    assert {"Deployment", "StatefulSet", "CronJob", "NetworkPolicy", "HorizontalPodAutoscaler"} <= seen


@every
def test_no_object_stands_twice(blueprint: str, environment: str) -> None:
    count = Counter((each["kind"], name_of(each)) for each in objects_of(blueprint, environment))
    assert [identity for identity, times in count.items() if times > 1] == []


@every
def test_names_and_labels_are_as_short_as_the_cluster_demands(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    for each in objects:
        labels = dict(each["metadata"].get("labels", {}))
        assert all(len(said) <= 63 and len(label.rpartition("/")[2]) <= 63 for label, said in labels.items())
        limit = {"Service": 63, "CronJob": 52, "StatefulSet": 52}.get(each["kind"], 63)
        assert len(name_of(each)) <= limit
    for _, template in templates(objects):
        ports = [port for each in containers(template) for port in each.get("ports", ())]
        assert all(len(port["name"]) <= 15 for port in ports)
        assert len({port["name"] for port in ports}) == len(ports)


@every
def test_selectors_find_the_pods_they_mean_and_no_others(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    pods = {name: template["metadata"]["labels"] for name, template in templates(objects)}
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        labels = each["spec"]["selector"]["matchLabels"]
        assert [name for name, pod in pods.items() if selects(labels, pod)] == [name_of(each)]
    for each in of_kind(objects, "Service"):
        assert len([name for name, pod in pods.items() if selects(each["spec"]["selector"], pod)]) == 1
    for each in of_kind(objects, "PodDisruptionBudget"):
        assert len([1 for pod in pods.values() if selects(each["spec"]["selector"]["matchLabels"], pod)]) == 1
    for each in of_kind(objects, "HorizontalPodAutoscaler", "VerticalPodAutoscaler"):
        target = each["spec"].get("scaleTargetRef") or each["spec"]["targetRef"]
        named(objects, target["kind"], target["name"])


@every
def test_services_lead_to_ports_that_containers_have(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    for service in of_kind(objects, "Service"):
        (template,) = (
            each for _, each in templates(objects) if selects(service["spec"]["selector"], each["metadata"]["labels"])
        )
        offered = {port["name"] for each in containers(template) for port in each.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= offered


@every
def test_what_pods_refer_to_is_there(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    there = {kind: {name_of(each) for each in of_kind(objects, kind)} for kind in ("ConfigMap", "ServiceAccount")}
    claims = {name_of(each) for each in of_kind(objects, "PersistentVolumeClaim")}
    known = _secret_keys(objects, plan)
    for _, template in templates(objects):
        spec = template["spec"]
        assert spec["serviceAccountName"] in there["ServiceAccount"]
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in there["ConfigMap"]
            if "secret" in volume:
                assert volume["secret"]["secretName"] == plan.secret_name
                assert {item["key"] for item in volume["secret"]["items"]} <= known
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
        for each in containers(template):
            assert {found["configMapRef"]["name"] for found in each.get("envFrom", ())} <= there["ConfigMap"]
            wanted = [found["valueFrom"]["secretKeyRef"] for found in each.get("env", ()) if "valueFrom" in found]
            assert {found["name"] for found in wanted} <= {plan.secret_name}
            assert {found["key"] for found in wanted} <= known
            names = [found["name"] for found in each.get("env", ())]
            assert len(names) == len(set(names))


def _secret_keys(objects: tuple[Object, ...], plan: Plan) -> set[str]:
    """The keys of the secret, by whatever makes it."""
    if plan.deployment.secrets_from == "external":
        secret = named(objects, "ExternalSecret", plan.secret_name)["spec"]
        assert secret["target"]["name"] == plan.secret_name
        return {each["secretKey"] for each in secret["data"]}
    if plan.deployment.secrets_from == "sealed":
        return set(named(objects, "SealedSecret", plan.secret_name)["spec"]["encryptedData"])
    return set(yaml.safe_load(kubernetes.files(plan)["secrets-template.yaml"])["stringData"])


@every
def test_volumes_that_are_mounted_are_there_and_none_is_for_nothing(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    own = {
        name_of(each): {claim["metadata"]["name"] for claim in each["spec"]["volumeClaimTemplates"]}
        for each in of_kind(objects, "StatefulSet")
    }
    for name, template in templates(objects):
        volumes = {each["name"] for each in template["spec"]["volumes"]} | own.get(name, set())
        mounted = {mount["name"] for each in containers(template) for mount in each.get("volumeMounts", ())}
        assert mounted == volumes


@every
def test_every_container_is_what_restricted_allows_and_more(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    labels = of_kind(objects, "Namespace")[0]["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
    for name, template in templates(objects):
        assert violations(template["spec"]) == [], name
        for each in containers(template):
            assert each["securityContext"]["readOnlyRootFilesystem"] is True
            assert each["resources"]["requests"].keys() == each["resources"]["limits"].keys() >= {"cpu", "memory"}
            assert not each["image"].endswith(":latest")
            assert ":" in each["image"] or "@" in each["image"]
            assert each["imagePullPolicy"] == "IfNotPresent"


PLANTED: dict[str, dict[str, Any]] = {
    "hostNetwork": {"hostNetwork": True},
    "volume": {"volumes": [{"name": "disk", "hostPath": {"path": "/"}}]},
    "sysctl": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "privileged": {"container": {"privileged": True}},
    "allowPrivilegeEscalation": {"container": {"allowPrivilegeEscalation": None}},
    "capabilities.drop": {"container": {"capabilities": {"drop": ["NET_RAW"]}}},
    "capabilities.add": {"container": {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}},
    "runAsNonRoot": {"container": {"runAsNonRoot": False}},
    "runAsUser": {"container": {"runAsUser": 0}},
    "seccompProfile": {"container": {"seccompProfile": {"type": "Unconfined"}}},
    "procMount": {"container": {"procMount": "Unmasked"}},
    "hostPort": {"ports": [{"containerPort": 80, "hostPort": 80}]},
}


@pytest.mark.parametrize("fault", PLANTED)
def test_the_check_of_restricted_sees_a_planted_fault(fault: str) -> None:
    deployment = named(objects_of("assistant", "production"), "Deployment", "frontend")
    spec = copy.deepcopy(deployment["spec"]["template"]["spec"])
    said = dict(PLANTED[fault])
    container = spec["containers"][0]
    container["securityContext"] |= said.pop("container", {})
    container["ports"] = said.pop("ports", container["ports"])
    spec["securityContext"] |= said.pop("securityContext", {})
    spec |= said
    assert len(found := violations(spec)) == 1
    assert fault in found[0]


@every
def test_no_pod_has_a_token_unless_it_asks_the_api_server(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    bound = {subject["name"] for each in of_kind(objects, "RoleBinding") for subject in each["subjects"]}
    asking = {
        template["spec"]["serviceAccountName"]
        for _, template in templates(objects)
        if template["spec"]["automountServiceAccountToken"]
    }
    assert asking == bound
    for role in of_kind(objects, "Role"):
        for rule in role["rules"]:
            assert "*" not in (*rule["verbs"], *rule["resources"], *rule["apiGroups"])
            assert not {"secrets", "pods", "pods/exec"} & set(rule["resources"])


@every
def test_a_service_is_reached_by_each_of_its_names_for_requests_and_for_metrics(
    blueprint: str, environment: str
) -> None:
    objects = objects_of(blueprint, environment)
    for running in plan_of(blueprint, environment).services:
        offered = {"http": running.service_port, "metrics": running.service.metrics_port}
        for name in {running.host_name, *running.service.names}:
            ports = {port["name"]: port["port"] for port in named(objects, "Service", name)["spec"]["ports"]}
            assert ports == {name: port for name, port in offered.items() if port}


@every
def test_a_change_of_a_stores_files_starts_it_anew(blueprint: str, environment: str) -> None:
    stores = plan_of(blueprint, environment).system.sections["stores"].model_dump(mode="json", by_alias=True)
    if stores["redis"]["managed"]:
        return
    stores["redis"]["settings"] |= {"timeout": 17}
    after = tuple(kubernetes.objects(changed(blueprint, environment, {"stores": stores})))
    name = stores["redis"]["name"].removesuffix("-service")
    sums = [
        named(objects, "StatefulSet", name)["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
        for objects in (objects_of(blueprint, environment), after)
    ]
    assert sums[0] != sums[1]


@every
def test_pods_have_time_to_end(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    for running in plan_of(blueprint, environment).services:
        template = named(objects, "Deployment", running.name)["spec"]["template"]["spec"]
        (container,) = template["containers"]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pause == running.service.stopping.pause
        assert template["terminationGracePeriodSeconds"] >= pause + running.service.stopping.drain


@every
def test_the_backup_is_made_once_a_day_by_the_job_alone(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    job = named(objects, "CronJob", f"{plan.name}-backup")["spec"]
    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == ("0 2 * * *", "Etc/UTC", "Forbid")
    (container,) = job["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["frontdesk", "backup", "create"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    mounts = {each["mountPath"] for each in container["volumeMounts"]}
    assert env["BACKUP_FOLDER"] in mounts
    assert "BACKUP_KEY" in env
    assert named(objects, "ConfigMap", plan.config_name)["data"]["BACKUP_AT"] == "never"
    postgres = plan.stores["postgres"]
    assert isinstance(postgres, Postgres)
    if not postgres.managed:
        assert (env["DB_HOST"], env["DB_PORT"]) == (postgres.name, str(postgres.port))
        assert env.get("BACKUP_DB_HOST") == (postgres.replica_name if postgres.replicas else None)
    keys = {name for name in env if name.endswith(("_API_KEY", "_CLIENT_SECRET", "BOT_TOKEN"))}
    assert keys == set()


@every
def test_all_backups_are_read_again_every_week(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    made, read = (named(objects, "CronJob", f"{plan.name}-{kind}")["spec"] for kind in ("backup", "verify"))
    assert read["schedule"] == "0 4 * * 0"
    one, other = (each["jobTemplate"]["spec"]["template"]["spec"]["containers"][0] for each in (made, read))
    assert other["command"] == ["frontdesk", "backup", "verify", "--all", "--record"]  # else its alert never fires
    assert one | {"command": None} == other | {"command": None}


def test_backups_lie_in_a_volume_as_large_as_is_said_or_else_as_the_largest_store() -> None:
    said = plan_of("agents", "production").system.sections["backup"].model_dump(mode="json", by_alias=True)
    plan = changed("agents", "production", {"backup": said | {"key": "", "storage": "500Gi"}})
    for objects, size in ((tuple(kubernetes.objects(plan)), "500Gi"), (objects_of("agents", "production"), "50Gi")):
        claims = {name_of(each): each["spec"] for each in of_kind(objects, "PersistentVolumeClaim")}
        assert {name: each["resources"]["requests"]["storage"] for name, each in claims.items()} == {
            "backup-pvc": size,
            "backup-pvc-remote": size,
        }


@every
def test_a_change_of_the_configuration_makes_new_pods(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    objects = objects_of(blueprint, environment)
    sums = {
        template["metadata"]["annotations"]["checksum/config"]
        for name, template in templates(objects)
        if name in {running.name for running in plan.services}
    }
    assert len(sums) == 1
    assert len({_sum_of(blueprint, each) for each in ("development", "production")}) == 2


def _sum_of(blueprint: str, environment: str) -> str:
    first = plan_of(blueprint, environment).services[0].name
    template = named(objects_of(blueprint, environment), "Deployment", first)["spec"]["template"]
    return str(template["metadata"]["annotations"]["checksum/config"])


@every
def test_the_files_hold_what_is_applied_and_nothing_secret(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    files = kubernetes.files(plan)
    kustomization = yaml.safe_load(files.pop("kustomization.yaml"))
    aside = {"secrets-template.yaml", "metrics-adapter.yaml"}
    assert set(kustomization["resources"]) == files.keys() - aside
    applied = [each for name in kustomization["resources"] for each in objects_in(files[name])]
    assert applied == list(objects_of(blueprint, environment))
    assert all(text.startswith("# ") and text.endswith("\n") for text in files.values())
    for each in applied:
        assert each["kind"] != "Secret"
        if each["kind"] == "SealedSecret":
            assert set(each["spec"]["encryptedData"].values()) == {""}


def test_a_plain_secret_is_a_template_that_is_not_applied_with_the_rest() -> None:
    plan = changed("assistant", "development", {"deployment": {"secrets_from": "plain"}})
    files = kubernetes.files(plan)
    template = yaml.safe_load(files["secrets-template.yaml"])
    assert template["kind"] == "Secret"
    assert set(template["stringData"].values()) == {""}
    assert {"SECRET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "BACKUP_KEY"} <= template["stringData"].keys()
    assert not [each for each in kubernetes.objects(plan) if "Secret" in str(each["kind"])]


def test_a_card_is_asked_for_and_its_share_is_told() -> None:
    objects = objects_of("agents", "production")
    spec = named(objects, "Deployment", "speech-gpu")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"]
        == container["resources"]["requests"]["nvidia.com/gpu"]
        == "1"
    )
    assert {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"} in spec["tolerations"]
    env = {each["name"]: each.get("value") for each in container["env"]}
    assert env["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "15"
    assert env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=4096M"
    assert spec["nodeSelector"] == {"machine": "mainpc"}
    assert container["image"].endswith("/ai-system:0.1.0-gpu")
    rolling = named(objects, "Deployment", "speech-gpu")["spec"]["strategy"]["rollingUpdate"]
    assert rolling == {"maxSurge": 0, "maxUnavailable": 1}  # two at once would wait for a share that nobody gives back
    assert named(objects, "Deployment", "coordination")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(
        "/ai-system:0.1.0"
    )


def test_who_goes_first_on_a_card_goes_first_on_its_node_and_nobody_else() -> None:
    objects, plan = objects_of("agents", "production"), plan_of("agents", "production")
    classes = {name_of(each): each for each in of_kind(objects, "PriorityClass")}
    assert {name: (each["value"], each["preemptionPolicy"]) for name, each in classes.items()} == {
        "gpu-high-ai-system": (1000, "PreemptLowerPriority"),
        "gpu-low-ai-system": (-10, "Never"),
    }
    assert not any("namespace" in each["metadata"] or each["globalDefault"] for each in classes.values())
    shared = {running.name: running.service.gpu for running in plan.services}
    for name, template in templates(objects):
        share = shared.get(name)
        wanted = f"gpu-{share.priority}-ai-system" if share and share.priority != "normal" else None
        assert template["spec"].get("priorityClassName") == wanted, name
    staging = {name_of(each) for each in of_kind(objects_of("agents", "staging"), "PriorityClass")}
    assert not staging & set(classes)  # in one cluster, one does not take the other's away
    assert not of_kind(objects_of("conversation", "production"), "PriorityClass")


def test_a_card_with_mig_gives_parts_and_a_host_without_a_card_none() -> None:
    hosts = plan_of("agents", "production").system.sections["hosts"].model_dump(mode="json", by_alias=True)
    hosts["mainpc"]["gpu"] |= {"model": "H100", "memory": "80G", "spare": 0, "count": 2}
    hosts["pc2"]["gpu"] = None
    objects = tuple(kubernetes.objects(changed("agents", "production", {"hosts": hosts})))
    reasoning = named(objects, "Deployment", "reasoning-gpu")["spec"]["template"]["spec"]
    assert reasoning["containers"][0]["resources"]["limits"]["nvidia.com/mig-4g.40gb"] == "1"
    assert not [each for each in reasoning["containers"][0]["env"] if each["name"].startswith("CUDA_MPS")]
    dreams = named(objects, "Deployment", "vision-dream-gpu")["spec"]["template"]["spec"]
    assert not [name for name in dreams["containers"][0]["resources"]["limits"] if "nvidia" in name]
    assert "tolerations" not in dreams
    assert dreams["containers"][0]["image"].endswith("/ai-system:0.1.0")


def test_every_account_fetches_images_by_the_secret_of_the_registry() -> None:
    said = plan_of("assistant", "development").deployment.model_dump(mode="json", by_alias=True)
    said["images"]["pull_secret"] = "registry-password"
    objects = tuple(kubernetes.objects(changed("assistant", "development", {"deployment": said})))
    assert read_objects(objects) == []
    found = [each.get("imagePullSecrets") for each in of_kind(objects, "ServiceAccount")]
    assert found == [[{"name": "registry-password"}]] * len(found)


def test_a_digest_is_stronger_than_the_tag() -> None:
    digest = "sha256:" + "a" * 64
    said = plan_of("assistant", "production").deployment.model_dump(mode="json", by_alias=True)
    said["images"]["digests"] = {"orchestrator": digest}
    objects = tuple(kubernetes.objects(changed("assistant", "production", {"deployment": said})))
    found = {
        each["image"]
        for _, template in templates(objects)
        for each in containers(template)
        if "/orchestrator" in each["image"]
    }
    assert found == {f"registry.example.com/ai-assistant/orchestrator@{digest}"}


def test_trivy_finds_nothing_high_that_is_not_explained(tmp_path: Path) -> None:
    seen: set[str] = set()
    for blueprint, environment in EVERY:
        for each in objects_of(blueprint, environment):
            shape = json.dumps(_judged(each), sort_keys=True)
            if each["kind"] in JUDGED and shape not in seen:
                file = tmp_path / blueprint / f"{environment}-{each['kind']}-{name_of(each)}.yaml"
                file.parent.mkdir(exist_ok=True)
                file.write_text(json.dumps(each))
                seen.add(shape)
    assert len(seen) > 40
    found = images.read_safety(tmp_path)
    assert [each for each in found if not (" KSV-0109 " in each and each.strip("'").endswith(EXPLAINED))] == []


JUDGED = {"ConfigMap", "CronJob", "Deployment", "Namespace", "Role", "RoleBinding", "Service", "StatefulSet"}
UNJUDGED = {
    *("args", "command", "env", "envFrom", "image", "labels", "name", "namespace", "ports"),
    "matchLabels",
    "app",
}
UNJUDGED |= {"livenessProbe", "readinessProbe", "startupProbe", "cpu", "memory", "selector", "hosts", "annotations"}


def _judged(part: Any) -> Any:
    """What scanners look at: not how things are called, nor how much of each there is. Values of config maps stay."""
    if isinstance(part, dict):
        if part.get("kind") == "ConfigMap":
            return sorted(part["data"].items())
        return {key: _judged(inner) for key, inner in part.items() if key not in UNJUDGED}
    return [_judged(each) for each in part] if isinstance(part, list) else part


PRINT = """
import hashlib, sys
from frontdesk.render import docker, kubernetes
from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Postgres
from frontdesk.system.load import described
system, _ = described(blueprint_file(sys.argv[1]), "production")
print(hashlib.sha256(repr(kubernetes.files(Plan(system))).encode()).hexdigest())
"""


def test_another_process_writes_the_same_bytes() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", PRINT, "answering"],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1


@every
def test_every_image_of_ours_is_one_that_is_built(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    built = {image.reference for image in docker.images(plan)}
    ours = plan.image_of("").rpartition("/")[0] + "/"
    used = {
        each["image"]
        for _, template in templates(objects_of(blueprint, environment))
        for each in containers(template)
        if each["image"].startswith(ours)
    }
    assert used
    assert used <= built
