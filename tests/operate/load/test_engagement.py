"""A load run asks a whole desk for decisions, holds it against its own targets, and says pass or fail."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from frontdesk.channels.engagement.deciding import MOST_ASKS
from frontdesk.cli.load_engagement import MOST_TOGETHER
from frontdesk.cli.main import run as command
from frontdesk.errors import Usage
from frontdesk.messages import Role
from frontdesk.operate.load.desk import MOST_MADE, Made
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.serve import serve

MESSAGE = {"key": "welcome", "channels": ["in_app"], "slots": ["now"], "templates": {"friendly": {"body": "Hello"}}}
EASY = {
    "engagement.enabled": True,
    "engagement.segments": {"default": {"engagement_rules": {"quiet_from": 0, "quiet_until": 0}}},
    "engagement.messages": [MESSAGE],
    "engagement.decision_latency_target": 20_000,
    "engagement.throughput_target": 1,
    "engagement.error_rate_threshold": 0.5,
}
SHORT = ("--seconds", "0.3", "--warm-up", "0", "--customers", "load/8", "--connections", "2", "--batch", "4")


class Ended(msgspec.Struct, frozen=True):
    """How the command ended."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return msgspec.json.decode(self.out)


Load = Callable[..., Any]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The desk of this process writes no log between the command's lines."""
    with capture_logs():
        yield


@pytest.fixture
def load(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Load:
    """Runs the command in a thread of its own, as the desk is served in this one."""
    monkeypatch.delenv("FRONTDESK_API_KEY", raising=False)

    async def load(address: str, key: str | None, *words: str) -> Ended:
        capsys.readouterr()
        given = ["--key", key] if key else []
        code = await asyncio.to_thread(command, ["load", "engagement", "--url", address, *given, *words])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return load


@pytest.fixture
async def served(tmp_path: Path) -> AsyncGenerator[ServedDesk]:
    async with served_desk(tmp_path, settings=EASY) as served:
        yield served


@pytest.fixture
async def client(served: ServedDesk) -> httpx2.AsyncClient:
    return await served.client(Role.OPERATOR)


@pytest.fixture
async def key(client: httpx2.AsyncClient) -> str:
    return await key_for(client, "engagement")


async def key_for(client: httpx2.AsyncClient, scope: str) -> str:
    made = await client.post("/api/v1/keys", json={"name": "load", "scopes": [scope]})
    return made.raise_for_status().json()["key"]


async def customers(client: httpx2.AsyncClient) -> list[str]:
    found = (await client.get("/api/v1/customers", params={"limit": 100})).raise_for_status().json()["items"]
    return [each["id"] for each in found]


async def decided(client: httpx2.AsyncClient) -> list[dict[str, Any]]:
    return (await client.get("/api/v1/decisions", params={"limit": 100})).raise_for_status().json()["items"]


@pytest.mark.proves("engagement-13")
@pytest.mark.parametrize("batch", ["1", "4"])
async def test_a_run_reports_p95_and_throughput_against_the_targets_with_pass(
    served: ServedDesk, client: httpx2.AsyncClient, key: str, load: Load, batch: str
) -> None:
    ended = await load(served.address, key, *SHORT, "--batch", batch, "--json")
    report = ended.report
    assert ended.code == 0, ended.out
    assert report["passed"]
    assert (report["errors"], report["together"]) == (0, int(batch))
    assert report["decisions"] >= 1
    assert 0 < report["latency"]["p50"] <= report["latency"]["p95"] <= report["latency"]["p99"]
    assert {each["what"]: (each["target"], each["verdict"]) for each in report["verdicts"]} == {
        "p95 decision time": (20_000, "pass"),
        "throughput": (1, "pass"),
        "share of errors": (0.5, "pass"),
    }
    log = await decided(client)
    assert len(log) >= min(100, report["decisions"]), "what is counted was logged"
    assert {each["customer_id"] for each in log} <= {f"load-{number:06d}" for number in range(8)}


@pytest.mark.proves("engagement-13")
async def test_a_missed_target_is_a_fail_and_the_exit_code_tells(served: ServedDesk, key: str, load: Load) -> None:
    owner = await served.client(Role.OPERATOR, name="Bob")
    tuned = {"name": "throughput_target", "value": 10_000_000, "until": "2999-01-01T00:00:00Z"}
    (await owner.put("/api/v1/engagement/settings", json=tuned)).raise_for_status()
    ended = await load(served.address, key, *SHORT)
    assert ended.code == 1
    (throughput,) = [line for line in ended.out.splitlines() if line.startswith("throughput")]
    assert "≥ 10,000,000/s" in throughput
    assert "fail" in throughput
    assert "fail: throughput" in ended.out
    assert "100%" in ended.err, "progress without a terminal is lines"
    paced = await load(served.address, key, *SHORT, "--seconds", "1", "--rate", "8", "--json")
    assert (paced.code, paced.report["passed"]) == (0, True), paced.out
    assert "--rate" in paced.report["verdicts"][1]["against"]
    assert paced.report["decisions"] <= 8


async def test_made_customers_may_be_used_again_and_are_erased_when_asked(
    served: ServedDesk, client: httpx2.AsyncClient, key: str, load: Load
) -> None:
    assert (await load(served.address, key, *SHORT)).code == 0
    assert await customers(client) == Made("load", 8).ids
    assert (await load(served.address, key, *SHORT, "--erase")).code == 0
    assert await customers(client) == []
    assert await decided(client) == []


async def test_dry_decisions_leave_no_trace(
    served: ServedDesk, client: httpx2.AsyncClient, key: str, load: Load
) -> None:
    ended = await load(served.address, key, *SHORT, "--dry")
    assert ended.code == 0
    assert "kept nothing" in ended.err
    assert await decided(client) == []


async def test_customers_of_the_owners_are_neither_overwritten_nor_written_to_by_accident(
    served: ServedDesk, client: httpx2.AsyncClient, key: str, load: Load
) -> None:
    nobody = await load(served.address, key, *SHORT, "--customers", "known", "--dry")
    assert nobody.code == 1
    assert "--customers load/1000" in nobody.err
    (await client.put("/api/v1/customers/load-000003", json={"name": "Ann"})).raise_for_status()
    refused = await load(served.address, key, *SHORT)
    assert (refused.code, refused.out) == (1, "")
    assert "load-000003" in refused.err
    assert await customers(client) == ["load-000003"]
    unsaid = await load(served.address, key, *SHORT, "--customers", "known")
    assert unsaid.code == 2
    assert "--yes-write-to-them" in unsaid.err
    assert await decided(client) == []
    known = await load(served.address, key, *SHORT, "--customers", "known", "--yes-write-to-them", "--json")
    assert (known.code, known.report["customers"]) == (0, 1)
    assert {each["customer_id"] for each in await decided(client)} == {"load-000003"}


async def test_a_key_that_is_missing_wrong_or_for_something_else_is_told_apart(
    served: ServedDesk, client: httpx2.AsyncClient, load: Load
) -> None:
    told = {
        None: "asks for an API key",
        "fd_wrong": "does not take this API key",
        await key_for(client, "chat"): "may not ask for decisions",
    }
    for given, words in told.items():
        ended = await load(served.address, given, *SHORT)
        assert (ended.code, ended.out) == (1, "")
        assert words in ended.err
        assert "desk_refused" in ended.err
        assert "--scope engagement" in ended.err


async def test_an_address_without_a_desk_that_decides_is_told_with_what_to_do(
    tmp_path: Path, load: Load, unused_tcp_port: int
) -> None:
    nobody = await load(f"http://127.0.0.1:{unused_tcp_port}", "fd_x", *SHORT)
    assert (nobody.code, nobody.out) == (1, "")
    assert "No desk answers there" in nobody.err
    assert "frontdesk up engagement" in nobody.err
    page = Starlette(routes=[Route("/{path:path}", lambda _: PlainTextResponse("Welcome"))])
    async with serve(page) as address:
        stranger = await load(address, "fd_x", *SHORT)
    assert stranger.code == 1
    assert "decides about no customers" in stranger.err
    async with served_desk(tmp_path) as served:
        without = await key_for(await served.client(Role.OPERATOR), "engagement")
        quiet = await load(served.address, without, *SHORT)
    assert quiet.code == 1
    assert "engagement: {enabled: true}" in quiet.err
    away = await load("https://desk.example", "fd_x", *SHORT)
    assert away.code == 2
    assert "--yes-i-own-this-server" in away.err


def test_customers_are_named_by_a_prefix_and_a_number() -> None:
    assert Made.parsed("vip-a/3").ids == ["vip-a-000000", "vip-a-000001", "vip-a-000002"]
    for text in ("load", "load/0", "load/", "/5", "a b/5", f"load/{MOST_MADE + 1}", "load/-1"):
        with pytest.raises(Usage) as refused:
            Made.parsed(text)
        assert "load/1000" in refused.value.hint


def test_as_many_go_in_a_request_as_the_desk_takes() -> None:
    assert MOST_TOGETHER == MOST_ASKS
