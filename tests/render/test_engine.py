"""The engine that rendered images are built and run by: what tests may rely on."""

import urllib.request
from pathlib import Path

import pytest

from tests.render.engine import Engine, EngineFailed
from tests.render.stand_ins import stand_in

pytestmark = pytest.mark.engine

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS builder
RUN python -m venv /opt/desk
RUN --mount=type=cache,target=/cache /opt/desk/bin/pip install --quiet --cache-dir /cache click
FROM ${BASE}
COPY --from=builder /opt/desk /opt/desk
USER 10001
HEALTHCHECK --interval=1s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000')"]
CMD ["/opt/desk/bin/python", "-m", "http.server", "8000"]
"""

COMPOSE = """\
services:
  desk:
    image: frontdesk-tests/desk
    ports: ["127.0.0.1::8000"]
  caller:
    image: frontdesk-tests/desk
    command: ["python", "-c", "import urllib.request as u; print(u.urlopen('http://desk:8000').status)"]
    depends_on: {desk: {condition: service_healthy}}
"""


def test_an_image_is_built_from_the_index_and_runs_beside_another(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    engine.build(tmp_path, "frontdesk-tests/desk")
    try:
        engine.compose(tmp_path, "up", "--detach", "--wait", "desk")
        place = engine.compose(tmp_path, "port", "desk", "8000").strip()
        with urllib.request.urlopen(f"http://{place}/", timeout=10) as answer:
            assert answer.status == 200
        assert engine.compose(tmp_path, "run", "--rm", "caller").strip() == "200"
    finally:
        engine.compose(tmp_path, "down", "--volumes", "--timeout", "2")
    assert engine.docker("ps", "--all", "--quiet") == ""


def test_a_dockerfile_that_cannot_be_built_is_told(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN frontdesk-is-not-here\n")
    with pytest.raises(EngineFailed, match="frontdesk-is-not-here"):
        engine.build(tmp_path, "frontdesk-tests/broken")


STORES = """\
services:
  postgres:
    image: pgvector/pgvector:0.8.1-pg18-trixie
    user: "999:999"
    read_only: true
    cap_drop: [ALL]
    command: ["postgres", "-c", "max_connections=20"]
    environment: {POSTGRES_USER: desk, POSTGRES_DB: desk_data, POSTGRES_PASSWORD_FILE: /run/secrets/password}
    secrets: [password]
    tmpfs: [/tmp, /var/run/postgresql]
    volumes: ["data:/var/lib/postgresql", "./start.sql:/docker-entrypoint-initdb.d/start.sql:ro"]
    healthcheck: {test: [CMD, pg_isready, -h, 127.0.0.1, -U, desk, -d, desk_data], interval: 1s, retries: 60}
  redis:
    image: valkey/valkey:9.0.1-alpine
    user: "999:1000"
    read_only: true
    cap_drop: [ALL]
    command: ["sh", "-c", 'exec valkey-server --requirepass "$$(cat /run/secrets/password)"']
    secrets: [password]
    volumes: ["kept:/data"]
    healthcheck:
      test: [CMD-SHELL, 'REDISCLI_AUTH="$$(cat /run/secrets/password)" valkey-cli ping | grep -q PONG']
      interval: 1s
      retries: 60
secrets: {password: {file: ./password}}
volumes: {data: {}, kept: {}}
"""


def test_stores_stand_in_for_the_images_of_their_makers(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(STORES)
    (tmp_path / "password").write_text("correct horse battery staple")
    (tmp_path / "start.sql").write_text(
        "CREATE EXTENSION vector; CREATE TABLE kept (row int); INSERT INTO kept VALUES (7)"
    )
    stand_in(engine, "pgvector/pgvector:0.8.1-pg18-trixie")
    stand_in(engine, "valkey/valkey:9.0.1-alpine")
    ask = (
        "exec",
        "--no-TTY",
        "postgres",
        "psql",
        "-h",
        "127.0.0.1",
        "-U",
        "desk",
        "desk_data",
        "--tuples-only",
        "--csv",
    )
    try:
        engine.compose(tmp_path, "up", "--detach", "--wait")
        with pytest.raises(EngineFailed, match="password"):
            engine.compose(tmp_path, *ask, "--no-password", "-c", "SELECT row FROM kept")
        known = ("env", "PGPASSWORD=correct horse battery staple")
        asked = (*ask[:3], *known, *ask[3:], "-c", "SELECT row, current_setting('max_connections') FROM kept")
        assert engine.compose(tmp_path, *asked).strip() == "7,20"
        engine.compose(tmp_path, "restart", "postgres")
        engine.compose(tmp_path, "up", "--detach", "--wait")
        assert engine.compose(tmp_path, *asked).strip() == "7,20"
    finally:
        engine.compose(tmp_path, "down", "--volumes", "--timeout", "5")


def test_only_stores_have_a_stand_in(engine: Engine) -> None:
    with pytest.raises(LookupError, match=r"example\.com/desk"):
        stand_in(engine, "example.com/desk:1")
