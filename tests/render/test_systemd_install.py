"""What is done on a bare host by root, played through: files go to a folder of the test, and programs that would change
the machine only write down how they were called. PostgreSQL is real."""

import asyncio
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest

from frontdesk.render import systemd
from tests.operate.postgres import strict_postgres
from tests.render.blueprints import plan_of, write
from tests.servers import PostgresServer, _binaries  # pyright: ignore[reportPrivateUsage]

INSTALLED = "#!/bin/sh\necho frontdesk 0.1.0\n"
PASSWORD = "0123456789abcdef"
STAND_INS = {  # what each does in its place, once it has written down its words
    "systemctl": "",
    "id": '[ "$1" = -u ] && echo 0',
    "useradd": "",
    "chown": "",
    "install": (  # whose files they are is for root to say
        'for word; do case $word in -o|-g|frontdesk) ;; *) set -- "$@" "$word";; esac; shift; done; '
        'exec /usr/bin/install "$@"'
    ),
    "pgbouncer": "",
    "runuser": 'shift 3; PGHOST=127.0.0.1 PGUSER=postgres exec "$@"',
}


class Host:
    """A bare host of a blueprint, with PostgreSQL and Valkey of its distribution; everything under one folder."""

    def __init__(self, folder: Path, blueprint: str, environment: str, machine: str = "") -> None:
        self.root, self.files = folder / "root", folder / "files" / machine
        write(systemd.files(plan_of(blueprint, environment)), folder / "files")
        for script in self.files.glob("*.sh"):
            moved = script.read_text()
            for place in ("/etc/", "/opt/", "/var/"):
                moved = moved.replace(place, f"{self.root}{place}")
            script.write_text(moved)
        self.programs = folder / "programs"
        (self.root / "etc/systemd/system").mkdir(parents=True)
        write({"opt/frontdesk/bin/frontdesk": INSTALLED, "etc/valkey/valkey.conf": "port 6379\n"}, self.root)
        (self.root / "opt/frontdesk/bin/frontdesk").chmod(0o755)
        for name, does in STAND_INS.items():
            write({name: f'#!/bin/sh\necho "{name} $*" >>"$CALLS"\n{does}\n'}, self.programs)
            (self.programs / name).chmod(0o755)
        self._calls = folder / "calls"
        self.said = ""  # for people, when a script ran last

    def run(self, script: str) -> list[str]:
        """What systemd was told meanwhile."""
        self._calls.write_text("")
        path = f"{self.programs}:{_binaries()}:/usr/bin:/bin"
        ran = subprocess.run(
            ["sh", str(self.files / script)],
            env={"PATH": path, "CALLS": str(self._calls)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        self.said = ran.stderr
        return [call.removeprefix("systemctl ") for call in self._calls.read_text().splitlines() if "systemctl" in call]


def restarted(calls: list[str]) -> list[str]:
    """The units that were started anew."""
    return [unit for call in calls if call.startswith("try-restart ") for unit in call.split()[1:]]


def test_installing_again_starts_anew_what_changed_and_nothing_else(tmp_path: Path) -> None:
    host = Host(tmp_path, "assistant", "production")  # whose stores are somebody else's
    with pytest.raises(AssertionError, match=r"put the store's address into .*/secrets/DATABASE_URL"):
        host.run("install.sh")
    write(dict.fromkeys(("DATABASE_URL", "REDIS_URL"), "address"), host.root / "etc/ai-assistant/secrets")
    assert "start ai-assistant.target" in host.run("install.sh")
    kept = {file: file.read_text() for file in (host.root / "etc/ai-assistant/secrets").iterdir()}
    assert restarted(host.run("install.sh")) == []
    assert {file: file.read_text() for file in kept} == kept
    frontend = host.files / "environment/frontend.env"
    frontend.write_text(frontend.read_text() + 'LOG_LEVEL="DEBUG"\n')
    assert restarted(host.run("install.sh")) == ["ai-assistant-frontend.service"]
    assert (host.root / "etc/ai-assistant/environment/frontend.env").read_text() == frontend.read_text()
    (host.files / "system.yaml").write_text("blueprint: assistant\n")
    everything = {f"ai-assistant-{name}.service" for name in ("orchestrator", "frontend", "mcp-example")}
    assert set(restarted(host.run("install.sh"))) == everything


def test_secrets_of_several_hosts_are_asked_for_and_not_made(tmp_path: Path) -> None:
    host = Host(tmp_path, "agents", "production", "pc2")
    with pytest.raises(AssertionError, match="put the same POSTGRES_PASSWORD"):
        host.run("install.sh")


def test_a_second_place_for_backups_that_is_missing_is_named_and_made_by_nobody(tmp_path: Path) -> None:
    host = Host(tmp_path, "agents", "production", "pc2")
    script = host.files / "install.sh"
    script.write_text(script.read_text().replace("/mnt/backups", f"{tmp_path}/disk"))
    binding = plan_of("agents", "production").secrets
    names = [*binding, "BACKUP_KEY", "REDIS_PASSWORD", "POSTGRES_PASSWORD"]
    write(dict.fromkeys(names, "secret"), host.root / "etc/ai-system/secrets")
    assert "start ai-system.target" in host.run("install.sh")
    assert f"{tmp_path}/disk/ai-system is missing, where backups go, too" in host.said
    assert not (tmp_path / "disk").exists()
    (tmp_path / "disk/ai-system").mkdir(parents=True)
    host.run("install.sh")
    assert "is missing" not in host.said


@pytest.fixture
def server() -> "PostgresServer":  # type: ignore[misc]
    """PostgreSQL that checks passwords."""
    with strict_postgres() as running:
        yield running  # pyright: ignore[reportReturnType]


def prepared(host: Host, name: str, server: PostgresServer) -> None:
    """The secrets are there, and PostgreSQL listens where the test's does."""
    for secret in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        write({secret: PASSWORD}, host.root / f"etc/{name}/secrets")
    script = host.files / "stores.sh"
    script.write_text(script.read_text().replace("--port 5432", f"--port {server.port}"))


async def seen(server: PostgresServer, user: str, database: str) -> dict[str, str]:
    """What the server's own settings file says, read by the system's user with its password."""
    connection = await asyncpg.connect(
        host="127.0.0.1", port=server.port, user=user, password=PASSWORD, database=database
    )
    await connection.close()
    connection = await asyncpg.connect(server.url("postgres"))
    try:
        rows = await connection.fetch("SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'")
        return {row["name"]: row["setting"] for row in rows}
    finally:
        await connection.close()


def test_the_database_and_its_user_are_made_with_the_secret_and_the_settings_of_the_file(
    tmp_path: Path, server: PostgresServer
) -> None:
    host = Host(tmp_path, "conversation", "production")
    prepared(host, "ai-conversation", server)
    first, second = host.run("stores.sh"), host.run("stores.sh")
    assert "restart postgresql" in first  # max_connections is taken at a start
    assert first.count("restart valkey-server") == 1
    assert "restart valkey-server" not in second
    assert "disable --quiet --now pgbouncer" in first  # its port is the system's own pooler's
    said = asyncio.run(seen(server, "ai_conversation_user", "ai_conversation"))
    assert said["max_connections"] == "120"
    assert "shared_buffers" not in said  # it followed from a container's bounds
    redis = host.root / "etc/valkey/ai-conversation-redis.conf"
    assert f'requirepass "{PASSWORD}"\n' in redis.read_text()
    assert "maxmemory-policy noeviction\n" in redis.read_text()
    assert stat.S_IMODE(redis.stat().st_mode) == 0o640
    assert (host.root / "etc/valkey/valkey.conf").read_text().count(f"include {redis}\n") == 1


def test_stores_that_other_hosts_need_listen_to_them_and_want_the_password(
    tmp_path: Path, server: PostgresServer
) -> None:
    host = Host(tmp_path, "agents", "production", "mainpc")
    prepared(host, "ai-system", server)
    host.run("stores.sh")
    host.run("stores.sh")
    assert asyncio.run(seen(server, "frontdesk", "ai_system"))["listen_addresses"] == "*"
    rules = (server.data / "pg_hba.conf").read_text().splitlines()
    assert rules.count("host ai_system frontdesk samenet scram-sha-256") == 1
    assert "bind * -::*\n" in (host.root / "etc/valkey/ai-system-redis.conf").read_text()


def test_no_password_stands_among_the_words_of_a_program(tmp_path: Path, server: PostgresServer) -> None:
    host = Host(tmp_path, "engagement", "production")
    prepared(host, "ai-orchestration", server)
    host.run("stores.sh")
    assert PASSWORD not in (tmp_path / "calls").read_text()
    assert asyncio.run(seen(server, "postgres", "userwhisperer"))["log_min_duration_statement"] == "1000"


def test_the_host_without_a_store_sets_none_up(tmp_path: Path) -> None:
    assert not (Host(tmp_path, "agents", "production", "pc2").files / "stores.sh").exists()
