"""The example of one's own server works as its page says."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import yaml
from starlette.types import ASGIApp

from frontdesk.messages import ToolCall
from frontdesk.tools.options import ToolsOptions
from tests.tools.conftest import MakeToolbox, Serve, until

FOLDER = Path(__file__).parents[2] / "examples" / "mcp_server"


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_rooms_are_looked_up_and_booked(serve: Serve, make_toolbox: MakeToolbox) -> None:
    spec = importlib.util.spec_from_file_location("room_booking", FOLDER / "room_booking.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def app() -> ASGIApp:
        return module.make_app("secret")

    server = await serve(app)
    toolbox = make_toolbox(discovery_urls=[server.address], service_token="secret")
    await until(toolbox, lambda: bool(toolbox.specs()))
    book = ToolCall(id="1", name="rooms__book_room", arguments='{"room": "hall", "day": "2026-05-04", "name": "Ann"}')
    assert (await toolbox.call(book, person_id="per_1")).text == "The hall is booked on 2026-05-04 for Ann."
    taken = await toolbox.call(book, person_id="per_1")
    assert taken.is_error
    assert "taken" in taken.text


def test_the_settings_on_the_page_are_valid() -> None:
    [block] = re.findall(r"```yaml\n(.+?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    options = ToolsOptions.model_validate(yaml.safe_load(block)["tools"])
    assert options.stdio[0].name == "files"


def test_the_shipped_server_runs_as_a_module() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "frontdesk.tools.example_server", "--port", str(port)],
        env={**os.environ, "MCP_SERVICE_TOKEN": "secret"},
    )
    try:
        transport = httpx2.HTTPTransport(retries=8)  # with back-off: until it listens
        with httpx2.Client(transport=transport, trust_env=False) as http:
            refused = http.post(f"http://127.0.0.1:{port}/mcp", json={})
        assert refused.status_code == 401
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)
