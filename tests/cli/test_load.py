"""load: simulated people, only at servers of one's own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Command


@pytest.mark.usefixtures("home")
def test_somebody_elses_server_is_not_loaded(frontdesk: Command) -> None:
    ended = frontdesk("load", "conversation", "--address", "https://desk.example")
    assert ended.code == 2
    assert "--yes-i-own-this-server" in ended.err
    assert ended.out == ""


def test_a_locust_file_is_written_and_nothing_is_run(frontdesk: Command, tmp_path: Path) -> None:
    ended = frontdesk("load", "conversation", "--shape", "spike", "--locust", str(tmp_path / "locustfile.py"))
    assert (ended.code, ended.out) == (0, "")
    assert "class Visitor(HttpUser)" in (tmp_path / "locustfile.py").read_text()


def test_where_no_desk_answers_the_next_step_is_named(frontdesk: Command, unused_tcp_port: int) -> None:
    ended = frontdesk("load", "conversation", "--address", f"http://127.0.0.1:{unused_tcp_port}")
    assert ended.code == 1
    assert "frontdesk up" in ended.err


def test_the_report_is_a_table_or_one_document(frontdesk: Command, answering: str) -> None:
    few = ("load", "conversation", "--people", "2", "--every", "0.2-0.3", "--minutes", "0.01", "--address", answering)
    shown = frontdesk(*few)
    assert shown.code == 0
    assert "to the whole reply" in shown.out
    assert "100%" in shown.err, "progress without a terminal is lines"
    report = msgspec.json.decode(frontdesk(*few, "--json").out, type=dict[str, object])
    assert report["lost"] == report["doubled"] == report["errors"] == 0
    assert report["messages"] == report["answered"] != 0


@pytest.fixture
def answering() -> Iterator[str]:
    """The address of something that answers every question as a desk does, with the number that it bears."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Desk(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(b"{}")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = asked["text"].split()[0]
        events = {
            "turn.started": {"conversation_id": "conv_1"},
            "text.added": {"text": f"{number} Hello"},
            "turn.finished": {},
        }
        self._answer("".join(f"event: {tag}\ndata: {json.dumps(data)}\n\n" for tag, data in events.items()).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
