"""A real Prometheus reads what is rendered, asks a real desk, and answers what the dashboard asks."""

import asyncio
import json
import math
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import yaml

from frontdesk.render.observability import files, rules
from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described
from frontdesk.testing.desk import served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.upstream import Reply
from tests.servers import die_with_parent, free_port

WITHIN = 60.0  # seconds; two looks a second apart are enough


@pytest.fixture
def prometheus() -> str:
    path = shutil.which("prometheus")
    if path is None:
        pytest.skip("no prometheus: apt-get install --yes prometheus")
    return path


@pytest.fixture(scope="module")
def plan() -> Plan:
    """The assistant, looked at every second."""
    system, problems = described(blueprint_file("assistant"), "development", {"dashboards.scrape_seconds": 1})
    assert system is not None, problems
    return Plan(system)


@pytest.mark.proves("assistant-14")
async def test_the_four_panels_show_data_after_some_traffic(prometheus: str, plan: Plan, tmp_path: Path) -> None:
    found = files(plan)
    (board,) = (json.loads(text) for name, text in found.items() if name.endswith("/ai-assistant.json"))
    asked = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }
    assert len(board["panels"]) == 4
    model = [Reply(status=500, error="once"), Reply(text="At nine.")]
    async with served_desk(tmp_path / "home", model=model) as desk, serve(desk.desk.own_face()) as metrics:
        client = await desk.client()
        await desk.ask(client, "When do you open?")
        async with _running(prometheus, found, urlsplit(metrics).netloc, tmp_path) as at, asyncio.timeout(WITHIN):
            empty = set(asked)
            while empty:
                await (await desk.stranger()).get("/nothing-here")
                empty = {title for title in empty if not await _shown(at, asked[title])}
            states = {alert["name"]: alert for group in await _groups(at) for alert in group["rules"]}
            while any(state["health"] == "unknown" for state in states.values()):
                states = {alert["name"]: alert for group in await _groups(at) for alert in group["rules"]}
    assert {name: state.get("lastError") for name, state in states.items() if state["health"] != "ok"} == {}
    assert {"OrchestratorDown", "TokenBudgetSpent", "ai_conversation_success_rate"} <= set(states)


@asynccontextmanager
async def _running(prometheus: str, found: Any, desk: str, folder: Path) -> AsyncGenerator[httpx2.AsyncClient]:
    """Prometheus with the rendered files, whose orchestrator is `desk`; objectives are looked at once a minute and are
    left out."""
    port = free_port()
    read = yaml.safe_load(found["prometheus/prometheus.yml"])
    for job in read["scrape_configs"]:
        if job["job_name"] == "orchestrator":
            job["static_configs"] = [{"targets": [desk]}]
    for name in (rules.ALERTS, rules.DERIVED):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(found[name])
    (folder / "prometheus/prometheus.yml").write_text(yaml.safe_dump(read))
    process = _start(prometheus, port, folder)
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            async with asyncio.timeout(WITHIN):
                while not await _ready(client):
                    assert process.poll() is None, (folder / "log").read_text()[-2000:]
                    await asyncio.sleep(0.05)  # it tells nobody when it is ready, so there is no event to wait for
            yield client
    finally:
        process.terminate()
        process.wait(10)


def _start(prometheus: str, port: int, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [
                prometheus,
                f"--config.file={folder}/prometheus/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent if sys.platform == "linux" else None,
        )


async def _ready(client: httpx2.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).status_code == 200
    except httpx2.TransportError:
        return False


async def _shown(client: httpx2.AsyncClient, expression: str) -> bool:
    """Whether it has a line with a number now."""
    answer = (await client.get("/api/v1/query", params={"query": expression})).json()
    assert answer["status"] == "success", answer
    return any(math.isfinite(float(each["value"][1])) for each in answer["data"]["result"])


async def _groups(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return (await client.get("/api/v1/rules")).json()["data"]["groups"]
