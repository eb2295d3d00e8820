"""customers, events: files taken in, what is known of somebody, and forgetting them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Command

ANN = {
    "id": "ann",
    "name": "Ann",
    "consents": ["email"],
    "addresses": {"email": "ann@example.com"},
    "traits": {"plan": "pro"},
}


def written(path: Path, *things: object) -> str:
    path.write_text("".join(f"{thing if isinstance(thing, str) else json.dumps(thing)}\n" for thing in things))
    return str(path)


def event(name: str, customer_id: str = "ann", ago: float = 0) -> dict[str, object]:
    at = datetime.now(UTC) - timedelta(days=ago)
    return {"id": name, "customer_id": customer_id, "type": "visit", "at": at.isoformat(), "properties": {"n": 1}}


def test_customers_and_their_events_come_from_files(frontdesk: Command, tmp_path: Path) -> None:
    people = written(tmp_path / "people.jsonl", ANN, "", {"id": "ben"})
    ended = frontdesk("customers", "import", people)
    assert (ended.code, ended.err) == (0, "2 customers are new, 0 were known, 0 are refused.\n")
    history = written(tmp_path / "history.jsonl", *(event(f"e{n}", ago=n) for n in range(20)), event("e1", "ann", 1))
    ended = frontdesk("events", "import", history)
    assert (ended.code, ended.err) == (0, "20 events are new, 1 were known, 0 are refused.\n")
    again = json.loads(frontdesk("events", "import", history, "--json").out)
    assert (again["accepted"], again["known"]) == (0, 21)
    told = json.loads(frontdesk("customers", "show", "ann", "--json").out)
    assert (told["events"], told["stage"], told["may_write_by"]) == (20, "active", ["email"])
    assert [each["id"] for each in json.loads(frontdesk("customers", "list", "--json").out)] == ["ann", "ben"]
    assert "ann@example.com" not in frontdesk("customers", "list").out
    assert json.loads(frontdesk("events", "rebuild", "--json").out) == {"built": 2, "changed": 0}
    assert frontdesk("events", "rebuild", "ann").err == "1 profiles are built anew; 0 are other than before.\n"


def test_a_document_with_a_list_is_taken_too(frontdesk: Command, tmp_path: Path) -> None:
    listed = written(tmp_path / "list.json", [event("e1")])
    enveloped = written(tmp_path / "envelope.json", {"events": [event("e1"), event("e2")]})
    assert frontdesk("events", "import", listed).code == 0
    assert json.loads(frontdesk("events", "import", enveloped, "--json").out)["accepted"] == 1
    neither = written(tmp_path / "neither.json", {"things": []})
    ended = frontdesk("events", "import", neither)
    assert ended.code == 1
    assert "no JSON list" in ended.err


def test_bad_lines_are_told_by_their_number_and_the_others_kept(frontdesk: Command, tmp_path: Path) -> None:
    path = written(tmp_path / "events.jsonl", event("e1"), "{no", {**event("e2"), "at": "soon"}, event("e3", ago=-1))
    ended = frontdesk("events", "import", path)
    assert ended.code == 1
    assert ended.err.splitlines()[0] == "1 events are new, 0 were known, 3 are refused."
    assert [line.strip().partition(":")[0] for line in ended.err.splitlines()[1:]] == ["2", "3", "4"]
    path = written(tmp_path / "people.jsonl", {"id": "a b"}, {**ANN, "segment": "gold"}, ANN)
    ended = frontdesk("customers", "import", path)
    assert ended.code == 1
    assert "no segment `gold`" in ended.err
    assert json.loads(frontdesk("customers", "show", "ann", "--json").out)["name"] == "Ann"


def test_somebody_is_exported_and_forgotten(frontdesk: Command, tmp_path: Path) -> None:
    frontdesk("customers", "import", written(tmp_path / "people.jsonl", ANN))
    frontdesk("events", "import", written(tmp_path / "events.jsonl", event("e1")))
    told = json.loads(frontdesk("customers", "export", "ann").out)
    assert told["customers"][0]["addresses"] == {"email": "ann@example.com"}
    assert told["customer_events"][0]["properties"] == {"n": 1}
    assert frontdesk("customers", "erase", "ann").code == 0
    for words in (["show", "ann"], ["export", "ann"], ["erase", "ann"]):
        ended = frontdesk("customers", *words)
        assert ended.code == 1
        assert "no such customer" in ended.err


@pytest.mark.usefixtures("home")
def test_an_empty_desk_says_how_to_begin(frontdesk: Command) -> None:
    assert "frontdesk customers import" in frontdesk("customers", "list").err
