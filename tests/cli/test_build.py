"""build: the images of a system, by a docker that only writes down what it was told."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

RECORDER = """#!/bin/sh
for word; do context=$word; done
printf '%s\\n' "$*" >> "$RECORD"
if [ "$1" != push ]; then
  ls "$context" "$context/wheels" >> "$RECORD.context"
  grep -q FROM "$context/Dockerfile" || exit 9
fi
case "$*" in *"$REFUSED"*) exit 3;; esac
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in for docker writes the words of each call."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(RECORDER)
    program.chmod(0o755)
    record = tmp_path / "told"
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("RECORD", str(record))
    monkeypatch.setenv("REFUSED", "nothing of this name")
    return record


def calls(record: Path) -> list[str]:
    return record.read_text().splitlines() if record.exists() else []


@pytest.mark.proves("conversation-19")
def test_all_images_are_built_for_a_release_and_pushed(frontdesk: Command, told: Path) -> None:
    words = ("--registry", "registry.example.com/team", "--tag", "v1.1.0", "--push")
    ended = frontdesk("build", "all", "--blueprint", "assistant", *words)
    assert ended.code == 0
    assert ended.out.splitlines() == [
        f"registry.example.com/team/{name}:v1.1.0" for name in ("orchestrator", "frontend", "mcp-example")
    ]
    first, second, *_ = calls(told)
    assert first.startswith("build --file ")
    assert "--target production --tag registry.example.com/team/orchestrator:v1.1.0" in first
    assert second == "push registry.example.com/team/orchestrator:v1.1.0"


@pytest.mark.proves("conversation-19")
def test_several_platforms_are_built_and_pushed_in_one_run(frontdesk: Command, told: Path) -> None:
    platforms = ("--platform", "linux/amd64,linux/arm64")
    refused = frontdesk("build", "all", "--blueprint", "conversation", *platforms)
    assert (refused.code, calls(told)) == (2, [])
    assert "--push, or --archive" in refused.err
    nowhere = frontdesk("build", "all", "--blueprint", "conversation", *platforms, "--push")
    assert (nowhere.code, calls(told)) == (2, [])
    assert "There is no registry to push to" in nowhere.err
    words = (*platforms, "--registry", "registry.example.com/team", "--push")
    assert frontdesk("build", "all", "--blueprint", "conversation", *words).code == 0
    (only,) = calls(told)
    assert only.startswith("buildx build ")
    assert "--platform linux/amd64,linux/arm64" in only
    assert "--push --provenance mode=max --sbom true" in only


@pytest.mark.proves("conversation-19")
def test_a_card_and_another_platform_are_refused_with_the_reason(frontdesk: Command, told: Path) -> None:
    ended = frontdesk("build", "all", "--blueprint", "agents", "--gpu", "--platform", "linux/arm64", "--push")
    assert (ended.code, calls(told)) == (2, [])
    assert "built for linux/amd64 alone" in ended.err
    none = frontdesk("build", "all", "--blueprint", "assistant", "--gpu")
    assert (none.code, "No service of this system has a card" in none.err) == (2, True)


def test_one_service_and_one_stage_can_be_chosen(frontdesk: Command, told: Path) -> None:
    assert frontdesk("build", "mcp_example", "--blueprint", "assistant", "--stage", "development").code == 0
    (only,) = calls(told)
    assert "--target development --tag ai-assistant/mcp-example:" in only
    unknown = frontdesk("build", "orchestratr", "--blueprint", "assistant")
    assert "Did you mean `orchestrator`?" in unknown.err
    pushed = frontdesk("build", "--blueprint", "assistant", "--stage", "testing", "--push")
    assert "never pushed" in pushed.err


def test_a_dry_run_prints_the_commands_and_runs_none(frontdesk: Command, told: Path) -> None:
    ended = frontdesk("build", "all", "--blueprint", "agents", "--gpu", "--dry-run", "--json")
    (step,) = json.loads(ended.out)
    assert step["command"][:2] == ["docker", "build"]
    assert "--platform" in step["command"]
    assert "CONTEXT/Dockerfile.gpu" in step["command"]
    assert calls(told) == []


def test_a_wheel_goes_into_the_context(frontdesk: Command, told: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "frontdesk-9.9-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    assert frontdesk("build", "orchestrator", "--blueprint", "assistant", "--wheel", str(wheel)).code == 0
    assert wheel.name in Path(f"{told}.context").read_text()


def test_a_failure_stops_the_rest_and_is_told(frontdesk: Command, told: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "TITLE=frontend")
    ended = frontdesk("build", "all", "--blueprint", "assistant")
    assert ended.code == 1
    assert "could not build ai-assistant/frontend" in ended.err
    assert len(calls(told)) == 2


def test_without_docker_the_remedy_is_told(frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = frontdesk("build", "all", "--blueprint", "assistant")
    assert (ended.code, "--dry-run" in ended.err) == (3, True)
