"""The talk that decides about a run: content with a desk that keeps its promises, and not with one that does not."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from frontdesk.messages import Role
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.dialogue import STEPS
from frontdesk.testing.upstream import Received, Reply


@asynccontextmanager
async def desk(home: Path, reply: Reply, settings: Mapping[str, object] | None = None) -> AsyncGenerator[ServedDesk]:
    def answer(_: Received) -> Reply:
        return reply

    async with served_desk(home, model=answer, settings=settings) as served:
        yield served


async def talk(served: ServedDesk, key: str | None = None) -> tuple[int, list[str]]:
    """The exit code and what was said."""
    owner = await served.client(Role.OWNER, "Olga")
    if key is None:
        made = await owner.post("/api/v1/keys", json={"name": "tests", "scopes": ["chat", "tools"]})
        key = str(made.raise_for_status().json()["key"])
    command = (sys.executable, "-m", "frontdesk.testing.dialogue", served.address)
    process = await asyncio.create_subprocess_exec(
        *command, env={"FRONTDESK_KEY": key}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode().splitlines()


async def test_a_desk_that_answers_is_taken(tmp_path: Path) -> None:
    async with desk(tmp_path, Reply(text="At nine.")) as served:
        code, said = await talk(served)
    assert code == 0, said
    assert [line.partition("  (")[0] for line in said] == [f"ok    {name}" for name in STEPS]


@pytest.mark.proves("agents-17")
async def test_one_turn_that_fails_fails_the_run(tmp_path: Path) -> None:
    few = {"gate.rate_limit_enabled": True, "gate.rate_limit_per_minute": 2}  # so its third turn is refused
    async with desk(tmp_path, Reply(text="At nine."), few) as served:
        code, said = await talk(served)
    assert code == 1
    failed = [line for line in said if line.startswith("FAIL")]
    assert any("answers turn by turn" in line for line in failed)
    assert any(line.startswith("ok    it becomes ready") for line in said)


async def test_tools_that_are_away_fail_the_run(tmp_path: Path) -> None:
    nowhere = {"tools.discovery_urls": ["http://127.0.0.1:9"]}
    async with desk(tmp_path, Reply(text="At nine."), nowhere) as served:
        code, said = await talk(served)
    assert code == 1
    assert [line.partition(":")[0] for line in said if line.startswith("FAIL")] == ["FAIL  its tools are found"]


async def test_a_key_that_nobody_gave_fails_the_run(tmp_path: Path) -> None:
    async with desk(tmp_path, Reply(text="At nine.")) as served:
        code, said = await talk(served, key="fd_wrong")
    assert code == 1
    assert any("401" in line for line in said)


def test_without_an_address_it_says_how_it_is_called() -> None:
    ran = subprocess.run([sys.executable, "-m", "frontdesk.testing.dialogue"], capture_output=True, text=True)
    assert ran.returncode == 2
    assert "FRONTDESK_KEY" in ran.stderr
