"""`frontdesk secrets`: no value on any stream, nothing deleted by accident."""

import io
import json
import sqlite3
from pathlib import Path

import pytest

from frontdesk.operate.errors import OrderFailed
from frontdesk.operate.ports import free_port
from tests.cli.conftest import Command


def values(home: Path) -> list[str]:
    return [file.read_text() for file in (home / "secrets").iterdir()]


def test_what_production_needs_is_made_in_one_go_and_production_starts(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    assert frontdesk("check").code == 1
    made = frontdesk("secrets", "create", "--all")
    assert made.code == 0
    assert made.out.split() == ["MCP_SERVICE_TOKEN", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY"]
    assert frontdesk("check").code == 0
    shown = [frontdesk("secrets", "list"), frontdesk("secrets", "list", "--json"), frontdesk("config", "show"), made]
    for text in (ended.out + ended.err for ended in shown):
        assert not [value for value in values(home) if value in text]
    assert "secrets folder" in frontdesk("config", "show", "gate", "--set").out
    assert "Nothing is missing" in frontdesk("secrets", "create", "--all").err


def test_a_secret_comes_from_a_file_or_standard_input(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "key").write_text("sk-first-canary\n")
    assert frontdesk("secrets", "create", "OPENAI_API_KEY", "--from-file", str(home / "key")).code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-second-canary\n"))
    ended = frontdesk("secrets", "rotate", "OPENAI_API_KEY", "--from-file", "-")
    assert ended.code == 0
    assert "canary" not in ended.out + ended.err
    assert values(home) == ["sk-second-canary"]
    told = json.loads(frontdesk("secrets", "list", "--json").out)
    assert told[0]["used_by"] == ["models.openai_api_key"]


def test_deleting_refuses_what_is_used_and_asks_before_the_rest(frontdesk: Command, home: Path) -> None:
    frontdesk("secrets", "create", "SECRET_KEY")
    refused = frontdesk("secrets", "delete", "SECRET_KEY", "--yes")
    assert (refused.code, "gate.secret_key" in refused.err) == (1, True)
    frontdesk("secrets", "create", "PARTNER_TOKEN")
    unasked = frontdesk("secrets", "delete", "PARTNER_TOKEN")
    assert (unasked.code, "--yes" in unasked.err) == (2, True)
    assert frontdesk("secrets", "delete", "PARTNER_TOKEN", "--yes").code == 0
    assert frontdesk("secrets", "delete", "SECRET_KEY", "--yes", "--force").code == 0
    assert values(home) == []


def test_a_renewal_that_cannot_be_undone_asks_first(frontdesk: Command, home: Path) -> None:
    frontdesk("secrets", "create", "SECRET_KEY")
    before = values(home)
    assert frontdesk("secrets", "rotate", "SECRET_KEY").code == 2
    assert values(home) == before
    ended = frontdesk("secrets", "rotate", "SECRET_KEY", "--yes")
    assert (ended.code, "audit log" in ended.err) == (0, True)
    assert values(home) != before


def test_renewing_the_sealing_key_names_the_next_step(frontdesk: Command) -> None:
    frontdesk("secrets", "create", "ENCRYPTION_KEY")
    assert "frontdesk encryption rotate" in frontdesk("secrets", "rotate", "ENCRYPTION_KEY").err
    assert frontdesk("encryption", "rotate").code == 0


@pytest.mark.parametrize("words", [[], ["A", "--all"], ["--all", "--length", "20"]])
def test_one_secret_or_all_of_them(frontdesk: Command, words: list[str]) -> None:
    assert frontdesk("secrets", "create", *words).code == 2


# --- the audit log ---


def acts(home: Path) -> list[tuple[str, str, str]]:
    connection = sqlite3.connect(home / "desk.db")
    try:
        return connection.execute("SELECT act, subject, credential FROM audit ORDER BY seq").fetchall()
    finally:
        connection.close()


def test_each_change_of_a_secret_is_written_down_and_the_log_still_holds(frontdesk: Command, home: Path) -> None:
    frontdesk("keys", "create", "script")
    for words in (
        ("create", "SECRET_KEY"),
        ("create", "PARTNER_TOKEN"),
        ("rotate", "SECRET_KEY", "--yes"),
        ("rotate", "PARTNER_TOKEN"),
        ("delete", "PARTNER_TOKEN", "--yes"),
    ):
        ended = frontdesk("secrets", *words)
        assert (ended.code, "audit log does not tell" in ended.err) == (0, False), ended.err
    assert acts(home)[1:] == [
        ("secret.create", "SECRET_KEY", "terminal"),
        ("secret.create", "PARTNER_TOKEN", "terminal"),
        ("secret.rotate", "SECRET_KEY", "terminal"),
        ("secret.rotate", "PARTNER_TOKEN", "terminal"),
        ("secret.delete", "PARTNER_TOKEN", "terminal"),
    ]
    name = frontdesk("backup", "create").out.strip()  # which proves the log with the renewed secret
    assert frontdesk("restore", name, "--into", str(home / "trial")).code == 0


def test_a_renewal_whose_restart_fails_is_written_down_all_the_same(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdesk("keys", "create", "script")
    frontdesk("secrets", "create", "PARTNER_TOKEN")

    def refusing(*_: object) -> None:
        raise OrderFailed("It did not become ready", where="web")

    monkeypatch.setattr("frontdesk.cli.secrets._restart", refusing)
    before = values(home)
    assert frontdesk("secrets", "rotate", "PARTNER_TOKEN").code == 1
    assert values(home) != before
    assert acts(home)[-1] == ("secret.rotate", "PARTNER_TOKEN", "terminal")
    assert frontdesk("secrets", "rotate", "NO_SUCH").code == 1
    assert len(acts(home)) == 3


def test_a_refused_change_is_not_written_down_and_a_desk_without_tables_has_no_log(
    frontdesk: Command, home: Path
) -> None:
    assert frontdesk("secrets", "create", "SECRET_KEY").code == 0
    assert not (home / "desk.db").exists()
    frontdesk("keys", "create", "script")
    assert frontdesk("secrets", "delete", "SECRET_KEY", "--yes").code == 1
    assert frontdesk("secrets", "create", "SECRET_KEY").code == 1
    assert {act for act, *_ in acts(home)} == {"key.create"}


def test_a_change_stands_when_the_log_cannot_be_reached(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://desk:canary@127.0.0.1:{free_port()}/desk")
    ended = frontdesk("secrets", "create", "PARTNER_TOKEN")
    assert (ended.code, len(values(home))) == (0, 1)
    assert "The audit log does not tell of it: PostgreSQL does not answer" in ended.err
    assert "canary" not in ended.err
