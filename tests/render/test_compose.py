"""Compose files: the specification's schema and Compose itself read them, in every layering that is meant."""

import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from frontdesk.render import compose, kubernetes
from frontdesk.render.compose import naming
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.quantities import amount_of_bytes
from tests.render.blueprints import ALL, plan_of, write
from tests.render.reading.hosts import read_scripts
from tests.render.reading.images import read_safety
from tests.render.reading.pipelines import read_compose
from tests.render.reading.programs import call, from_lock

BASE = ("compose.yaml", "compose.secrets.yaml")
SERVER = ("compose.production.yaml", "compose.observability.yaml", "compose.gpu.yaml")
Files = Mapping[str, Any]


def parsed(blueprint: str, environment: str) -> Files:
    files = compose.files(plan_of(blueprint, environment))
    return {name: yaml.safe_load(text) for name, text in files.items() if name.startswith("compose")}


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_compose_takes_every_layering(blueprint: str, environment: str, tmp_path: Path) -> None:
    plan = plan_of(blueprint, environment)
    folder = write(compose.files(plan), tmp_path)
    devices = {f"{running.key.upper()}_DEVICE": "MIG-0" for running in plan.services}
    for layers in (SERVER, ("compose.test.yaml",), ("compose.development.yaml",)):
        there = [folder / name for name in (*BASE, *layers) if (folder / name).exists()]
        if len(there) > len(BASE):
            assert read_compose(*there, variables=devices) == []


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_everything_that_is_mounted_or_built_from_is_rendered(blueprint: str, environment: str) -> None:
    files = compose.files(plan_of(blueprint, environment))
    for name, file in parsed(blueprint, environment).items():
        for service in file["services"].values():
            mounted = (each for each in service.get("volumes", ()) if isinstance(each, str))
            for place in (each.partition(":")[0] for each in mounted if each.startswith("./")):
                assert any(f"./{path}".startswith(place) for path in files), f"{name}: {place}"
            if "build" in service:
                assert f"{service['build']['context'].removeprefix('./')}/{service['build']['dockerfile']}" in files


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_no_file_has_a_version_a_password_or_an_unpinned_image(blueprint: str, environment: str) -> None:
    for name, file in parsed(blueprint, environment).items():
        assert "version" not in file
        for key, service in file["services"].items():
            image = service.get("image")
            assert image is None or (":" in image.rpartition("/")[2] and not image.endswith(":latest")), (name, key)
            for variable, value in service.get("environment", {}).items():
                secret = variable.endswith(("_KEY", "_PASSWORD", "_TOKEN", "_SECRET", "_DSN"))
                assert not secret or not value, f"{name}: {key} holds {variable}"


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_every_container_of_ours_is_confined(blueprint: str, environment: str) -> None:
    core = parsed(blueprint, environment)["compose.yaml"]
    for key, service in core["services"].items():
        assert service["read_only"] is True, key
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not service["user"].startswith("0:")
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert "healthcheck" in service
        assert ("cpus" in service["deploy"]["resources"]["limits"]) == (environment != "development") or key == "pooler"


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_what_watches_the_system_may_not_take_the_memory_of_the_system(blueprint: str, environment: str) -> None:
    files = parsed(blueprint, environment)
    for key, service in files["compose.observability.yaml"]["services"].items():
        if key in files["compose.yaml"]["services"]:
            continue
        bounds = service["deploy"]["resources"]["limits"]
        assert bounds["pids"], key
        told = service.get("environment", {}).get("GOMEMLIMIT", "0MiB")  # by which Go tidies up before it is ended
        assert (told == "0MiB") == (key == "vector"), key
        assert int(told.removesuffix("MiB")) < int(bounds["memory"].removesuffix("m"))


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_an_image_is_built_alike_for_all_who_share_it(blueprint: str, environment: str) -> None:
    for file in parsed(blueprint, environment).values():
        ways: dict[str, list[object]] = {}
        for service in file["services"].values():
            if "build" in service:
                ways.setdefault(service["image"], []).append(service["build"])
        assert all(way == ways[image][0] for image, found in ways.items() for way in found)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_tests_the_system_is_built_here_where_a_registry_holds_the_rest(environment: str) -> None:
    files = parsed("assistant", environment)
    assert "build" not in files["compose.yaml"]["services"]["orchestrator"]
    assert files["compose.test.yaml"]["services"]["tests"]["build"]["target"] == "testing"


def test_services_wait_for_what_they_need_as_the_blueprint_says() -> None:
    core = parsed("assistant", "development")["compose.yaml"]["services"]
    waits = {name: list(service.get("depends_on", {})) for name, service in core.items()}
    assert waits == {
        "postgres": [],
        "redis": [],
        "orchestrator": ["postgres", "redis"],
        "mcp-example": ["redis"],
        "frontend": ["orchestrator"],
    }
    assert list(core) == ["postgres", "redis", "orchestrator", "mcp-example", "frontend"]
    for store in ("postgres", "redis"):
        check = core[store]["healthcheck"]
        assert (check["interval"], check["timeout"], check["retries"]) == ("10s", "5s", 5)


def test_names_are_the_blueprints(tmp_path: Path) -> None:
    folder = write(compose.files(plan_of("assistant", "development")), tmp_path)
    ran = call(from_lock("docker-compose"), "config", cwd=folder, variables={"PATH": "/usr/bin", "HOME": str(tmp_path)})
    said = yaml.safe_load(ran.stdout)  # by `.env`, as people call it
    assert {service["container_name"] for service in said["services"].values()} == {
        f"ai_assistant_{name}" for name in ("orchestrator", "frontend", "mcp_example", "postgres", "redis")
    }
    assert said["networks"]["default"]["name"] == "ai_assistant_network"
    assert set(said["volumes"]) == {"postgres_data", "redis_data"}
    assert set(said["secrets"]) >= {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "OPENAI_API_KEY"}
    assert {service["ports"][0]["published"] for service in said["services"].values()} == {
        *("8000", "5000", "8001", "5432", "6379")
    }


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_no_two_containers_want_the_same_port_of_the_machine(blueprint: str, environment: str) -> None:
    files = parsed(blueprint, environment)
    said = [
        (name, port)
        for layer in ("compose.yaml", "compose.production.yaml", "compose.observability.yaml")
        for name, service in files[layer]["services"].items()
        if layer != "compose.production.yaml" or environment != "development"
        for port in service.get("ports", ())
    ]
    taken: dict[int, str] = {}
    for name, port in said:
        outer = re.search(r":-(\d+)(?:-(\d+))?}", port)
        assert outer, port
        for number in range(int(outer[1]), int(outer[2] or outer[1]) + 1):
            assert taken.setdefault(number, name) == name, (number, name)


def test_a_second_instance_has_names_and_ports_of_its_own(tmp_path: Path) -> None:
    folder = write(compose.files(plan_of("assistant", "development")), tmp_path)
    second = {"PATH": "/usr/bin", "HOME": str(tmp_path), "ORCHESTRATOR_PORT": "8100", "COMPOSE_PROJECT_NAME": "second"}
    said = yaml.safe_load(call(from_lock("docker-compose"), "config", cwd=folder, variables=second).stdout)
    assert said["services"]["orchestrator"]["container_name"] == "second_orchestrator"
    assert said["services"]["orchestrator"]["ports"][0]["published"] == "8100"
    assert said["networks"]["default"]["name"] == "second_network"


def test_the_core_holds_no_secret_and_the_overlay_gives_each_to_those_alone_who_read_it() -> None:
    files = parsed("assistant", "development")
    assert not any("secrets" in service for service in files["compose.yaml"]["services"].values())
    given = {name: set(service["secrets"]) for name, service in files["compose.secrets.yaml"]["services"].items()}
    assert given["mcp-example"] == {"MCP_SERVICE_TOKEN"}
    assert given["postgres"] == {"POSTGRES_PASSWORD"}
    assert "frontend" not in given  # it has neither database nor keys
    for name, service in files["compose.yaml"]["services"].items():
        named = {variable for variable in service.get("environment", {}) if variable.endswith("_FILE")}
        if name not in ("postgres", "redis"):
            assert named == {f"{secret}_FILE" for secret in given.get(name, ())}


def test_a_server_keeps_backups_apart_and_sealed() -> None:
    overlay = parsed("answering", "production")["compose.production.yaml"]
    engine = overlay["services"]["conversation-engine"]
    assert engine["volumes"] == ["backups:/var/backups/frontdesk"]
    assert engine["environment"]["BACKUP_FOLDER"] == "/var/backups/frontdesk"
    assert engine["secrets"] == ["BACKUP_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert set(overlay["secrets"]) == set(engine["secrets"])
    assert "volumes" not in overlay["services"]["postgres"]


def test_a_second_place_for_backups_is_a_folder_of_the_machine_that_must_be_there(tmp_path: Path) -> None:
    plan = plan_of("agents", "production")
    remote = plan.system.section(BackupOptions).remote
    services = parsed("agents", "production")["compose.production.yaml"]["services"]
    makers = [running.name for running in plan.services if running.service.role in ("all", "web", "worker")]
    for name in makers:
        assert services[name]["volumes"][1:] == [
            {
                "type": "bind",
                "source": f"${{BACKUP_REMOTE_FOLDER:-{remote}}}",
                "target": remote,  # where the container, whose files cannot be written, is told to put them
                "bind": {"create_host_path": False},
            }
        ]
    folder = write(compose.files(plan), tmp_path)
    assert read_scripts(folder / "secrets.sh") == []
    given = {"PATH": "/usr/bin:/bin", "BACKUP_REMOTE_FOLDER": str(tmp_path / "disk")}
    refused = subprocess.run(["sh", "secrets.sh"], cwd=folder, capture_output=True, text=True, env=given)
    assert refused.returncode == 1
    assert f"{tmp_path}/disk is missing, where backups go, too" in refused.stderr
    (tmp_path / "disk").mkdir()
    assert subprocess.run(["sh", "secrets.sh"], cwd=folder, capture_output=True, env=given).returncode == 0


def test_a_server_publishes_nothing_but_its_edge() -> None:
    for environment in ("staging", "production"):
        files = parsed("conversation", environment)
        assert not any("ports" in service for service in files["compose.yaml"]["services"].values())
        edge = files["compose.production.yaml"]["services"]["edge"]
        assert edge["ports"] == ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"]
    production = parsed("conversation", "production")["compose.production.yaml"]["services"]
    assert production["app"]["deploy"]["replicas"] == 3
    assert all(service["restart"] == "unless-stopped" for service in production.values())
    assert all(service["logging"]["options"]["max-size"] for service in production.values())


def test_machines_are_profiles_and_what_is_not_built_stays_away() -> None:
    plan = plan_of("agents", "development")
    core = parsed("agents", "development")["compose.yaml"]["services"]
    assert core["coordination"]["profiles"] == ["mainpc"]
    assert core["web-interface"]["profiles"] == ["pc2"]
    assert core["vision-gpu"]["profiles"] == [naming.PLANNED]
    assert "COMPOSE_PROFILES=mainpc,pc2" in compose.files(plan)[".env"]
    assert core["web-interface"]["depends_on"]["postgres"]["required"] is False  # it is on the other machine
    assert core["web-interface"]["ports"] == ["127.0.0.1:${WEB_INTERFACE_PORT:-9000}:8000"]


def test_shared_cards_are_bounded_by_mps_where_there_is_no_mig() -> None:
    services = parsed("agents", "production")["compose.gpu.yaml"]["services"]
    speech = services["speech-gpu"]
    assert speech["image"].endswith("-gpu")
    assert speech["environment"]["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] == "15"
    assert speech["environment"]["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=4096M"
    assert speech["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert "compose.gpu.yaml" not in parsed("assistant", "production")


def test_a_pooler_stands_between_where_the_system_has_one() -> None:
    files = compose.files(plan_of("conversation", "production"))
    core = yaml.safe_load(files["compose.yaml"])["services"]
    assert core["app"]["environment"]["DB_HOST"] == "pgbouncer"
    assert core["app"]["depends_on"] == {
        "pooler": {"condition": "service_healthy"},
        "redis": {"condition": "service_healthy"},
    }
    assert core["pooler"]["networks"]["default"]["aliases"] == ["pgbouncer"]
    assert "default_pool_size = 100" in files["pooler/pgbouncer.ini"]


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_queries_in_parallel_have_the_same_room_as_in_a_cluster(blueprint: str, environment: str) -> None:
    server = parsed(blueprint, environment)["compose.yaml"]["services"].get("postgres")
    if server is None:
        return
    sets = [each for each in kubernetes.objects(plan_of(blueprint, environment)) if each["kind"] == "StatefulSet"]
    volumes = [volume for each in sets for volume in _of(each, "spec", "template", "spec")["volumes"]]
    (room,) = {each["emptyDir"]["sizeLimit"] for each in volumes if each["name"] == "shared-memory"}
    assert amount_of_bytes(server["shm_size"].replace("m", "Mi")) == amount_of_bytes(room) >= 2**28
    assert amount_of_bytes(room) < amount_of_bytes(server["deploy"]["resources"]["limits"]["memory"].upper() + "i")


def _of(each: Any, *path: str) -> Any:
    for step in path:
        each = each[step]
    return each


def test_managed_stores_are_somebody_elses() -> None:
    core = parsed("assistant", "production")["compose.yaml"]
    assert set(core["services"]) == {"orchestrator", "frontend", "mcp-example"}
    assert "DATABASE_URL_FILE" in core["services"]["orchestrator"]["environment"]


def test_secrets_are_made_once_and_readable_by_containers_alone(tmp_path: Path) -> None:
    folder = write(compose.files(plan_of("assistant", "development")), tmp_path)
    assert read_scripts(folder / "secrets.sh") == []
    told = _make_secrets(folder)
    kept = {file.name: file.read_text() for file in (folder / "secrets").iterdir()}
    assert "OPENAI_API_KEY is empty" in told
    assert kept["OPENAI_API_KEY"] == ""
    assert _make_secrets(folder) == ""
    assert {file.name: file.read_text() for file in (folder / "secrets").iterdir()} == kept
    made = [value for value in kept.values() if value]
    assert len(set(made)) == len(made) >= 6
    assert all(len(value) == 64 for value in made)
    assert stat.S_IMODE((folder / "secrets").stat().st_mode) == 0o700


def test_a_server_without_a_certificate_is_told_before_its_edge_fails(tmp_path: Path) -> None:
    folder = write(compose.files(plan_of("conversation", "production")), tmp_path)
    assert read_scripts(folder / "secrets.sh") == []
    assert "put the certificate into ./tls/tls.crt and its key into ./tls/tls.key" in _make_secrets(folder)
    write({"tls.crt": "certificate", "tls.key": "key"}, folder / "tls")
    assert "certificate" not in _make_secrets(folder)


def test_nothing_is_started_while_the_address_of_a_store_is_missing(tmp_path: Path) -> None:
    folder = write(compose.files(plan_of("assistant", "production")), tmp_path)
    refused = subprocess.run(["sh", "secrets.sh"], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 1  # and `&& docker compose up` after it does nothing
    assert "./secrets/DATABASE_URL is empty: put the store's address there" in refused.stderr
    for name in ("DATABASE_URL", "REDIS_URL"):
        (folder / "secrets" / name).unlink()
        (folder / "secrets" / name).write_text("address")
    assert "address there" not in _make_secrets(folder)


def _make_secrets(folder: Path) -> str:
    return subprocess.run(["sh", "secrets.sh"], cwd=folder, capture_output=True, text=True, check=True).stderr


def test_trivy_finds_nothing_of_high_severity(tmp_path: Path) -> None:
    for blueprint, environment in (("agents", "development"), ("conversation", "production")):
        write(compose.files(plan_of(blueprint, environment)), tmp_path / blueprint)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nUSER 1000\n")  # trivy says so when it reads nothing at all
    assert read_safety(tmp_path) == []


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_rendering_twice_gives_the_same_bytes(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    assert compose.files(plan) == compose.files(plan)
