"""Help, mistyped words, errors, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frontdesk.cli.main import VERBS
from tests.cli.conftest import Command

HEAVY = {"pydantic", "msgspec", "sqlalchemy", "rich", "fastapi", "yaml", "numpy", "uvicorn", "httpx2", "asyncio"}


def test_the_bare_help_imports_nothing_heavy() -> None:
    program = "import sys; from frontdesk.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "frontdesk up" in done.stdout
    assert not HEAVY & set(done.stderr.split())


@pytest.mark.parametrize("verb", [verb for verbs in VERBS.values() for verb in verbs])
def test_every_verb_exists_and_leads_its_help_with_an_example(verb: str, frontdesk: Command) -> None:
    ended = frontdesk(verb, "--help")
    assert ended.code == 0
    if verb != "version":
        assert ended.out.index("Examples:") < ended.out.index("Usage:")


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [(["doctr"], "doctor"), (["keys", "creat"], "create"), (["check", "--jsn"], "--json"), (["chta", "hi"], "chat")],
)
def test_a_mistyped_word_gets_the_nearest_one(words: list[str], suggestion: str, frontdesk: Command) -> None:
    ended = frontdesk(*words)
    assert ended.code == 2
    assert f"'{suggestion}'" in ended.err
    assert ended.out == ""


def test_an_error_is_three_lines_what_where_and_the_mending_act(frontdesk: Command, home: Path) -> None:
    (home / "system.yaml").write_text("desk:\n  greting: hi\n")
    ended = frontdesk("config", "show")
    assert ended.code == 2
    assert ended.out == ""
    what, where, mend = ended.err.splitlines()
    assert what == "error  There is no setting `desk.greting`"
    assert f"{home / 'system.yaml'}:2" in where
    assert "bad_system_file" in where
    assert mend.strip() == "→ Did you mean `greeting`?"


def test_no_colour_is_written_where_none_is_wanted(home: Path) -> None:
    program = "from click.testing import CliRunner; from frontdesk.cli.main import frontdesk as f; import click\n"
    program += "print(repr(CliRunner().invoke(f, ['doctor'], color=True, env={'NO_COLOR': '1'}).output))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "\\x1b" not in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str, frontdesk: Command) -> None:
    ended = frontdesk("completion", shell)
    assert ended.code == 0
    assert "_FRONTDESK_COMPLETE" in ended.out


def test_the_version_can_be_read_by_a_program(frontdesk: Command) -> None:
    assert json.loads(frontdesk("version", "--json").out)["frontdesk"] == frontdesk("--version").out.strip()
