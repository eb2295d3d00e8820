"""render: files for other tools."""

import json
from pathlib import Path

import pytest

from frontdesk import registry
from frontdesk.cli import render
from frontdesk.render.target import Target
from frontdesk.system.layout.plan import Plan
from tests.cli.conftest import Command


def files(plan: Plan) -> dict[str, str]:
    chosen = {"plan.txt": f"{plan.name} {plan.release} {plan.environment} {plan.deployment.namespace}\n"}
    return chosen | ({"bin/start.sh": "#!/bin/sh\n"} if plan.environment == "development" else {})


@pytest.fixture(autouse=True)
def one_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_target", lambda _: Target("A plan in one line.", files, "cat {out}/plan.txt"))


def test_a_target_is_written_for_an_environment_and_the_next_step_is_told(frontdesk: Command, tmp_path: Path) -> None:
    words = ("render", "plan", "--blueprint", "assistant", "--environment", "staging", "--tag", "v2")
    ended = frontdesk(*words, "--out", str(tmp_path / "out"))
    assert (ended.code, ended.out) == (0, f"{tmp_path / 'out' / 'plan.txt'}\n")
    assert (tmp_path / "out" / "plan.txt").read_text() == "ai-assistant v2 staging ai-assistant-staging\n"
    assert f"cat {tmp_path / 'out'}/plan.txt" in ended.err


def test_this_machine_and_its_variables_change_nothing(
    frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SECRET_KEY", "changeme")
    ended = frontdesk("render", "plan", "--blueprint", "assistant", "--out", str(tmp_path / "out"))
    assert ended.code == 0
    assert "development" in (tmp_path / "out" / "plan.txt").read_text()


def test_a_difference_is_shown_and_nothing_is_written(frontdesk: Command, tmp_path: Path) -> None:
    words = ("render", "plan", "--blueprint", "assistant", "--out", str(tmp_path / "out"))
    assert frontdesk(*words).code == 0
    assert frontdesk(*words, "--diff").code == 0
    ended = frontdesk(*words, "--environment", "production", "--diff")
    assert ended.code == 1
    assert "+++ b/plan.txt" in ended.out
    assert "+++ /dev/null" in ended.out
    assert "development" in (tmp_path / "out" / "plan.txt").read_text()
    changed = json.loads(frontdesk(*words, "--environment", "production", "--diff", "--json").out)["changed"]
    assert set(changed) == {"plan.txt", "bin/start.sh"}


def test_what_is_no_longer_rendered_goes_and_what_somebody_put_there_stays(frontdesk: Command, tmp_path: Path) -> None:
    words = ("render", "plan", "--blueprint", "assistant", "--out", str(tmp_path / "out"))
    frontdesk(*words)
    assert (tmp_path / "out" / "bin" / "start.sh").stat().st_mode & 0o111
    (tmp_path / "out" / "mine.txt").write_text("mine")
    outside = tmp_path / "outside"
    outside.write_text("stays")
    (tmp_path / "out" / ".rendered.json").write_text(json.dumps(["bin/start.sh", "plan.txt", "../outside"]))
    frontdesk(*words, "--environment", "production")
    assert not (tmp_path / "out" / "bin" / "start.sh").exists()
    assert (tmp_path / "out" / "mine.txt").exists()
    assert outside.exists()


def test_a_description_with_a_mistake_is_refused_with_its_line(frontdesk: Command, home: Path, tmp_path: Path) -> None:
    (home / "system.yaml").write_text("services:\n  web:\n    role: web\n    replicsa: 3\n")
    ended = frontdesk("render", "plan", "--out", str(tmp_path / "out"))
    assert ended.code == 2
    assert "system.yaml:4" in ended.err
    assert "replicas" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_folder_and_a_known_target_are_needed(
    frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--out" in frontdesk("render", "plan", "--blueprint", "assistant").err
    monkeypatch.undo()
    ended = frontdesk("render", "composse", "--blueprint", "assistant", "--out", str(tmp_path))
    assert (ended.code, "There is no target" in ended.err) == (2, True)


def test_without_a_target_all_are_listed(frontdesk: Command) -> None:
    listed = json.loads(frontdesk("render", "--json").out)
    assert [target["name"] for target in listed] == list(registry.names("targets"))


def test_a_target_that_the_system_asks_nothing_of_says_so(
    frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "_target", lambda _: Target("Nothing.", lambda _: {}, "apply {out}"))
    ended = frontdesk("render", "mesh", "--blueprint", "assistant", "--out", str(tmp_path / "out"))
    assert ended.code == 0
    assert "asks for nothing of mesh" in ended.err
    assert "apply" not in ended.err


def test_a_blueprint_may_be_named_where_a_file_is_wanted(frontdesk: Command, tmp_path: Path) -> None:
    assert frontdesk("render", "plan", "--system", "engagement", "--out", str(tmp_path)).code == 0
    assert (tmp_path / "plan.txt").read_text().startswith("ai-orchestration ")


def test_what_cannot_be_written_is_told_with_its_place(frontdesk: Command, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").mkdir()
    ended = frontdesk("render", "plan", "--blueprint", "assistant", "--out", str(tmp_path))
    assert ended.code == 2
    assert str(tmp_path / "plan.txt") in ended.err


def test_a_file_that_is_no_text_differs_as_every_other_does(frontdesk: Command, tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_bytes(b"\xff\xfe")
    ended = frontdesk("render", "plan", "--blueprint", "assistant", "--out", str(tmp_path), "--diff")
    assert ended.code == 1
    assert "+ai-assistant" in ended.out


def test_what_could_not_run_is_rendered_with_a_word_about_it(frontdesk: Command, tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text("services:\n  web: {role: web, port: 8000, replicas: 1, disruption: 1}\n")
    ended = frontdesk("render", "plan", "--system", str(file), "--out", str(tmp_path / "out"))
    assert ended.code == 0
    assert "mistakes: 1. `frontdesk check` tells them" in ended.err
