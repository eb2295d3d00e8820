"""The scripts within rendered objects do what they are for, run as containers run them."""

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.render.cluster import named, objects_of
from tests.servers import PostgresServer

PASSWORD = 'it\'s "quoted" $HOME'


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def wait_for(*needed: tuple[str, int], patience: float) -> subprocess.CompletedProcess[str]:
    spec = named(objects_of("engagement", "production"), "Deployment", "ai-orchestration")["spec"]["template"]["spec"]
    (container,) = spec["initContainers"]
    python, *rest = container["command"]
    assert python == "python"
    environment = {**os.environ, "NEEDED": json.dumps(needed), "PATIENCE": str(patience)}
    return subprocess.run([sys.executable, *rest], env=environment, capture_output=True, text=True, timeout=60)


def test_waiting_ends_when_everything_answers(listener: int) -> None:
    assert wait_for(("127.0.0.1", listener), patience=30).returncode == 0


def test_a_connection_that_is_ended_at_once_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mesh:
        port = mesh.getsockname()[1]

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    mesh.accept()[0].close()

        refusing = threading.Thread(target=refuse, daemon=True)
        refusing.start()
        ran = wait_for(("127.0.0.1", port), patience=0.2)
        mesh.shutdown(socket.SHUT_RDWR)
    refusing.join(10)
    assert ran.returncode == 1
    assert "the connection was ended at once" in ran.stdout


def test_waiting_has_an_end_and_names_what_is_missing(listener: int) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        ran = wait_for(("127.0.0.1", listener), ("127.0.0.1", port), patience=0.2)
    assert ran.returncode == 1
    assert ran.stderr == f"127.0.0.1:{port} does not answer\n"


def test_a_pod_waits_for_what_it_needs_by_its_name_and_port() -> None:
    spec = named(objects_of("answering", "production"), "Deployment", "phone-gateway")["spec"]["template"]["spec"]
    (container,) = spec["initContainers"]
    needed = {tuple(each) for each in json.loads(container["env"][0]["value"])}
    assert needed == {
        *(("pgbouncer", 6432), ("redis-service", 6379), ("smart-whitelist", 3006)),
        *(("user-management", 3005), ("realtime-processor", 3002)),
    }


def test_the_pooler_has_a_file_for_each_connection_and_its_users_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    spec = named(objects_of("conversation", "production"), "Deployment", "pgbouncer")["spec"]["template"]["spec"]
    *shell, script = spec["containers"][0]["command"]
    (tmp_path / "POSTGRES_PASSWORD").write_text("a password")
    program = tmp_path / "pgbouncer"
    program.write_text('#!/bin/sh\nulimit -n\necho "$1"\n')
    program.chmod(0o755)
    ran = subprocess.run(
        [*shell, script.replace("/run/secrets", str(tmp_path)).replace("/tmp/userlist", f"{tmp_path}/userlist")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096)),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.split() == ["4096", "/etc/pgbouncer/pgbouncer.ini"]
    users = tmp_path / "userlist.txt"
    assert users.read_text() == '"ai_conversation_user" "a password"\n'
    assert users.stat().st_mode & 0o077 == 0


@pytest.fixture
def primary() -> Iterator[PostgresServer]:
    """A primary with the access file and the settings of the rendered one."""
    server = PostgresServer(connections=40)
    files = named(objects_of("conversation", "production"), "ConfigMap", "postgres-primary-config")["data"]
    (server.data / "pg_hba.conf").write_text(
        "local all all trust\nhost all postgres all trust\n" + files["pg_hba.conf"]
    )
    with (server.data / "postgresql.auto.conf").open("a") as settings:
        settings.write("max_slot_wal_keep_size = '1024MB'\npassword_encryption = 'scram-sha-256'\n")
    server.start()
    try:
        yield server
    finally:
        server.remove()


def test_a_copy_streams_from_its_primary_and_a_second_start_changes_nothing(
    primary: PostgresServer, tmp_path: Path
) -> None:
    files = named(objects_of("conversation", "production"), "ConfigMap", "postgres-primary-config")["data"]
    folder = primary.data.parent / "copy"
    folder.mkdir()
    secret = folder / "DB_REPLICATION_PASSWORD"
    secret.write_text(PASSWORD)
    account = primary.data.stat()
    shutil.chown(folder, account.st_uid, account.st_gid)
    os.chown(secret, account.st_uid, account.st_gid)
    environment = {
        "PATH": f"{primary.binaries}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", ""),
        "HOSTNAME": "postgres-replica-0",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(primary.port),
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "postgres",
        "REPLICATION_USER": "replicator",
        "REPLICATION_PASSWORD_FILE": str(secret),
        "PRIMARY_HOST": "127.0.0.1",
        "PRIMARY_PORT": str(primary.port),
        "PGDATA": str(folder / "pgdata"),
    }

    def run(script: str) -> subprocess.CompletedProcess[str]:
        text = files[script].replace("/run/secrets/DB_REPLICATION_PASSWORD", str(secret))
        return subprocess.run(
            ["bash", "-c", text],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            user=account.st_uid,
        )

    made = run("10-replicator.sh")
    assert made.returncode == 0, made.stderr
    copied = run("copy.sh")
    assert copied.returncode == 0, copied.stderr
    said = (folder / "pgdata" / "postgresql.auto.conf").read_text()
    assert "replica_0" in said
    assert (folder / "pgdata" / "standby.signal").is_file()
    mark = folder / "pgdata" / "mark"
    mark.write_text("of the first copy")
    assert run("copy.sh").returncode == 0
    assert mark.is_file()

    (folder / "pgdata" / "PG_VERSION").unlink()  # as a copy that was cut off, whose slot is there already
    shutil.rmtree(folder / "pgdata")
    again = run("copy.sh")
    assert again.returncode == 0, again.stderr
    assert (folder / "pgdata" / "PG_VERSION").is_file()


def test_a_wrong_password_makes_no_copy(primary: PostgresServer) -> None:
    files = named(objects_of("conversation", "production"), "ConfigMap", "postgres-primary-config")["data"]
    folder = primary.data.parent / "copy"
    folder.mkdir()
    secret = folder / "password"
    secret.write_text("wrong")
    account = primary.data.stat()
    os.chown(folder, account.st_uid, account.st_gid)
    os.chown(secret, account.st_uid, account.st_gid)
    ran = subprocess.run(
        ["bash", "-c", files["copy.sh"]],
        env={
            "PATH": f"{primary.binaries}:{os.environ['PATH']}",
            "HOSTNAME": "postgres-replica-0",
            "REPLICATION_USER": "replicator",
            "REPLICATION_PASSWORD_FILE": str(secret),
            "PRIMARY_HOST": "127.0.0.1",
            "PRIMARY_PORT": str(primary.port),
            "PGDATA": str(folder / "pgdata"),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        user=account.st_uid,
    )
    assert ran.returncode != 0
    assert "authentication failed" in ran.stderr
    assert not (folder / "pgdata").exists()
