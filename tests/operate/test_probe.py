"""Probes of real servers: what is well, what is wrong with the others, and that no password is ever shown."""

import asyncio
import contextlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from frontdesk.errors import Usage
from frontdesk.operate.errors import PushRefused
from frontdesk.operate.ports import free_port
from frontdesk.operate.probe.known import targets
from frontdesk.operate.probe.push import text, to_collector, to_gateway
from frontdesk.operate.probe.run import Result, exit_code, probe
from frontdesk.operate.probe.target import target
from frontdesk.system.load import load
from tests.operate.locked import locked_valkey
from tests.operate.postgres import FEW, PASSWORD, desk_url, strict_postgres
from tests.servers import PostgresServer, new_valkey


def probed(url: str, *, seconds: float = 5, replica: bool = False) -> Result:
    [result] = probe([target(url, replica=replica)], seconds=seconds)
    assert PASSWORD not in json.dumps(result.plain())
    return result


# --- servers ---


class Answers(http.server.BaseHTTPRequestHandler):
    """/200 answers 200, /503 answers 503, … ; what is sent to it is kept."""

    received: list[tuple[str, str, bytes]] = []  # noqa: RUF012 — of the class, on purpose

    def do_GET(self) -> None:
        self._answer(int(self.path.strip("/").partition("?")[0] or 200))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.command, self.path, body))
        self._answer(202)

    do_POST = do_PUT

    def _answer(self, status: int) -> None:
        body = b'{"checks": {"database": "ok", "redis": "ConnectionError"}}' if status == 503 else b"{}"
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(server: socketserver.BaseServer) -> Generator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]  # pyright: ignore — host and port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def web() -> Generator[str]:
    Answers.received.clear()
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def postgres_server() -> Generator[PostgresServer]:
    with strict_postgres() as server:
        yield server


# --- HTTP and TCP ---


@pytest.mark.parametrize("status", [200, 204])
def test_a_success_is_healthy(web: str, status: int) -> None:
    result = probed(f"{web}/{status}")
    assert (result.state, result.cause, result.fault) == ("healthy", str(status), None)
    assert exit_code([result]) == 0


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_any_other_status_is_unhealthy(web: str, status: int) -> None:
    result = probed(f"{web}/{status}")
    assert (result.state, result.fault) == ("unhealthy", "status")
    assert str(status) in result.cause
    assert result.remedy
    assert exit_code([result]) == 1


def test_a_desk_that_is_not_ready_says_what_is_away(web: str) -> None:
    assert "not ready: redis (ConnectionError)" in probed(f"{web}/503").cause


def test_an_address_that_wants_a_sign_in_is_told_as_such(web: str) -> None:
    assert probed(f"{web}/401").fault == "forbidden"


def test_nobody_there_is_told_as_refused() -> None:
    for scheme in ("http", "tcp", "redis"):
        result = probed(f"{scheme}://127.0.0.1:{free_port()}")
        assert (result.state, result.fault) == ("unhealthy", "refused")
        assert "Nothing listens" in result.cause


def test_something_that_never_answers_is_a_time_out_of_its_own_exit_code() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for scheme in ("http", "redis", "postgresql"):
            result = probed(f"{scheme}://127.0.0.1:{port}", seconds=0.3)
            assert (result.state, result.fault) == ("time-out", "silent")
            assert exit_code([result]) == 2
        assert probed(f"tcp://127.0.0.1:{port}").state == "healthy"


def test_a_server_that_sends_a_byte_now_and_then_cannot_hold_the_probe() -> None:
    class Trickle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
                for _ in range(20):
                    self.request.sendall(b"x")
                    done.wait(0.1)

    done = threading.Event()
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Trickle)) as port:
        result = probed(f"http://127.0.0.1:{port}/", seconds=0.4)
        assert result.state == "time-out"
        done.set()


def test_what_speaks_no_http_is_told(web: str) -> None:
    class Noise(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1000)
            self.request.sendall(b"220 mail.example ESMTP\r\n")

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Noise)) as port:
        assert probed(f"http://127.0.0.1:{port}/").fault == "broken"
    assert probed(web.replace("http", "redis")).fault == "broken"


def test_a_name_that_leads_nowhere_is_a_fault_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no name server can be asked here
    result = probed("http://behavioral-analysis-service:8081/health")
    assert result.fault == "dns"
    assert "behavioral-analysis-service leads to no address" in result.cause


def test_a_certificate_that_nobody_trusts_is_a_fault_of_tls(tmp_path: Path, web: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # pyright: ignore — a client that refuses is no error here
    with serving(server) as port:
        result = probed(f"https://127.0.0.1:{port}/200")
    assert result.fault == "tls"
    assert "self-signed certificate" in result.cause
    assert "does not speak TLS" in probed(web.replace("http", "https")).cause


def _certificate(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "desk.example")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
    signed = made.sign(key, hashes.SHA256())
    file = folder / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


# --- Redis ---


def test_redis_answers_ping_with_and_without_a_password(valkey_url: str) -> None:
    assert probed(valkey_url).cause == "PONG"
    with locked_valkey(PASSWORD) as server:
        place = f"127.0.0.1:{server.port}"
        assert probed(f"redis://:{PASSWORD}@{place}/0").cause == "PONG"
        assert probed(f"redis://default:{PASSWORD}@{place}/0").cause == "PONG"
        wrong, none = probed(f"redis://:other@{place}/0"), probed(f"redis://{place}/0")
        assert (wrong.fault, none.fault) == ("password", "password")
        assert "refuses the password" in wrong.cause
        assert "wants a password" in none.cause
    assert probed(f"redis://{place}/0").fault == "refused"


def test_redis_without_a_free_connection_is_exhausted() -> None:
    with new_valkey(maxclients=1) as server, socket.create_connection(("127.0.0.1", server.port)) as first:
        first.sendall(b"PING\r\n")
        assert first.recv(100) == b"+PONG\r\n"
        result = probed(f"redis://127.0.0.1:{server.port}")
        assert result.fault == "exhausted"
        assert "REDIS_MAX_CONNECTIONS" in result.remedy


# --- SQL ---


def test_postgresql_answers_a_query_as_the_desks_own_user(postgres_server: PostgresServer) -> None:
    result = probed(desk_url(postgres_server))
    assert (result.state, result.address) == ("healthy", f"postgresql://127.0.0.1:{postgres_server.port}/desk")
    assert result.cause.startswith("PostgreSQL 1")


def test_a_wrong_password_a_shut_door_and_a_missing_database_are_told_apart(postgres_server: PostgresServer) -> None:
    assert probed(desk_url(postgres_server, password="wrong")).fault == "password"
    assert probed(desk_url(postgres_server, user="stranger")).fault == "forbidden"
    assert probed(desk_url(postgres_server, name="postgres_absent")).fault == "no database"


async def test_a_database_without_a_free_connection_is_exhausted(postgres_server: PostgresServer) -> None:
    held = [await asyncpg.connect(desk_url(postgres_server)) for _ in range(FEW - 3)]
    try:
        result = await asyncio.to_thread(probed, desk_url(postgres_server))
    finally:
        await asyncio.gather(*(each.close() for each in held))
    assert result.fault == "exhausted"
    assert "DB_POOL_SIZE" in result.remedy


async def test_a_database_that_takes_no_writes_is_told_unless_that_is_right(postgres_server: PostgresServer) -> None:
    await postgres_server.run("ALTER ROLE desk SET default_transaction_read_only = on")
    try:
        result = await asyncio.to_thread(probed, desk_url(postgres_server))
        right = await asyncio.to_thread(probed, desk_url(postgres_server), replica=True)
    finally:
        await postgres_server.run("ALTER ROLE desk RESET default_transaction_read_only")
    assert (result.state, result.fault) == ("unhealthy", "read-only")
    assert right.state == "healthy"
    assert right.cause.endswith("read-only")


def test_a_stopped_database_is_refused(postgres_server: PostgresServer) -> None:
    postgres_server.stop()
    try:
        assert probed(desk_url(postgres_server)).fault == "refused"
    finally:
        postgres_server.start()


def test_sqlite_answers_is_missing_or_is_damaged(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "desk.db"
    assert probed(f"sqlite:///{file}").fault == "missing"
    with contextlib.closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE t (x)")
    assert probed(f"sqlite:///{file}").state == "healthy"
    file.write_bytes(b"no database at all" * 100)
    assert probed(f"sqlite:///{file}").fault == "broken"


# --- processes ---


def test_a_process_is_found_by_number_by_file_and_by_program(tmp_path: Path) -> None:
    number = tmp_path / "desk.pid"
    number.write_text(f"{os.getpid()}\n")
    name = Path("/proc/self/comm").read_text().strip()
    for word in (str(os.getpid()), str(number), name):
        assert probed(f"process:{word}").state == "healthy"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for word in (str(ended.pid), str(tmp_path / "absent"), "no-such-program"):
        assert probed(f"process:{word}").fault == "missing"


# --- many at once ---


def test_all_are_asked_at_the_same_time_and_the_worst_decides(web: str) -> None:
    held = {"now": 0, "most": 0}
    counting = threading.Lock()

    class Silent(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.count(1)
            while self.request.recv(4096):
                pass
            self.count(-1)

        def count(self, more: int) -> None:
            with counting:
                held["now"] += more
                held["most"] = max(held.values())

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Silent)) as port:
        places = [target(f"http://127.0.0.1:{port}/{number}") for number in range(10)]
        found = probe([*places, target(f"{web}/200")], seconds=2)
    assert held["most"] == 10
    assert [result.state for result in found] == ["time-out"] * 10 + ["healthy"]
    assert exit_code(found) == 2
    assert exit_code([*found, probed(f"{web}/500")]) == 1


def test_what_may_be_away_makes_nothing_unhealthy() -> None:
    found = probe([target(f"tcp://127.0.0.1:{free_port()}", needed=False)])
    assert (found[0].state, exit_code(found)) == ("unhealthy", 0)


@pytest.mark.parametrize(
    "url", ["desk.example", "ftp://x", "tcp://host", "redis://", "http://h:port/", "process:", f"pg://u:{PASSWORD}@h"]
)
def test_an_address_that_cannot_be_probed_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Usage) as caught:
        target(url)
    assert PASSWORD not in f"{caught.value} {caught.value.hint}"


def test_what_a_system_file_names_is_found(tmp_path: Path) -> None:
    variables = {
        "DATABASE_URL": f"postgresql://desk:{PASSWORD}@db.example/desk",
        "REDIS_URL": "redis://cache.example:6380/1",
        "REDIS_PASSWORD": PASSWORD,
        "CELERY_BROKER_URL": f"amqp://guest:{PASSWORD}@queue.example//",
        "METRICS_PORT": "8001",
        "FRONTEND_PORT": "5000",
        "OPENAI_BASE_URL": "http://models.example:9000/v1",
        "MCP_DISCOVERY_URLS": "http://tools.example:8002",
    }
    found = {each.name: each for each in targets(load(home=tmp_path, variables=variables))}
    assert {name: each.shown for name, each in found.items()} == {
        "desk": "http://127.0.0.1:8000/ready",
        "pages": "http://127.0.0.1:5000/health",
        "metrics": "http://127.0.0.1:8001/health",
        "database": "postgresql://db.example:5432/desk",
        "redis": "redis://cache.example:6380/1",
        "broker": "tcp://queue.example:5672",
        "tools 1": "tcp://tools.example:8002",
        "model openai": "tcp://models.example:9000",
    }
    assert found["redis"].password == PASSWORD
    assert [name for name, each in found.items() if not each.needed] == ["tools 1", "model openai"]


# --- telling others ---


def test_results_are_put_into_the_push_gateway_under_their_group(web: str) -> None:
    results = [probed(f"{web}/200"), probed(f"{web}/500")]
    to_gateway(web, results, instance="pc2/blue", job="probe")
    [(method, path, body)] = Answers.received
    assert (method, path) == ("PUT", "/metrics/job/probe/instance@base64/cGMyL2JsdWU")
    lines = body.decode().splitlines()
    assert "# TYPE frontdesk_probe_up gauge" in lines
    ups = [line.rpartition(" ")[2] for line in lines if line.startswith("frontdesk_probe_up{")]
    assert ups == ["1.0", "0.0"]


def test_prometheus_reads_what_is_pushed(web: str) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    odd = Result(name='a "b"\\c', address="tcp://h:1", kind="tcp", state="healthy", seconds=0.25, cause="")
    families = {family.name: family for family in text_string_to_metric_families(text([odd], 12.5).decode())}
    assert families["frontdesk_probe_seconds"].samples[0].value == 0.25
    assert families["frontdesk_probe_up"].samples[0].labels["target"] == 'a "b"\\c'
    assert set(families) == {
        "frontdesk_probe_up", "frontdesk_probe_seconds", "frontdesk_probe_last_run_timestamp_seconds"
    }  # fmt: skip


def test_a_collector_gets_the_same_by_otlp(web: str) -> None:
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    to_collector(web, [probed(f"{web}/200")], instance="pc2")
    [(_, path, body)] = Answers.received
    assert path == "/v1/metrics"
    request = ParseDict(json.loads(body), ExportMetricsServiceRequest())
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    assert [metric.name for metric in metrics] == ["frontdesk_probe_up", "frontdesk_probe_seconds"]
    assert metrics[0].gauge.data_points[0].as_double == 1


def test_a_gateway_that_is_away_is_told() -> None:
    with pytest.raises(PushRefused):
        to_gateway(f"http://127.0.0.1:{free_port()}", [], instance="here")
