"""A whole desk whose n-th commit or query fails, for n = 1, 2, …"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import StoreUnavailable
from frontdesk.store.database import Database
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.desk import PATIENCE, served_desk
from frontdesk.testing.upstream import Reply

ANSWER = "We open at nine and close at five."


class Faults:
    """Counts the commits and queries of `database`, and lets one of them fail."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._at = 0
        commit, read = database.commit, database.read

        async def failing_commit(work: Any) -> Any:
            self._step()
            return await commit(work)

        @asynccontextmanager
        async def failing_read() -> AsyncGenerator[AsyncConnection]:
            self._step()
            async with read() as connection:
                yield connection

        monkeypatch.setattr(database, "commit", failing_commit)
        monkeypatch.setattr(database, "read", failing_read)

    def arm(self, at: int) -> None:
        """From now on let call number `at` fail; 0: none."""
        self.count, self._at = 0, at

    @property
    def happened(self) -> bool:
        return 0 < self._at <= self.count

    def _step(self) -> None:
        self.count += 1
        if self.count == self._at:
            raise StoreUnavailable("The test says so")


async def asked(client: httpx2.AsyncClient, clock: FakeClock, key: str) -> dict[str, Any]:
    """The answer's message, as a client gets it that asks with one key until it has it, while time passes."""

    async def ask() -> dict[str, Any]:
        while True:
            answer = await client.post("/api/v1/chat", json={"text": "When?"}, headers={"Idempotency-Key": key})
            if answer.status_code == 200 and answer.json()["message"]["state"] == "complete":
                return answer.json()
            assert answer.status_code in (200, 500, 503), answer.text

    asking = asyncio.create_task(ask())
    async with asyncio.timeout(PATIENCE):
        while not (await asyncio.wait({asking}, timeout=0.02))[0]:
            clock.advance(2)  # leases run out, sweepers look
    return asking.result()


@pytest.mark.proves("promise-6")
async def test_whichever_call_of_the_database_fails_the_message_has_one_answer(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, size: Callable[[int, int], int]
) -> None:
    async with served_desk(tmp_path, model=[Reply(text=ANSWER)], clock=clock) as served:
        ann = await served.client()
        faults = Faults(served.desk.store.database, monkeypatch)
        step = 0
        while True:
            step += size(2, 1)
            faults.arm(step)
            message = await asked(ann, clock, f"key-{step}")
            happened = faults.happened
            faults.arm(0)
            assert message["message"]["text"] == ANSWER, step
            whole = (await ann.get(f"/api/v1/conversations/{message['conversation_id']}")).json()["messages"]
            assert [(each["role"], each["text"]) for each in whole] == [("user", "When?"), ("assistant", ANSWER)], step
            if not happened:
                break
        assert step > 10
