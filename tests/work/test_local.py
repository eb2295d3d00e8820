"""Rows run in this process, those of others told to them, sweeps and drains."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from frontdesk.testing.clock import FakeClock
from frontdesk.work.kinds import Kind
from frontdesk.work.local import LocalWork

PATIENCE = 30


class Bell:
    """Hears what is told to the others."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, str]] = []
        self.backlog = 7

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))


async def nothing() -> list[str]:
    return []


def kind(
    run: Callable[[str], Awaitable[None]], sweep: Callable[[], Awaitable[list[str]]] = nothing, parallel: int = 4
) -> Kind:
    return Kind(name="turn", queue="ml", run=run, sweep=sweep, parallel=parallel)


async def test_no_more_rows_run_at_once_than_there_are_places(clock: FakeClock) -> None:
    running = most = 0

    async def run(_: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    work = LocalWork([kind(run)], clock)
    await asyncio.gather(*(work.run("turn", str(number)) for number in range(40)))
    assert most == 4
    assert work.backlog == 0


async def test_a_row_that_is_ready_again_while_it_runs_runs_once_more(clock: FakeClock) -> None:
    seen: list[str] = []
    go = asyncio.Event()

    async def run(row_id: str) -> None:
        seen.append(row_id)
        await go.wait()

    work = LocalWork([kind(run)], clock)
    for _ in range(5):
        await work.ready("turn", "t1")
    await asyncio.sleep(0)
    await work.ready("turn", "t1")
    go.set()
    async with asyncio.timeout(PATIENCE):
        await work.run("turn", "t2")
        await work.drain(PATIENCE)
    assert seen.count("t1") == 2


async def test_rows_of_other_kinds_and_those_that_come_while_it_drains_are_told_to_the_others(clock: FakeClock) -> None:
    async def run(_: str) -> None:
        return None

    bell = Bell()
    work = LocalWork([kind(run)], clock, bell)
    await work.ready("letter", "l1")
    await work.run("letter", "l2")
    await work.drain(PATIENCE)
    await work.run("turn", "t1")
    assert bell.rung == [("letter", "l1"), ("letter", "l2"), ("turn", "t1")]
    assert work.backlog == 7


async def test_what_was_left_lying_is_found_by_a_sweep_also_after_one_that_failed(clock: FakeClock) -> None:
    ran = asyncio.Event()
    sweeps: list[list[str] | None] = [[], None, ["t9"]]

    async def sweep() -> list[str]:
        found = sweeps.pop(0) if sweeps else []
        if found is None:
            raise RuntimeError("the database is away")
        return found

    async def run(row_id: str) -> None:
        assert row_id == "t9"
        ran.set()

    work = LocalWork([kind(run, sweep)], clock)
    await work.start()
    async with asyncio.timeout(PATIENCE):
        while not ran.is_set():
            clock.advance(5)
            await asyncio.sleep(0)
    await work.drain(PATIENCE)


@pytest.mark.parametrize("patient", [True, False])
async def test_a_drain_waits_for_running_rows_but_not_for_ever(clock: FakeClock, patient: bool) -> None:
    begun, go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run(_: str) -> None:
        begun.set()
        await go.wait()
        ended.set()

    work = LocalWork([kind(run)], clock)
    await work.ready("turn", "t1")
    await begun.wait()
    if patient:
        asyncio.get_running_loop().call_soon(go.set)
    await work.drain(PATIENCE if patient else 0.01)
    assert ended.is_set() == patient
    assert work.in_hand == 0
