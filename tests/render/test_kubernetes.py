"""What the Kubernetes target writes for every blueprint and environment: valid, whole, tight, the same each time."""

import copy
import itertools
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from frontdesk.render import kubernetes
from frontdesk.system.home import blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import amount_of_bytes, millicores
from frontdesk.system.layout.stores import Postgres
from tests.render.autoscaler import Autoscaler
from tests.render.cluster import (
    EVERY,
    Network,
    Object,
    Pod,
    containers,
    name_of,
    named,
    objects_of,
    of_kind,
    plan_of,
    pods_of,
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
                kubernetes_validate.validate(each, version, strict=True)
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
def test_routes_lead_to_services_and_never_to_hidden_paths(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    ports = {name_of(each): {port["port"] for port in each["spec"]["ports"]} for each in of_kind(objects, "Service")}
    routes = of_kind(objects, "HTTPRoute")
    assert bool(routes) == bool(plan.edge.hosts)
    for route in routes:
        rules = route["spec"]["rules"]
        for backend in itertools.chain.from_iterable(rule.get("backendRefs", ()) for rule in rules):
            assert backend["port"] in ports[backend["name"]]
        whole = [rule for rule in rules if rule.get("matches", [{}])[0].get("path", {}).get("value") == "/"]
        if whole:
            hidden = {rule["matches"][0]["path"]["value"] for rule in rules if "filters" in rule and "matches" in rule}
            assert hidden == set(plan.edge.hidden)
    (gateway,) = of_kind(objects, "Gateway") or (None,)
    if gateway:
        listeners = {each["name"]: each for each in gateway["spec"]["listeners"]}
        assert {parent["sectionName"] for route in routes for parent in route["spec"]["parentRefs"]} == set(listeners)
        secret = listeners["https"]["tls"]["certificateRefs"][0]["name"]
        (certificate,) = of_kind(objects, "Certificate")
        issuer, local = certificate["spec"]["issuerRef"], [name_of(each) for each in of_kind(objects, "Issuer")]
        assert (issuer["kind"], local) == (
            ("Issuer", [issuer["name"]]) if environment == "development" else ("ClusterIssuer", [])
        )
        assert certificate["spec"]["secretName"] == secret == plan.tls_secret
        hosts = {host for route in routes for host in route["spec"].get("hostnames", ())}
        assert set(certificate["spec"]["dnsNames"]) == hosts == {each.host for each in plan.edge.hosts}


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
def test_with_an_autoscaler_replicas_are_left_out_and_budgets_leave_room(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    least: dict[str, int] = {}
    scaled = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"] for each in of_kind(objects, "HorizontalPodAutoscaler")
    }
    for each in of_kind(objects, "Deployment"):
        assert ("replicas" in each["spec"]) == (name_of(each) not in scaled)
        least[name_of(each)] = scaled.get(name_of(each), {}).get("minReplicas") or each["spec"]["replicas"]
    for each in of_kind(objects, "PodDisruptionBudget"):
        name = each["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        kept = each["spec"].get("minAvailable", least[name] - each["spec"].get("maxUnavailable", 0))
        assert 0 < kept < least[name]


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
def test_the_quota_holds_all_replicas_at_their_most_and_one_more_release(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    if plan.deployment.quota is None:
        return
    hard = named(objects, "ResourceQuota", f"{plan.name}-quota")["spec"]["hard"]
    needed: Counter[str] = Counter()
    most = {
        each["spec"]["scaleTargetRef"]["name"]: each["spec"]["maxReplicas"]
        for each in of_kind(objects, "HorizontalPodAutoscaler")
    }
    for each in of_kind(objects, "Deployment", "StatefulSet"):
        spec = each["spec"]
        surge = spec.get("strategy", {}).get("rollingUpdate", {}).get("maxSurge", 0)
        count = most.get(name_of(each), spec.get("replicas", 0)) + surge
        for kind in ("requests", "limits"):
            needed[f"{kind}.cpu"] += count * max(
                millicores(c["resources"][kind]["cpu"]) for c in containers(spec["template"])
            )
            needed[f"{kind}.memory"] += count * max(
                amount_of_bytes(c["resources"][kind]["memory"]) for c in containers(spec["template"])
            )
    needed["persistentvolumeclaims"] = len(of_kind(objects, "PersistentVolumeClaim")) + sum(
        each["spec"]["replicas"] for each in of_kind(objects, "StatefulSet")
    )
    needed["configmaps"] = len(of_kind(objects, "ConfigMap")) + 1  # the cluster's own certificate
    for bound, said in hard.items():
        read = millicores if bound.endswith("cpu") else amount_of_bytes
        assert needed[bound] <= read(said), f"{bound}: {needed[bound]} of {read(said)}"


@every
def test_the_network_lets_the_edges_of_the_plan_pass_and_nothing_else(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    network, pods = Network.of(objects), pods_of(objects)
    expected = expected_edges(plan)
    ports = {port for _, _, port in expected} | {22, 80, 443, 5432, 6379, 8443}
    found = {
        (source, target, port)
        for (source, one), (target, other), port in itertools.product(pods.items(), pods.items(), sorted(ports))
        if network.allows(one, other, port)
    }
    assert found == expected


def expected_edges(plan: Plan) -> set[tuple[str, str, int]]:
    """Who may reach whom within the system, as the plan and the stores say it, by the names of the pods."""
    services = {running.key: running.name for running in plan.services}
    found: set[tuple[str, str, int]] = set()
    behind: dict[str, tuple[str, int]] = {}
    for key, store in plan.stores.items():
        if store.managed:
            continue
        first = store.name.removesuffix("-service")
        behind[key] = (first, store.port)
        if store.replicas:
            found.add((store.replica_name.removesuffix("-service"), first, store.port))
        if isinstance(store, Postgres) and store.pooler:
            behind[key] = (store.pooler.name, store.pooler.port)
            found.add((store.pooler.name, first, store.port))
    for running in plan.services:
        for target in (*running.service.needs, *running.service.calls):
            if target in behind:
                found.add((running.name, *behind[target]))
            elif target in services:
                called = next(each.service for each in plan.services if each.key == target)
                port = called.port or called.metrics_port
                if port:
                    found.add((running.name, services[target], port))
    found |= {
        (f"{plan.name}-backup", store.name.removesuffix("-service"), store.port)  # past any pooler
        for key, store in plan.stores.items()
        if key in ("postgres", "redis") and not store.managed
    }
    return found


@every
def test_only_who_says_so_reaches_the_internet_and_nobody_private_networks(blueprint: str, environment: str) -> None:
    objects, plan = objects_of(blueprint, environment), plan_of(blueprint, environment)
    network, pods = Network.of(objects), pods_of(objects)
    managed = {key for key, store in plan.stores.items() if store.managed}
    for running in plan.services:
        reached = {*running.service.needs, *running.service.calls}
        outside = {
            plan.outside[key].port
            for key in reached & plan.outside.keys()
            if any(host.count(".") > 1 for host in plan.outside[key].hosts)
        }
        anywhere = {plan.stores[key].port for key in reached & managed}
        for port in (25, 80, 443, 587, 5432, 6379, 8080):
            assert network.allows(pods[running.name], Pod("", address=PUBLIC), port) == (port in outside | anywhere)
            assert network.allows(pods[running.name], Pod("", address=PRIVATE), port) == (port in anywhere)


@every
def test_names_are_resolved_and_strangers_stay_out(blueprint: str, environment: str) -> None:
    objects = objects_of(blueprint, environment)
    network = Network.of(objects)
    resolver = Pod("kube-system", (("k8s-app", "kube-dns"),))
    for pod in pods_of(objects).values():
        assert network.allows(pod, resolver, 53, "UDP")
        assert network.allows(pod, resolver, 53, "TCP")
        asks = pod.by_label["app.kubernetes.io/name"].endswith("-snapshots")  # the API server, which has no label
        assert network.allows(pod, resolver, 443) == asks
        for port in (22, 80, 443, 5432, 6379, 6432, 8000, 8085):
            assert not network.allows(Pod("default"), pod, port)
            assert not network.allows(Pod("", address=PUBLIC), pod, port)


@pytest.mark.proves("engagement-16")
@pytest.mark.parametrize("environment", ["development", "staging", "production"])
def test_only_the_gateway_reaches_the_decisions_and_prometheus_their_metrics(environment: str) -> None:
    objects, plan = objects_of("engagement", environment), plan_of("engagement", environment)
    network, pods = Network.of(objects), pods_of(objects)
    target, here = pods["ai-orchestration"], plan.deployment.namespace
    gateway, prometheus = Pod(here, (("role", "api-gateway"),)), Pod(plan.deployment.monitoring_namespace)
    assert network.allows(gateway, target, 8085)
    assert not network.allows(gateway, target, 9090)
    assert network.allows(prometheus, target, 9090)
    assert not network.allows(prometheus, target, 8085)
    for stranger in (Pod(here, (("role", "other"),)), Pod("default", (("role", "api-gateway"),)), *pods.values()):
        assert not network.allows(stranger, target, 8085)


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
    if not postgres.managed:
        assert (env["DB_HOST"], env["DB_PORT"]) == (postgres.name, str(postgres.port))
    keys = {name for name in env if name.endswith(("_API_KEY", "_CLIENT_SECRET", "BOT_TOKEN"))}
    assert keys == set()


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


def changed(blueprint: str, environment: str, changes: dict[str, dict[str, Any]]) -> Plan:
    """The plan of a blueprint in which some fields of sections are otherwise."""
    from dataclasses import replace

    system = plan_of(blueprint, environment).system
    sections = dict(system.sections)
    for name, fields in changes.items():
        kind = type(sections[name])
        sections[name] = kind.model_validate(sections[name].model_dump(mode="json", by_alias=True) | fields)
    return Plan(replace(system, sections=sections))


def test_where_there_is_only_an_ingress_it_says_the_same() -> None:
    plan = changed("answering", "production", {})
    edge = plan.edge.model_dump(mode="json", by_alias=True) | {"kind": "ingress", "class_name": "nginx"}
    plan = changed("answering", "production", {"edge": edge})
    objects = tuple(kubernetes.objects(plan))
    assert read_objects(objects) == []
    assert not of_kind(objects, "Gateway", "HTTPRoute")
    (ingress,) = of_kind(objects, "Ingress")
    paths = {
        (rule["host"], path["path"], path["backend"]["service"]["name"])
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert paths == {(each.host, each.path, plan.service(each.service).host_name) for each in plan.edge.hosts}
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "10m"


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


@pytest.mark.proves("assistant-18")
def test_under_a_ramp_the_orchestrator_grows_within_its_steps_and_shrinks_after_quiet() -> None:
    spec = named(objects_of("assistant", "production"), "HorizontalPodAutoscaler", "orchestrator-hpa")["spec"]
    scaler = Autoscaler(spec, replicas=2)
    ramp = scaler.run(lambda now, replicas: {"cpu": 12 / replicas, "memory": 0.5}, 0, 120)
    counts = [2, *(count for _, count in ramp)]
    assert counts[-1] == 10
    assert all(after - before <= max(before, 2) for before, after in itertools.pairwise(counts))
    quiet = scaler.run(lambda now, replicas: {"cpu": 0.1, "memory": 0.1}, 120, 900)
    first = next(now for now, count in quiet if count < 10)
    assert first - 105 >= 300
    assert quiet[-1][1] == 2
    by_minute = [count for now, count in quiet if now % 60 == 0]
    assert all(after >= before - (before + 1) // 2 for before, after in itertools.pairwise(by_minute))


@pytest.mark.proves("engagement-14")
def test_under_a_ramp_decisions_grow_toward_twenty_and_back_within_windows_and_steps() -> None:
    spec = named(objects_of("engagement", "production"), "HorizontalPodAutoscaler", "ai-orchestration-hpa")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 20)
    scaler = Autoscaler(spec, replicas=3)

    def busy(now: int, replicas: int) -> dict[str, float]:
        return {"cpu": 0.5, "memory": 0.5, "ai_decisions_per_second": (2500 if now >= 60 else 300) / 100 / replicas}

    ramp = scaler.run(busy, 0, 360)
    assert all(count == 3 for now, count in ramp if now < 120)  # a minute of the steadiest wish
    counts = [count for _, count in ramp]
    assert counts[-1] == 20
    by_half_minute = [count for now, count in ramp if now % 30 == 0]
    assert all(after <= 2 * before for before, after in itertools.pairwise(by_half_minute))
    quiet = scaler.run(lambda now, replicas: dict.fromkeys(("cpu", "memory", "ai_decisions_per_second"), 0.1), 360, 900)
    assert next(now for now, count in quiet if count < 20) - 345 >= 300
    assert quiet[-1][1] == 3


@pytest.mark.proves("conversation-11")
def test_a_growing_queue_adds_workers_and_cpu_adds_replicas_and_quiet_removes_them() -> None:
    objects = objects_of("conversation", "production")
    workers = named(objects, "HorizontalPodAutoscaler", "worker-general-hpa")["spec"]
    scaler = Autoscaler(workers, replicas=2)
    waiting = {"worker_general_queue_length": 700 / 100, "worker_general_queue_oldest_seconds": 3 / 5}
    grown = scaler.run(lambda now, replicas: {key: full / replicas for key, full in waiting.items()}, 0, 300)
    assert grown[-1][1] == 7
    assert all(after - before <= 1 for (_, before), (_, after) in itertools.pairwise(grown))
    old = scaler.run(
        lambda now, replicas: {
            "worker_general_queue_length": 0.1,
            "worker_general_queue_oldest_seconds": 60 / 5 / replicas,
        },
        300,
        300,
    )
    assert old[-1][1] == 10
    empty = scaler.run(lambda now, replicas: dict.fromkeys(waiting, 0.0), 600, 1200)
    assert next(now for now, count in empty if count < 10) - 585 >= 300
    assert empty[-1][1] == 2

    app = Autoscaler(named(objects, "HorizontalPodAutoscaler", "app-hpa")["spec"], replicas=3)
    full = app.run(lambda now, replicas: {"cpu": 20 / replicas, "memory": 0.5, "requests_per_second": 0.2}, 0, 600)
    assert all(after - before <= 2 for (_, before), (_, after) in itertools.pairwise(full))
    assert full[-1][1] == 10
    assert app.run(lambda now, replicas: {"cpu": 0.1, "memory": 0.1, "requests_per_second": 0.1}, 600, 1800)[-1][1] == 3


def test_autoscalers_find_their_own_metrics() -> None:
    for blueprint in blueprints():
        plan = plan_of(blueprint, "production")
        asked = {
            metric[metric["type"].lower()]["metric"]["name"]
            for each in of_kind(objects_of(blueprint, "production"), "HorizontalPodAutoscaler")
            for metric in each["spec"]["metrics"]
            if metric["type"] != "Resource"
        }
        text = kubernetes.files(plan).get("metrics-adapter.yaml", "data: {config.yaml: '{}'}")
        rules = yaml.safe_load(yaml.safe_load(text)["data"]["config.yaml"])
        given = {rule["name"]["as"] for kind in ("rules", "externalRules") for rule in rules.get(kind, ())}
        assert given == asked


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
from frontdesk.render import kubernetes
from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Plan
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
