"""`frontdesk up` as a process: its panel, its ports, its end."""

import json
import signal
import socket
from pathlib import Path

import httpx2
import pytest

from frontdesk.operate.ports import free_port
from frontdesk.testing.upstream import OpenAIWire, Reply, Upstream
from tests.cli.conftest import LEAN, Command, desk, panel

PATIENCE = 60  # seconds for a process to end on a busy machine


@pytest.mark.proves("assistant-1")
def test_one_command_opens_the_desk_its_pages_and_the_example_tools(home: Path) -> None:
    example, frontend = free_port(), free_port()
    with desk(home, FRONTEND_PORT=str(frontend), MCP_EXAMPLE_PORT=str(example)) as process:
        told = panel(process)
        assert told["Sign in"].startswith(f"{told['Open']}/sign-in#token=")
        assert told["Answers"].startswith("quote")
        assert told["Data"] == str(home)
        with httpx2.Client(trust_env=False) as client:
            assert client.get(f"{told['Open']}/health").status_code == 200
            assert client.get(f"{told['Open']}/ready").json()["checks"]["database"] == "ok"
            assert client.get(f"http://127.0.0.1:{frontend}/api/v1/desk").json()["model"]["name"] == "quote"
            asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            accept = {"Accept": "application/json, text/event-stream"}
            assert client.post(f"http://127.0.0.1:{example}/mcp", json=asked, headers=accept).status_code < 500
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_the_log_is_json_with_request_ids_and_without_paths(home: Path) -> None:
    with desk(home) as process:
        url = panel(process)["Open"]
        httpx2.get(f"{url}/secret-in-a-path", headers={"X-Request-Id": "req-of-mine"}, trust_env=False)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    lines = [json.loads(line) for line in (home / "log").read_text().splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line["event"] == "http"]
    assert (line["path"], line["status"], line["request_id"]) == ("unmatched", 404, "req-of-mine")
    assert "secret-in-a-path" not in (home / "log").read_text()


@pytest.mark.proves("assistant-12")
async def test_a_stop_lets_the_running_stream_finish_takes_no_new_request_and_exits_0(home: Path) -> None:
    (home / "system.yaml").write_text(LEAN.replace("[quote]", "[openai]"))
    pieces = tuple(f"word{number} " for number in range(12))
    key = _key(home)
    async with Upstream(OpenAIWire(), [Reply(pieces=pieces, delay=0.15)]) as upstream:
        with desk(home, OPENAI_API_KEY="sk-test-of-a-stop", OPENAI_BASE_URL=upstream.url) as process:
            url = panel(process)["Open"]
            headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
            events: list[tuple[str, dict[str, object]]] = []
            async with (
                httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client,
                client.stream(
                    "POST", f"{url}/api/v1/chat", json={"text": "Say twelve words"}, headers=headers
                ) as answer,
            ):
                assert answer.status_code == 200
                tag = ""
                async for line in answer.aiter_lines():
                    name, _, value = line.partition(": ")
                    if name == "event":
                        tag = value
                    elif name == "data":
                        events.append((tag, json.loads(value)))
                        if tag == "text.added" and process.poll() is None and not _stopped(url):
                            process.send_signal(signal.SIGTERM)
                            await _until_refused(url)
            assert process.wait(PATIENCE) == 0
    assert "".join(str(data["text"]) for tag, data in events if tag == "text.added").split() == "".join(pieces).split()
    assert events[-1][0] == "turn.finished"


def test_a_port_in_use_is_told_with_its_holder_and_exit_code_4(frontdesk: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = frontdesk("up", "--port", str(port))
    assert ended.code == 4
    assert f"Port {port} is taken by" in ended.err
    assert "--port" in ended.err


def test_a_port_for_metrics_in_use_is_told_with_its_own_option(frontdesk: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = frontdesk("up", "--port", "0", "--metrics-port", str(taken.getsockname()[1]))
    assert ended.code == 4
    assert "`--metrics-port`" in ended.err


@pytest.mark.parametrize("host", ["127.0.0.2", "::1"])
def test_status_asks_the_desk_where_it_listens(host: str, home: Path, frontdesk: Command) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error.strerror}")
    assert frontdesk("status").code == 1
    with desk(home, "--host", host) as process:
        url = panel(process)["Open"]
        told = frontdesk("status", "--json")
        assert (told.code, json.loads(told.out)["processes"]["desk"][0]["address"]) == (0, url)
        assert "A desk in one process runs here" in frontdesk("ps").err
        assert frontdesk("people", "link", "owner").out.startswith(f"{url}/sign-in#token=")
        assert json.loads(frontdesk("probe", "--json").out)["probes"][0]["state"] == "healthy"
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert list(home.glob("run/alone/*")) == []


def test_what_a_killed_desk_leaves_misleads_nobody(home: Path, frontdesk: Command) -> None:
    (home / "system.yaml").write_text(f"{LEAN}http: {{port: {free_port()}}}\n")
    with desk(home) as process:
        panel(process)
        process.kill()
        process.wait(PATIENCE)
    (left,) = home.glob("run/alone/*")
    assert "does not answer" in frontdesk("status").out
    with desk(home) as process:
        panel(process)
        assert left not in home.glob("run/alone/*") or left.stem == str(process.pid)


def test_two_workers_answer_behind_one_port_and_end_together(home: Path) -> None:
    with desk(home, "--workers", "2") as process:
        url = panel(process)["Open"]
        with httpx2.Client(trust_env=False) as client:
            assert client.get(f"{url}/ready").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def _key(home: Path) -> str:
    import os
    import subprocess
    import sys

    program = "from frontdesk.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "keys", "create", "test"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FRONTDESK_HOME": str(home)},
    )
    return done.stdout.strip()


def _stopped(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


async def _until_refused(url: str) -> None:
    import asyncio

    async with asyncio.timeout(PATIENCE):
        while not _stopped(url):  # noqa: ASYNC110 another process has no event to wait for
            await asyncio.sleep(0.05)
