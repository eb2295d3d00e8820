"""`frontdesk doctor` as people and programs call it."""

import json
from pathlib import Path

import pytest

from frontdesk.operate.ports import free_port
from tests.cli.conftest import Command, desk, panel


@pytest.mark.proves("engagement-18")
def test_a_running_desk_is_examined_and_reported(frontdesk: Command, home: Path) -> None:
    with desk(home) as process:
        address = panel(process)["Open"]
        ended = frontdesk("doctor", "--address", address, "--report", "--json")
        told = json.loads(ended.out)
        assert {part["name"]: part["result"] for part in told["parts"] if part["name"] != "endpoints"} == {
            "replicas": "ok",
            "cpu and memory": "ok",
            "errors of the last hour": "ok",
            "health": "ok",
            "decisions": "ok",
        }
        assert (ended.code, told["ok"]) == (0, True)
    gone = frontdesk("doctor", "--address", address, "--report")
    assert gone.code == 1
    assert [line.split()[1:3] for line in gone.out.splitlines() if line.startswith("bad")][-1] == ["5.", "health"]
    assert "Next: frontdesk doctor" in gone.err


def test_a_desk_that_should_be_there_is_told_with_what_mends_it(frontdesk: Command) -> None:
    ended = frontdesk("doctor", "--address", f"http://127.0.0.1:{free_port()}")
    assert ended.code == 1
    assert "The desk is not available. Nothing listens at" in ended.out


def test_what_production_would_refuse_is_a_cause_of_not_starting(
    frontdesk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    ended = frontdesk("doctor", "--json")
    causes = [check["cause"] for check in json.loads(ended.out)["checks"] if check["check"] == "start"]
    assert ended.code == 1
    assert any("SECRET_KEY is not set" in cause for cause in causes)


def test_a_log_of_errors_makes_the_report_bad(frontdesk: Command, home: Path) -> None:
    from datetime import UTC, datetime

    at = datetime.now(UTC).isoformat()
    (home / "desk.log").write_text(json.dumps({"at": at, "level": "error", "event": "turn_failed", "code": "x"}) + "\n")
    ended = frontdesk("doctor", "--report", "--log", str(home / "desk.log"))
    assert "turn_failed code=x" in ended.out
    assert ended.code == 1


def test_a_service_that_nobody_describes_is_named(frontdesk: Command) -> None:
    ended = frontdesk("doctor", "--service", "no-such")
    assert ended.code == 1
    assert "describes no service 'no-such'" in ended.err
