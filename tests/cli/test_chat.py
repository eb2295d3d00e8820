"""`frontdesk chat`, in this process and against a desk that runs."""

import io
import json
import sys
from pathlib import Path

import pytest

from frontdesk.cli.chat import Answer
from frontdesk.events import Finished
from frontdesk.messages import Citation, Grounding, Usage
from tests.cli.conftest import Command, desk, panel

MENU = "# Opening hours\n\nThe library opens at nine in the morning and closes at six in the evening on weekdays.\n"


@pytest.fixture
def knowing(frontdesk: Command, tmp_path: Path) -> Command:
    """A desk that knows when the library opens."""
    file = tmp_path / "hours.md"
    file.write_text(MENU)
    assert frontdesk("knowledge", "add", str(file)).code == 0
    return frontdesk


def test_one_question_gets_one_document_with_sources(knowing: Command, tmp_path: Path) -> None:
    ended = knowing("chat", "--json", "When does the library open?")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert "nine in the morning" in told["answer"]
    assert told["model"] == "quote"
    assert set(told["usage"]) == {"prompt_tokens", "completion_tokens", "cost"}
    (citation,) = told["citations"]
    assert citation["source"] == str(tmp_path / "hours.md")
    assert citation["title"] == "Opening hours"
    assert "nine in the morning" in citation["quote"]


def test_the_answer_and_its_sources_go_to_stdout_alone(knowing: Command) -> None:
    ended = knowing("chat", "When", "does", "the", "library", "open?")
    assert "nine in the morning" in ended.out
    assert ended.out.splitlines()[-1].startswith("[1] Opening hours")
    assert ended.err == ""


def test_a_source_that_is_cited_twice_is_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    def cited(number: int) -> Citation:
        title = f"Document {number}"
        return Citation(number=number, passage_id="p", document_id="d", title=title, source="", heading="", quote="")

    answer = Answer(shown=True, citations=[cited(3), cited(1), cited(3)])
    usage = Usage(prompt_tokens=1, completion_tokens=1)
    answer.finish(Finished(reply_id="m", grounding=Grounding.QUOTED, model="quote", usage=usage, reason="stop"))
    assert capsys.readouterr().out.split() == ["[1]", "Document", "1", "—", "[3]", "Document", "3", "—"]


def test_a_question_may_come_through_a_pipe(knowing: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"When does the library open?\xff\n")))
    assert "nine in the morning" in knowing("chat").out


def test_no_question_is_refused_without_a_terminal(frontdesk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    ended = frontdesk("chat")
    assert ended.code == 2
    assert "There is no question" in ended.err


def test_a_desk_that_does_not_run_is_told_with_its_address(frontdesk: Command) -> None:
    ended = frontdesk("chat", "--url", "http://127.0.0.1:9", "hi")
    assert ended.code == 1
    assert "http://127.0.0.1:9" in ended.err


def test_a_running_desk_is_asked_with_a_key(knowing: Command, home: Path) -> None:
    key = knowing("keys", "create", "chat").out.strip()
    with desk(home) as process:
        url = panel(process)["Open"]
        ended = knowing("chat", "--url", url, "--key", key, "--json", "When does the library open?")
        assert "nine in the morning" in json.loads(ended.out)["answer"]
        assert json.loads(ended.out)["citations"][0]["title"] == "Opening hours"
        refused = knowing("chat", "--url", url, "--key", "fd_wrong", "hi")
    assert refused.code == 1
    assert "frontdesk" in refused.err
