"""What `/metrics` tells: figures that are looked up, of a whole desk, of one process beside another."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from frontdesk.operate.ports import free_port
from frontdesk.store.pulse import Pulse
from frontdesk.telemetry import machine, metrics
from frontdesk.telemetry.exposition import FRESH, Exposition
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.desk import served_desk
from frontdesk.testing.upstream import Reply
from tests.scenarios.processes import FRONTDESK, KEYS, Process

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    """Every sample of the text form, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


async def test_a_figure_is_looked_up_at_most_every_5_seconds_and_once_for_all_who_ask(clock: FakeClock) -> None:
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1

    exposition = Exposition([look], clock)
    await asyncio.gather(*(exposition.text() for _ in range(5)))
    assert looks == 1
    clock.advance(FRESH)
    await exposition.text()
    assert looks == 2


async def test_a_look_that_fails_hides_no_other_figure(clock: FakeClock) -> None:
    async def broken() -> None:
        raise RuntimeError("the database is away")

    async def works() -> None:
        metrics.queue_length.labels("tested").set(7)

    samples = read((await Exposition([broken, works], clock).text()).decode())
    assert value(samples, "queue_length", queue="tested") == 7


def test_a_distribution_tells_how_things_are_now() -> None:
    metrics.conversation_length.show([1, 2, 2, 7, 80])
    samples = read(_text())
    bounds = ("1.0", "2.0", "5.0", "10.0", "20.0", "50.0", "+Inf")
    found = [value(samples, "conversation_length_messages_bucket", le=bound) for bound in bounds]
    assert found == [1, 3, 3, 4, 4, 4, 5]
    assert value(samples, "conversation_length_messages_sum") == 92
    metrics.conversation_length.show([])
    assert value(read(_text()), "conversation_length_messages_count") == 0


def test_memory_is_that_of_the_control_group_that_bounds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "desk.service"
    group.mkdir()
    (tmp_path / "own").write_text("0::/desk.service\n")
    (group / "memory.max").write_text("4000\n")
    (group / "memory.current").write_text("3000\n")
    (group / "memory.stat").write_text("anon 1\ninactive_file 500\n")
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 60 kB\n")
    monkeypatch.setattr(machine, "GROUPS", tmp_path)
    monkeypatch.setattr(machine, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "MACHINE", tmp_path / "meminfo")
    machine.look_at_memory()
    assert _gauges("frontdesk_memory_used_bytes", "frontdesk_memory_limit_bytes") == [2500, 4000]
    (group / "memory.max").write_text("max\n")
    machine.look_at_memory()
    assert _gauges("frontdesk_memory_used_bytes", "frontdesk_memory_limit_bytes") == [40 * 1024, 100 * 1024]
    machine.look_at_disk(tmp_path)
    free, whole = _gauges("frontdesk_disk_free_bytes", "frontdesk_disk_size_bytes")
    assert 0 < free < whole


async def test_active_people_and_lengths_come_from_the_database(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="At nine.")] * 4) as desk:
        for name, questions in (("Ann", 1), ("Ben", 2)):
            client = await desk.client(name=name)
            conversation = None
            for _ in range(questions):
                more = {} if conversation is None else {"conversation_id": conversation}
                conversation = (await desk.ask(client, "When do you open?", **more))[0].data["conversation_id"]
        pulse = Pulse(desk.desk.store.database, desk.desk.clock)
        assert await pulse.active() == 2
        assert sorted(await pulse.lengths()) == [2, 4]
        later = FakeClock()
        later.advance((desk.desk.clock.now() - later.now()).total_seconds() + 400)
        pulse = Pulse(desk.desk.store.database, later)
        assert await pulse.active() == 0, "not within the last 5 minutes"
        assert sorted(await pulse.lengths()) == [2, 4]
        later.advance(3600)
        assert await pulse.lengths() == []


@pytest.mark.proves("conversation-14")
async def test_each_of_two_processes_tells_its_own_figures_on_a_port_of_its_own(tmp_path: Path) -> None:
    port, public = _two_free_ports(), free_port()
    async with _two_workers(tmp_path, port, public), httpx2.AsyncClient(timeout=20) as client:
        for number in range(2):
            await _answers(f"http://127.0.0.1:{port + number}/health")
        for _ in range(40):
            async with httpx2.AsyncClient(timeout=20) as other:  # a new connection, for whichever process takes it
                assert (await other.get(f"http://127.0.0.1:{public}/health")).status_code == 200
        told = [read((await client.get(f"http://127.0.0.1:{port + number}/metrics")).text) for number in range(2)]
        assert (await client.get(f"http://127.0.0.1:{port}/api/v1/desk")).status_code == 404
    counted = [value(each, "requests_total", route="/health", method="GET", status="200") or 0 for each in told]
    assert sum(counted) >= 40, "each request is counted once, by the process that answered it"
    assert [
        value(each, "http_requests_total", path="/health", method="GET", status="200") or 0 for each in told
    ] == counted
    own = ("process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes")
    starts = [tuple(value(each, name) for name in own) for each in told]
    assert len(set(starts)) == 2, "two processes"
    for each in told:
        assert (value(each, "process_resident_memory_bytes") or 0) > 10_000_000
        assert value(each, "process_cpu_seconds_total") is not None
        assert value(each, "frontdesk_part_up", part="database") == 1
        assert (
            (value(each, "frontdesk_memory_limit_bytes") or 0) > (value(each, "frontdesk_memory_used_bytes") or 0) > 0
        )


@asynccontextmanager
async def _two_workers(home: Path, metrics_port: int, port: int) -> AsyncGenerator[None]:
    """`frontdesk up --workers 2`, ended by the signal that a service manager sends."""
    variables = {"METRICS_PORT": str(metrics_port), "PORT": str(port), "PATH": os.environ["PATH"], **KEYS}
    Process(home, "", {}, {})  # writes the system file
    with (home / "log").open("wb") as log:
        desk = await asyncio.create_subprocess_exec(
            *(FRONTDESK, "up", "--home", home, "--workers", "2"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=variables,
        )
    try:
        yield
    finally:
        desk.terminate()
        await asyncio.wait_for(desk.wait(), 30)


async def _answers(address: str) -> None:
    """Return once somebody listens there."""
    async with asyncio.timeout(60), httpx2.AsyncClient() as client:
        while True:
            try:
                if (await client.get(address)).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.1)


def _two_free_ports() -> int:
    """The first of two neighbouring ports that are free."""
    while True:
        port = free_port()
        try:
            with socket.create_server(("127.0.0.1", port + 1)):
                return port
        except OSError:
            continue


def _text() -> str:
    return generate_latest(metrics.registry).decode()


def _gauges(*names: str) -> list[float]:
    samples = read(_text())
    return [value(samples, name) or 0 for name in names]
