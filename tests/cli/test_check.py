"""check: every mistake at once, in the order of the file, each with what mends it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command

BROKEN = """\
deployment: {namspace: a}
services:
  web: {role: wbe, port: 80a, needs: [postgres]}
  worker: {role: worker, queues: [ml], needs: [web], called_by: monitoring}
  tools: {role: tools, port: 9000, stopping: {pause: 15, drain: 60, grace: 70}}
environments:
  production:
    services: {tools: {replicas: 2, disruption: 2}}
"""


def test_mistakes_of_form_and_of_what_could_not_run_are_told_together(frontdesk: Command, tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text(BROKEN)
    ended = frontdesk("check", "--system", str(file), "--json")
    problems = json.loads(ended.out)["problems"]
    assert ended.code == 1
    assert [(problem["where"].rpartition(":")[2], problem["hint"]) for problem in problems] == [
        ("1", "Did you mean `namespace`?"),
        ("3", "Did you mean `web`?"),
        ("3", "`port`: Where it answers HTTP."),
        ("4", "`called_by`: Callers from elsewhere: `edge`, `monitoring`, or a label such as `role=api-gateway`."),
    ]
    file.write_text(BROKEN.replace("wbe", "web").replace("80a", "80"))
    problems = json.loads(frontdesk("check", "--system", str(file), "--json").out)["problems"]
    told = [(problem["where"].rpartition(":")[2], problem["what"]) for problem in problems]
    assert [line for line, _ in told] == ["1", "3", "4", "5", "8"]
    assert "names `postgres` under `needs`" in told[1][1]
    assert "is killed after 70 s" in told[3][1]
    assert told[4][1].startswith("In production: `tools` keeps 2 of 2 replicas up")


def test_a_remedy_never_names_the_command_that_tells_it(frontdesk: Command, tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text("services: {web: 3}\n")
    ended = frontdesk("check", "--system", str(file))
    assert "a mapping is wanted" in ended.out
    assert "frontdesk check" not in ended.out


@pytest.mark.parametrize("text", ["".join(f"k{n}: 1\n" for n in range(50_000)), f"a: [{','.join(['*a'] * 50_000)}]\n"])
def test_a_file_of_nothing_but_mistakes_is_told_in_a_few_pages(frontdesk: Command, tmp_path: Path, text: str) -> None:
    file = tmp_path / "system.yaml"
    file.write_text(text)
    ended = frontdesk("check", "--system", str(file))
    assert ended.code == 1
    assert len(ended.out) < 50_000


def test_a_file_that_says_nothing_is_named(frontdesk: Command, tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text("# nothing yet\n")
    ended = frontdesk("check", "--system", str(file))
    assert ended.code == 0
    assert "The file says nothing" in ended.out


@pytest.mark.parametrize(
    ("words", "following"),
    [
        ((), "frontdesk up\n"),
        (("assistant",), "frontdesk up assistant\n"),
        (("agents",), "frontdesk render --blueprint agents\n"),
        (("--system", "f.yaml"), "--system f.yaml\n"),
    ],
)
def test_the_next_step_is_about_what_was_checked(
    frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], following: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text("desk: {name: Ours}\n")
    assert frontdesk("check", *words).err.endswith(following)


def test_cards_are_shown_with_the_way_in_which_they_are_shared(frontdesk: Command) -> None:
    ended = frontdesk("check", "agents")
    assert ended.code == 0
    assert "mainpc: RTX 4090, mps" in ended.out
    assert "RTX 4090 has no MIG" in ended.out
    first, second = json.loads(frontdesk("check", "agents", "--json").out)["cards"]
    assert [slot["percent"] for slot in first["slots"]] == [20, 15, 20, 45]
    assert (second["method"], second["slots"][0]["profile"]) == ("mps", None)


MAIL = """\
delivery:
  channels: {email: smtp}
  smtp: {host: smtp.example.com, sender: Desk <desk@example.com>}
"""


@pytest.mark.parametrize(
    ("says", "variables", "is_warned"),
    [
        ("", {}, True),
        ("gate: {public_url: 'http://desk.example'}\n", {}, True),
        ("gate: {public_url: 'https://desk.example'}\n", {}, False),
        ("", {"ENVIRONMENT": "production", "PUBLIC_URL": "https://desk.example"}, False),
        ("delivery: {channels: {email: local}}\n", {}, False),
    ],
)
def test_mail_of_production_that_no_link_could_stop_is_told(
    frontdesk: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    says: str,
    variables: dict[str, str],
    is_warned: bool,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "system.yaml"
    file.write_text(says if says.startswith("delivery") else MAIL + says)
    warnings = json.loads(frontdesk("check", "--system", str(file), "--json").out)["warnings"]
    told = [each for each in warnings if "stops it with one click" in each["what"]]
    assert [each["what"].split(":")[0] for each in told] == ["In production"] * is_warned
