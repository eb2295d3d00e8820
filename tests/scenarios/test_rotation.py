"""Keys change while a desk is at work: nobody notices, and the old key opens nothing afterwards."""

import asyncio
import os
import signal
from pathlib import Path

import httpx2
import pytest

from tests.scenarios.processes import FRONTDESK, process

pytestmark = pytest.mark.proves("conversation-12")


async def command(home: Path, *words: str, **variables: str) -> tuple[int, str]:
    """Run `frontdesk` in the home: its exit code and all it said."""
    running = await asyncio.create_subprocess_exec(
        *(FRONTDESK, *words, "--home", home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"], **variables},
    )
    said, _ = await asyncio.wait_for(running.communicate(), 60)
    return await running.wait(), said.decode()


async def test_a_desk_at_work_takes_over_a_new_key_and_the_old_one_is_needed_no_more(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with process(home, variables={"ENCRYPTION_KEY": ""}) as desk, desk.owner() as owner:
        first = [await talk(owner, f"Question {number}") for number in range(5)]
        [old] = (home / "encryption.key").read_text().split()
        assert (home / "encryption.key").stat().st_mode & 0o077 == 0
        code, said = await command(home, "encryption", "rotate", "--new-key")
        assert code == 0, said
        during = await talk(owner, "A question meanwhile")
        for number, conversation_id in enumerate(first):
            assert f"Question {number}" in (await owner.get(f"/api/v1/conversations/{conversation_id}")).text
        code, said = await command(home, "encryption", "rotate")
        assert code == 0, said
        code, said = await command(home, "encryption", "status")
        assert "Everything is sealed with it." in said
        key = home / "encryption.key"
        key.write_text("\n".join(line for line in key.read_text().split() if line != old))
        desk.send(signal.SIGTERM)
        assert await desk.ended() == 0
        await desk.start()
        for number, conversation_id in enumerate([*first, during]):
            shown = (await owner.get(f"/api/v1/conversations/{conversation_id}")).text
            assert (f"Question {number}" if number < 5 else "A question meanwhile") in shown


async def talk(client: httpx2.AsyncClient, text: str) -> str:
    said = await client.post("/api/v1/chat", json={"text": text})
    return str(said.raise_for_status().json()["conversation_id"])


async def test_a_desk_with_another_key_does_not_start_and_says_which_setting_to_mend(tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with process(home, variables={"ENCRYPTION_KEY": "a" * 32}) as desk, desk.owner() as owner:
        await talk(owner, "Hello")
    code, said = await command(home, "encryption", "status", ENCRYPTION_KEY="b" * 32)
    assert code == 2
    assert "ENCRYPTION_KEYS_OLD" in said
    code, said = await command(home, "encryption", "status", ENCRYPTION_KEY="b" * 32, ENCRYPTION_KEYS_OLD="a" * 32)
    assert code == 0
    assert "Next: frontdesk encryption rotate" in said
    code, said = await command(home, "encryption", "rotate", "--new-key", ENCRYPTION_KEY="b" * 32)
    assert (code, "openssl rand -hex 32" in said) == (2, True)
    code, said = await command(home, "encryption", "status", ENCRYPTION_KEY="too short")
    assert (code, "ENCRYPTION_KEY" in said) == (2, True)
    assert "too short" not in said
