"""The engine that rendered images are built and run by: what tests may rely on."""

import urllib.request
from pathlib import Path

import pytest

from tests.render.engine import Engine, EngineFailed

DOCKERFILE = """\
ARG BASE
FROM ${BASE} AS builder
RUN --mount=type=cache,target=/root/.cache/pip python -m venv /opt/desk && /opt/desk/bin/pip install --quiet click
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
