"""`frontdesk checklist` and `frontdesk verify` as people and programs call them."""

import json
from pathlib import Path

import pytest

from frontdesk.operate.ports import free_port
from tests.cli.conftest import Command, desk, panel


@pytest.mark.proves("assistant-20")
def test_37_lines_with_their_state_and_1_while_one_fails(frontdesk: Command) -> None:
    ended = frontdesk("checklist")
    lines = [line for line in ended.out.splitlines() if line[:3].strip().isdigit()]
    assert [int(line[:3]) for line in lines] == list(range(1, 38))
    assert {line.split()[1] for line in lines} == {"pass", "fail", "manual"}
    assert ended.code == 1
    assert "for a person to look at" in ended.err


def test_a_program_gets_every_item(frontdesk: Command) -> None:
    told = json.loads(frontdesk("checklist", "--json", "--environment", "development").out)
    assert (len(told["items"]), told["environment"]) == (37, "development")
    assert told["pass"] + told["fail"] + told["manual"] == 37


@pytest.mark.parametrize(("when", "count"), [("before", 7), ("during", 6), ("after", 6)])
def test_the_lists_around_a_roll_out(frontdesk: Command, when: str, count: int) -> None:
    assert len(json.loads(frontdesk("checklist", "--when", when, "--json").out)["items"]) == count


@pytest.mark.proves("assistant-20")
def test_verification_prints_its_six_checks_and_ends_accordingly(frontdesk: Command, home: Path) -> None:
    with desk(home) as process:
        ended = frontdesk("verify", panel(process)["Open"])
        assert [line.split()[:3:2] for line in ended.out.splitlines()] == [
            ["1", "replicas"],
            ["2", "endpoints"],
            ["3", "health"],
            ["4", "metrics"],
            ["5", "database"],
            ["6", "redis"],
        ]
        assert ended.code == 0
    gone = frontdesk("verify", f"http://127.0.0.1:{free_port()}", "--json")
    told = json.loads(gone.out)
    assert (gone.code, told["ok"]) == (1, False)
    assert [check["name"] for check in told["checks"] if not check["ok"]][:4] == [
        "replicas",
        "endpoints",
        "health",
        "metrics",
    ]
