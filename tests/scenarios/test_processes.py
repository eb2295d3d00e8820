"""The assistant as several processes on one machine, with its stores, as `frontdesk up --processes` starts it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest
import yaml

from frontdesk.operate.ports import free_port
from frontdesk.operate.running.ending import end
from frontdesk.operate.running.state import Instance, Process, folder_of, instances
from frontdesk.system.home import blueprint_file
from tests.servers import PostgresServer

PATIENCE = 240.0  # seconds: three servers and three processes, on a busy machine
LEAN = {"knowledge": {"own_documentation": False, "embedder": {"kind": "none"}}, "models": {"order": ["quote"]}}


@pytest.fixture
def home(postgres: PostgresServer) -> Generator[Path]:
    """A home that PostgreSQL's user may reach where tests run as root; `postgres` opened the way to its programs."""
    with tempfile.TemporaryDirectory(prefix="frontdesk-processes-") as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        home.mkdir()
        blueprint = yaml.safe_load(blueprint_file("assistant").read_text())
        services = {key: described | {"port": free_port()} for key, described in blueprint["services"].items()}
        stores = {"postgres": {"port": free_port()}, "redis": {"port": free_port()}}
        described = {**LEAN, "services": services, "stores": stores, "outside": blueprint["outside"]}
        (home / "system.yaml").write_text(yaml.safe_dump(described))
        yield home
        for instance in instances(home):
            end(instance, folder_of(home, instance.name), print)


def by_name(home: Path) -> dict[str, Process]:
    (instance,) = instances(home)
    return {process.name: process for process in instance.processes}


@pytest.mark.proves("assistant-1")
async def test_one_command_starts_the_desk_its_pages_its_tools_and_their_stores(home: Path) -> None:
    environment = {**os.environ, "FRONTDESK_HOME": str(home)}
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "frontdesk.cli", "up", "--processes", "--detach"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stages = re.findall(r"^Stage \d+: (.*)$", done.stderr, re.MULTILINE)
    assert [set(stage.split(", ")) for stage in stages] == [
        {"postgres", "valkey"},
        {"orchestrator", "mcp_example"},
        {"frontend"},
    ]
    (instance,) = instances(home)
    async with asyncio.timeout(PATIENCE), httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        await _answers_through_its_pages(client, instance, done.stdout)
        await _is_not_ready_without_its_stores(client, instance, home)


async def _answers_through_its_pages(client: httpx2.AsyncClient, instance: Instance, panel: str) -> None:
    """A person comes in by the link, through the pages, and a question is answered; the tools list theirs."""
    page = instance.address
    assert "text/html" in (await client.get(f"{page}/")).headers["content-type"]
    token = panel.partition("#token=")[2].split()[0]
    own = {"X-Frontdesk": "1", "Origin": page}
    (await client.post(f"{page}/api/v1/auth/link", json={"token": token}, headers=own)).raise_for_status()
    asked = {"text": "When are you open?"}
    accept = own | {"Accept": "text/event-stream"}
    async with client.stream("POST", f"{page}/api/v1/chat", json=asked, headers=accept) as answer:
        assert answer.status_code == 200
        events = [line async for line in answer.aiter_lines() if line.startswith("event: ")]
    assert events[-1] == "event: turn.finished"
    (tools,) = (process for process in instance.processes if process.role == "tools")
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    both = {"Accept": "application/json, text/event-stream"}
    listed = await client.post(f"{tools.addresses[0]}/mcp", json=body, headers=both)
    assert listed.status_code < 500
    ready = (await client.get(f"{tools.addresses[0]}/ready")).json()
    assert ready["status"] == "ready"


async def _is_not_ready_without_its_stores(client: httpx2.AsyncClient, instance: Instance, home: Path) -> None:
    """While Valkey is held, /ready is 503 and names it. PostgreSQL, killed, is begun anew, and all is well again."""
    ready = f"{by_name(home)['orchestrator'].addresses[0]}/ready"
    assert (await client.get(ready)).json()["checks"]["database"] == "ok"
    cache = by_name(home)["valkey"].process
    assert cache is not None
    os.kill(cache.pid, signal.SIGSTOP)
    try:
        away = await client.get(ready)
        assert (away.status_code, away.json()["checks"]["database"]) == (503, "ok")
        assert away.json()["checks"]["redis"] != "ok"
    finally:
        os.kill(cache.pid, signal.SIGCONT)
    store = by_name(home)["postgres"].process
    assert store is not None
    os.kill(store.pid, signal.SIGKILL)
    while by_name(home)["postgres"].restarts == 0 or by_name(home)["postgres"].state != "ready":  # noqa: ASYNC110 another process writes it
        await asyncio.sleep(0.05)
    while (await client.get(ready)).status_code != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    assert (await client.get(f"{instance.address}/ready")).status_code == 200
    told = json.loads(await _command(home, "status", "--json"))
    assert told["ok"] is True
    assert "PostgreSQL" in told["instances"]["desk"]["stores"]["database"]


async def _command(home: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "FRONTDESK_HOME": str(home)},
    )
    data, _ = await process.communicate()
    return data.decode()
