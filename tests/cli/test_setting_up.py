"""init, check, config, doctor, people, keys: on a real home with a real database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from frontdesk.operate.ports import free_port
from frontdesk.system.home import blueprint_file
from tests.cli.conftest import Command

# --- init, check, config ----------------------------------------------------


def test_init_writes_the_annotated_blueprint_and_never_over_another_file(frontdesk: Command, home: Path) -> None:
    refused = frontdesk("init")
    assert refused.code == 1
    assert "--force" in refused.err
    ended = frontdesk("init", "assistant", "--force")
    assert ended.out.strip() == str(home / "system.yaml")
    assert (home / "system.yaml").read_text() == blueprint_file("assistant").read_text()
    assert frontdesk("check").code == 0


def test_init_names_the_blueprints_when_there_is_no_such_one(frontdesk: Command) -> None:
    ended = frontdesk("init", "asistant")
    assert ended.code == 1
    assert "assistant" in ended.err


def test_check_tells_every_mistake_for_people_and_programs(frontdesk: Command, home: Path) -> None:
    (home / "system.yaml").write_text("desk:\n  greting: hi\nhttp:\n  port: nine\n")
    ended = frontdesk("check")
    assert ended.code == 1
    assert f"{home / 'system.yaml'}:2" in ended.out
    assert f"{home / 'system.yaml'}:4" in ended.out
    told = json.loads(frontdesk("check", "--json").out)
    assert told["ok"] is False
    assert [problem["where"].rpartition(":")[2] for problem in told["problems"]] == ["2", "4"]


@pytest.mark.proves("assistant-19")
def test_a_file_that_cannot_be_read_is_not_said_to_be_empty(frontdesk: Command, home: Path) -> None:
    (home / "system.yaml").write_text("a: [\n")
    told = frontdesk("check")
    assert (told.code, "This is not YAML" in told.out + told.err) == (1, True)
    assert "says nothing" not in told.out + told.err


def test_check_tells_what_production_would_refuse(frontdesk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DEBUG", "1")
    monkeypatch.setenv("SECRET_KEY", "your-secret-key")
    told = json.loads(frontdesk("check", "--json").out)
    assert {"DEBUG", "SECRET_KEY", "JWT_SECRET_KEY"} <= {problem["where"] for problem in told["problems"]}
    assert "GITHUB_CLIENT_SECRET" in told["unset_secrets"]
    ended = frontdesk("up", "--port", "0")
    assert ended.code == 2
    for name in ("DEBUG", "SECRET_KEY", "JWT_SECRET_KEY"):
        assert name in ended.err


def test_check_tells_secrets_that_the_file_names_and_nobody_has_set(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "system.yaml").write_text(
        "models:\n  list: [{name: fast, wire: openai, key_variable: FAST_KEY}]\n"
        "widget:\n  sites: [{id: main, origins: ['https://shop.example.com'], identity: WIDGET_SECRET}]\n"
    )
    ended = frontdesk("check")
    assert ended.code == 1
    assert "FAST_KEY is not set: the model 'fast' has no key" in ended.out
    assert "WIDGET_SECRET is not set: the widget's site 'main' signs its visitors' names with it" in ended.out
    monkeypatch.setenv("FAST_KEY", "key-of-a-test")
    monkeypatch.setenv("WIDGET_SECRET", "too short")
    [problem] = json.loads(frontdesk("check", "--json").out)["problems"]
    assert problem["where"] == "WIDGET_SECRET"
    assert "is shorter than 32 characters" in problem["what"]
    (home / "secret").write_text("long enough to sign the names of visitors")
    monkeypatch.delenv("WIDGET_SECRET")
    monkeypatch.setenv("WIDGET_SECRET_FILE", str(home / "secret"))
    assert frontdesk("check").code == 0


def test_config_shows_each_value_with_its_origin_and_no_secret(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-of-a-key")
    ended = frontdesk("config", "show", "--json")
    settings = {setting["path"]: setting for setting in json.loads(ended.out)}
    assert settings["http.port"]["value"] == 8123
    assert settings["http.port"]["origin"] == {"kind": "variable", "place": "PORT"}
    assert settings["knowledge.own_documentation"]["origin"]["place"] == f"{home / 'system.yaml'}:2"
    assert settings["models.openai_api_key"]["value"] == "***"
    assert "canary" not in ended.out
    assert "http.port" in frontdesk("config", "show", "http", "--set").out


def test_the_schema_is_a_json_document(frontdesk: Command) -> None:
    assert json.loads(frontdesk("config", "schema").out)["title"] == "Frontdesk system"


# --- doctor -----------------------------------------------------------------


def test_the_doctor_finds_nothing_wrong_with_a_whole_desk(frontdesk: Command) -> None:
    ended = frontdesk("doctor", "--json")
    told = json.loads(ended.out)
    assert ended.code == 0
    assert told["ok"] is True
    assert {"python", "home", "database", "redis", "models", "embeddings"} <= {
        check["check"] for check in told["checks"]
    }


def test_the_doctor_names_cause_and_remedy(frontdesk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:9/0")
    monkeypatch.setenv("DATABASE_URL", "postgresql://desk:hunter2@127.0.0.1:9/desk")
    monkeypatch.setenv("MCP_DISCOVERY_URLS", "http://127.0.0.1:9")
    ended = frontdesk("doctor", "--json")
    assert ended.code == 1
    found = {check["check"]: check for check in json.loads(ended.out)["checks"]}
    assert found["redis"]["result"] == found["database"]["result"] == "fail"
    assert "REDIS_URL" in found["redis"]["remedy"]
    assert found["tools"]["result"] == "warn"
    assert "hunter2" not in ended.out


def test_the_doctor_asks_a_real_redis(frontdesk: Command, monkeypatch: pytest.MonkeyPatch, valkey_url: str) -> None:
    monkeypatch.setenv("REDIS_URL", valkey_url)
    found = {check["check"]: check for check in json.loads(frontdesk("doctor", "--json").out)["checks"]}
    assert found["redis"] == {"check": "redis", "result": "ok", "cause": "PING is answered", "remedy": ""}


# --- people and keys --------------------------------------------------------


def test_a_key_is_printed_alone_and_can_be_listed_and_revoked(frontdesk: Command) -> None:
    ended = frontdesk("keys", "create", "my-script")
    secret = ended.out.strip()
    assert ended.out == f"{secret}\n"
    assert secret.startswith("fd_")
    (key,) = json.loads(frontdesk("keys", "list", "--json").out)
    assert (key["name"], key["scopes"]) == ("my-script", ["chat"])
    listed = frontdesk("keys", "list")
    assert "my-script" in listed.out
    assert secret not in listed.out
    assert frontdesk("keys", "revoke", key["id"]).code == 0
    assert json.loads(frontdesk("keys", "list", "--json").out) == []


def test_a_scope_that_does_not_exist_is_refused_with_those_that_do(frontdesk: Command) -> None:
    ended = frontdesk("keys", "create", "x", "--scope", "everything")
    assert ended.code == 1
    assert "knowledge" in ended.err
    assert ended.out == ""


def test_somebody_is_invited_by_a_link_and_listed(frontdesk: Command) -> None:
    ended = frontdesk("people", "invite", "ada@example.com", "--name", "Ada", "--role", "operator")
    assert ended.out.startswith("http://127.0.0.1:8000/sign-in#token=")
    (ada,) = json.loads(frontdesk("people", "list", "--json").out)
    assert (ada["name"], ada["role"], ada["email"]) == ("Ada", "operator", "ada@example.com")
    assert "password_hash" not in ada
    again = frontdesk("people", "invite", "ADA@example.com")
    assert again.code == 1
    assert "[conflict]" in again.err


def test_what_is_no_address_is_not_invited(frontdesk: Command) -> None:
    told = frontdesk("people", "invite", "ada")
    assert (told.code, "frontdesk people invite ada@example.com" in told.err) == (2, True)
    assert frontdesk("people", "list", "--json").out.strip() == "[]"


@pytest.mark.parametrize("words", [[], ["backup"]])
def test_a_group_alone_shows_what_it_can_do_as_no_mistake(words: list[str], frontdesk: Command) -> None:
    told = frontdesk(*words)
    assert (told.code, told.out) == (2, "")
    assert told.err == frontdesk(*words, "--help").out
    assert not any(line.endswith("...") for line in told.err.splitlines() if "[ARGS]" not in line)  # nothing is cut


def test_a_reader_who_has_had_enough_is_no_failure(home: Path) -> None:
    words = f"{sys.executable} -m frontdesk.cli config show | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("setting")


def test_status_of_a_desk_that_does_not_run_says_how_to_start_it(frontdesk: Command, home: Path) -> None:
    (home / "system.yaml").write_text(f"http: {{port: {free_port()}}}\n")
    told = frontdesk("status")
    assert (told.code, "Next: frontdesk up" in told.err) == (1, True)


def test_the_owner_gets_a_new_link_at_any_time(frontdesk: Command) -> None:
    first, second = (frontdesk("people", "link", "owner").out for _ in range(2))
    assert first != second
    unknown = frontdesk("people", "link", "nobody@example.com")
    assert unknown.code == 1
    assert "frontdesk people list" in unknown.err


def test_what_is_done_here_stands_in_the_audit_log(frontdesk: Command, home: Path) -> None:
    import sqlite3

    frontdesk("keys", "create", "my-script")
    with sqlite3.connect(home / "desk.db") as connection:
        rows = connection.execute("SELECT act, credential FROM audit").fetchall()
    connection.close()
    assert rows == [("key.create", "terminal")]


def test_check_proves_every_environment_and_tells_what_is_the_same_once(frontdesk: Command, home: Path) -> None:
    (home / "system.yaml").write_text(
        "services:\n  web: {role: web, port: 8000, needs: [web]}\n"
        "environments:\n  production: {deployment: {images: {tag: latest}}}\n"
    )
    ended = frontdesk("check", "--json")
    problems = [problem["what"] for problem in json.loads(ended.out)["problems"]]
    assert ended.code == 1
    assert sum("wait for each other" in what for what in problems) == 1
    assert any(what.startswith("In production: The images' tag") for what in problems)


def test_check_shows_how_the_cards_of_a_blueprint_are_shared(frontdesk: Command) -> None:
    ended = frontdesk("check", "agents")
    assert ended.code == 0
    assert "mainpc: RTX 4090, mps" in ended.out
    assert "described but not built yet" in ended.out


def test_check_tells_missing_secrets_and_what_cannot_run_together(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    (home / "system.yaml").write_text("services: {web: {role: web, port: 8000, needs: [web]}}")
    problems = [problem["what"] for problem in json.loads(frontdesk("check", "--json").out)["problems"]]
    assert any("SECRET_KEY is not set" in what for what in problems)
    assert any("wait for each other" in what for what in problems)
