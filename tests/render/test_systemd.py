"""Units: systemd reads them, and they hold what bare hosts need."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from frontdesk.render import systemd
from frontdesk.render.observability import prometheus
from frontdesk.render.places import machines
from tests.render.blueprints import ALL, plan_of, write
from tests.render.reading.hosts import read_scripts, read_units


def values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_systemd_and_the_shell_are_content(blueprint: str, environment: str, tmp_path: Path) -> None:
    folder = write(systemd.files(plan_of(blueprint, environment)), tmp_path)
    units = sorted({file.parent for file in folder.rglob("*.target")})
    assert len(units) == (2 if blueprint == "agents" else 1)
    assert [complaint for each in units for complaint in read_units(each)] == []
    assert read_scripts(*folder.rglob("*.sh")) == []


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_every_service_has_a_unit_on_its_host_and_only_what_can_run_is_wanted(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    files = systemd.files(plan)
    units = {name for name in files if name.endswith(".service") and "nvidia" not in name}
    assert len(units - {f"units/{plan.name}-pooler.service"}) == len(plan.services)
    for machine in machines(plan):
        prefix = f"{machine.name}/" if machine.name else ""
        wanted = values(files[f"{prefix}units/{plan.name}.target"], "Wants")
        pooler = ["pooler"] if f"{prefix}pgbouncer.ini" in files else []
        built = [each.name for each in machine.services if each.service.built]
        assert wanted == [f"{plan.name}-{name}.service" for name in pooler + built]
        assert {f"{prefix}units/{name}" for name in wanted} <= units


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_secrets_are_credentials_and_stand_in_no_file(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    files = systemd.files(plan)
    for running in plan.services:
        (unit,) = (text for name, text in files.items() if name.endswith(f"/{plan.name}-{running.name}.service"))
        given = [each.partition(":")[0] for each in values(unit, "LoadCredential")]
        assert given[: len(running.secrets)] == list(running.secrets)
        assert set(given) - set(running.secrets) <= {"BACKUP_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        assert [each for each in values(unit, "Environment") if "_FILE=%d/" in each] == [
            f"{name}_FILE=%d/{name}" for name in given
        ]
        (said,) = (text for name, text in files.items() if name.endswith(f"environment/{running.name}.env"))
        assert not any(line.startswith(f"{name}=") for line in said.splitlines() for name in running.secrets)
        assert int(values(unit, "TimeoutStopSec")[0]) > running.service.stopping.drain
        assert values(unit, "NoNewPrivileges") == values(unit, "LockPersonality") == ["yes"]
        assert values(unit, "ProtectSystem") == ["strict"]


def test_units_are_as_confined_as_systemd_itself_counts(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install --yes systemd")
    folder = write(systemd.files(plan_of("assistant", "production")), tmp_path)
    for unit in (folder / "units").glob("*.service"):
        command = ("systemd-analyze", "security", "--offline=true", "--threshold=25", unit)
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout[-300:]  # exposure at most 2.5 of 10


def test_a_service_starts_when_what_it_needs_answers() -> None:
    files = systemd.files(plan_of("agents", "production"))
    pages = files["pc2/units/ai-system-web-interface.service"]
    assert values(pages, "ExecStartPre") == [
        "/bin/sh -c 'until /opt/frontdesk/bin/frontdesk probe --quiet tcp://mainpc.internal:5432; do sleep 1; done'",
        "/bin/sh -c 'until /opt/frontdesk/bin/frontdesk probe --quiet tcp://mainpc.internal:6379; do sleep 1; done'",
    ]
    assert "ai-system-async-pipeline.service" in values(pages, "After")
    assert "http://127.0.0.1:8000/ready" in values(pages, "ExecStartPost")[0]
    assert values(pages, "ExecStart") == ["/opt/frontdesk/bin/frontdesk up --service web_interface"]


def test_addresses_are_those_of_the_hosts() -> None:
    files = systemd.files(plan_of("agents", "production"))
    there = files["pc2/environment/web-interface.env"]
    here = files["mainpc/environment/coordination.env"]
    assert 'DB_HOST="mainpc.internal"' in there
    assert 'REDIS_URL="redis://mainpc.internal:6379/0"' in there
    assert 'DB_HOST="127.0.0.1"' in here
    assert 'MCP_DISCOVERY_URLS="http://127.0.0.1:7200"' in here
    assert 'HOST="0.0.0.0"' in files["mainpc/environment/infra-core.env"]  # the other host's calls it
    assert 'HOST="127.0.0.1"' in systemd.files(plan_of("assistant", "production"))["environment/orchestrator.env"]


def variables(text: str) -> dict[str, str]:
    return dict(re.findall(r'^(\w+)="(.*)"$', text, re.MULTILINE))


def test_a_stores_name_is_an_address_where_an_address_stands_and_nowhere_else() -> None:
    said = variables(systemd.files(plan_of("assistant", "development"))["environment/orchestrator.env"])
    assert said["DB_USER"] == "postgres"  # which is the server's name, too
    assert (said["DB_HOST"], said["REDIS_URL"]) == ("127.0.0.1", "redis://127.0.0.1:6379/0")


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
def test_prometheus_finds_every_service_where_it_listens(blueprint: str, environment: str) -> None:
    plan = plan_of(blueprint, environment)
    files, listens = systemd.files(plan), dict[str, str]()
    for machine in machines(plan):
        prefix = f"{machine.name}/" if machine.name else ""
        for running in machine.services:
            said = variables(files[f"{prefix}environment/{running.name}.env"])
            seen = "localhost" if said["HOST"] == "127.0.0.1" else plan.hosts[machine.name].address
            start = values(files[f"{prefix}units/{plan.name}-{running.name}.service"], "ExecStart")[0]
            moved = re.search(r"--metrics-port (\d+)", start)
            own = plan.service(running.key).service
            listens[running.name] = f"{seen}:{moved[1] if moved else own.metrics_port or own.port}"
        ports = [each.service.metrics_port for each in machine.services if each.service.metrics_port]
        assert len(set(ports)) == len(ports)  # of one host
    read = yaml.safe_load(prometheus.files(plan)["prometheus/prometheus.hosts.yml"])
    asked = {job["job_name"]: job["static_configs"][0]["targets"][0] for job in read["scrape_configs"]}
    built = {running.name for running in plan.services if running.service.built}
    assert {name: asked[name] for name in built} == {name: listens[name] for name in built}


def test_a_pooler_stands_between_on_a_bare_host_too() -> None:
    files = systemd.files(plan_of("conversation", "production"))
    app = files["units/ai-conversation-app.service"]
    assert "tcp://127.0.0.1:6432" in values(app, "ExecStartPre")[0]
    assert "ai-conversation-pooler.service" in values(app, "After")
    assert variables(files["environment/app.env"])["DB_PORT"] == "6432"
    assert "listen_addr = 127.0.0.1\n" in files["pgbouncer.ini"]
    assert "ai_conversation = host=127.0.0.1 port=5432" in files["pgbouncer.ini"]


def test_backups_of_a_host_lie_together_under_one_key_whoever_makes_them() -> None:
    files = systemd.files(plan_of("agents", "production"))
    for name in ("infra-core", "language-stack"):
        assert variables(files[f"mainpc/environment/{name}.env"])["BACKUP_FOLDER"] == "/var/backups/ai-system"
        unit = files[f"mainpc/units/ai-system-{name}.service"]
        assert values(unit, "ReadWritePaths") == [
            "/var/backups/ai-system",
            "-/mnt/backups/ai-system",
        ]  # the second place
        assert "BACKUP_KEY_FILE=%d/BACKUP_KEY" in values(unit, "Environment")
    tools = files["mainpc/units/ai-system-utility-cpu.service"]
    assert "BACKUP_KEY" not in tools + files["mainpc/environment/utility-cpu.env"]
    assert "-o frontdesk -g frontdesk /var/backups/ai-system" in files["mainpc/install.sh"]


def test_the_proxy_of_the_host_is_believed_and_no_cluster_address_is_asked() -> None:
    said = variables(systemd.files(plan_of("assistant", "production"))["environment/orchestrator.env"])
    assert said["TRUSTED_PROXIES"] == "127.0.0.1,::1"
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" not in said  # nothing of that name is there


def test_cards_are_shared_by_mps_where_they_have_no_mig() -> None:
    files = systemd.files(plan_of("agents", "production"))
    assert "nvidia-cuda-mps-control -d" in files["mainpc/units/nvidia-mps.service"]
    assert "RTX 4090 has no MIG" in files["mainpc/units/nvidia-mps.service"]
    reasoning = files["mainpc/units/ai-system-reasoning-gpu.service"]
    assert values(reasoning, "Requires") == ["nvidia-mps.service"]
    assert "PrivateDevices" not in reasoning
    said = files["mainpc/environment/reasoning-gpu.env"]
    assert 'CUDA_MPS_ACTIVE_THREAD_PERCENTAGE="45"' in said
    assert 'CUDA_MPS_PINNED_DEVICE_MEM_LIMIT="0=9216M"' in said
    assert not any("mig" in name for name in files)


def test_rendering_twice_gives_the_same_bytes() -> None:
    for blueprint, environment in ALL:
        plan = plan_of(blueprint, environment)
        assert systemd.files(plan) == systemd.files(plan)
