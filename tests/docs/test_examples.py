"""What the pages tell people to write works: system files, commands, variables, addresses, programs."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import click
import httpx2
import pytest

from frontdesk.cli.main import frontdesk as root
from frontdesk.gate.policy import Policy
from frontdesk.messages import Role
from frontdesk.system.load import examine, kinds
from frontdesk.system.section import bindings
from frontdesk.testing.desk import served_desk
from frontdesk.testing.upstream import Reply
from tests.docs.pages import Example, blocks, spans, text
from tools import reference

ASSIGNMENT = re.compile(r"\b([A-Z][A-Z0-9_]{3,})=")
NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?:_FILE)?")
SETTING = re.compile(rf"(?:{'|'.join(kinds())})(?:\.[a-z_]+)+")
ADDRESS = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/(?:api/v1|v1|mcp|health|ready|metrics)[\w/{}.:-]*)")
CALL = re.compile(r"(?:^|\| |\$\()(?:[A-Z_]+=\S+ )*(frontdesk [^|<>)]+)")
READERS_OWN = {"YOUR_DESK", "KEY"}  # what readers put their own words for
OF_TESTS = {"FRONTDESK_CRD_SCHEMAS"}  # what only the tests of the project read


# --- system files -----------------------------------------------------------


@pytest.mark.parametrize("example", blocks("yaml"), ids=str)
def test_a_system_file_of_the_pages_loads_without_a_problem(example: Example, tmp_path: Path) -> None:
    file = tmp_path / "system.yaml"
    file.write_text(example.text)
    system, problems = examine(file, home=tmp_path, variables={})
    assert [str(problem) for problem in problems] == []
    assert system is not None
    assert system.warnings == ()


def test_every_setting_that_the_pages_name_exists() -> None:
    known = {path for name, kind in kinds().items() for path, _ in reference.settings((name,), kind)}
    known |= {path.rpartition(".")[0] for path in known}
    named = [
        (str(span), found[0]) for span in spans() if (found := SETTING.match(span.text)) and span.text != "desk.db"
    ]
    assert [(place, name) for place, name in named if name not in known] == []


def test_every_variable_that_the_pages_name_exists() -> None:
    known = {binding.env.name for name, kind in kinds().items() for binding in bindings((name,), kind)}
    known |= {name for name, _ in reference.variables()} | set(reference.IGNORED) | READERS_OWN | OF_TESTS
    known |= {f"{name}_FILE" for name in known}
    named = [(str(span), span.text) for span in spans() if NAME.fullmatch(span.text)]
    named += [(str(block), name) for block in blocks("console") for name in ASSIGNMENT.findall(block.text)]
    made = set(re.findall(r"^(\w+) [:?]?=", text("Makefile"), flags=re.MULTILINE))
    assert [(place, name) for place, name in named if name not in known | made] == []


# --- commands ---------------------------------------------------------------


def commands() -> Iterator[tuple[str, str]]:
    """Each call of the command, with its place: without variables before it, pipes, and remarks after it."""
    for block in blocks("console", "sh"):
        for line in block.text.splitlines():
            plain = re.sub(r"\s#.*|\s{3,}\S.*", "", line.removeprefix("$ "))
            for words in CALL.findall(plain):
                if "[" not in words:  # a line that shows the form of a command
                    yield f"{block}: {words.strip()}", words.strip()


@pytest.mark.parametrize("words", [pytest.param(words, id=place) for place, words in commands()])
def test_a_command_of_the_pages_can_be_called(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"\S+\.(?:jsonl|whl)", words):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    parsed(shlex.split(words)[1:])


def parsed(words: list[str]) -> None:
    """Parse as click does before it runs a command. Raises `click.UsageError`."""
    context = root.make_context("frontdesk", words)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)


def test_every_command_that_the_pages_name_exists() -> None:
    known = dict(reference.commands(root)) | {"frontdesk": root}
    for span in spans():
        words = span.text.split()
        if words[:1] != ["frontdesk"]:
            continue
        verbs = [word for word in words if re.fullmatch(r"[a-z]+", word)]
        named = next((known[called] for end in (3, 2, 1) if (called := " ".join(verbs[:end])) in known), None)
        assert len(words) == 1 or named is not root, f"{span}: {span.text}"
        options = {name for option in named.params for name in option.opts} if named else set()
        assert {word.strip("[]") for word in words if word.startswith(("-", "[-"))} <= options, f"{span}: {span.text}"


def test_every_target_of_make_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), flags=re.MULTILINE))
    lines = [(str(block), line) for block in blocks("console", "sh") for line in block.text.splitlines()]
    lines += [(str(span), span.text) for span in spans()]
    named = [(place, found[1]) for place, line in lines if (found := re.match(r"(?:\$ )?make ([a-z-]+)", line))]
    assert [(place, name) for place, name in named if name not in targets] == []
    assert len(named) > 5


# --- addresses and programs -------------------------------------------------


def test_every_address_that_the_pages_name_exists() -> None:
    policy = Policy()
    prefixes = {"/v1", "/api/v1"}
    for span in spans():
        if found := ADDRESS.fullmatch(span.text):
            method, path = found[1], re.sub(r"/ID\b", "/x", found[2])
            rules = policy.find(path) or next(
                (policy.find(rule.path) for rule in policy.rules if rule.path == path), {}
            )
            assert path in prefixes or (method or "GET") in rules or (method is None and rules), f"{span}: {span.text}"


@pytest.mark.parametrize("example", blocks("python"), ids=str)
async def test_the_program_of_the_guide_gets_an_answer(example: Example, tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="Good morning.")]) as served:
        owner = await served.client(Role.OWNER)
        key = (await owner.post("/api/v1/keys", json={"name": "laptop", "scopes": ["chat"]})).json()["key"]
        program = example.text.replace("http://127.0.0.1:8000", served.address).replace("fd_…", key)
        assert program.count(served.address) == program.count(key) == 1
        with redirect_stdout(StringIO()) as printed:
            await asyncio.to_thread(exec, program, {})
    assert "Good morning." in printed.getvalue()


async def test_the_call_of_the_guide_gets_an_answer(tmp_path: Path) -> None:
    (call,) = [block for block in blocks("console") if block.text.startswith("$ curl ") and " -d " in block.text]
    words = shlex.split(call.text.replace("\\\n", " ").removeprefix("$ "))
    address, body = words[1], words[words.index("-d") + 1]
    headers = dict(words[place + 1].split(": ") for place, word in enumerate(words) if word == "-H")
    async with served_desk(tmp_path, model=[Reply(text="Good morning.")]) as served:
        owner = await served.client(Role.OWNER)
        key = (await owner.post("/api/v1/keys", json={"name": "laptop", "scopes": ["chat"]})).json()["key"]
        headers["Authorization"] = headers["Authorization"].replace("$KEY", key)
        path = httpx2.URL(address).path
        client = await served.stranger(headers=headers)
        answer = (await client.post(path, content=body)).raise_for_status().json()
    assert answer["message"]["text"] == "Good morning."
