"""render: files for other tools."""

from pathlib import Path

import yaml

from tests.cli.conftest import Command


def test_alerts_are_written_and_named(frontdesk: Command, tmp_path: Path) -> None:
    ended = frontdesk("render", "alerts", "--blueprint", "conversation", "--out", tmp_path / "rules")
    assert (ended.code, ended.out.strip()) == (0, str(tmp_path / "rules" / "alerts.yml"))
    (group,) = yaml.safe_load((tmp_path / "rules" / "alerts.yml").read_text())["groups"]
    assert len(group["rules"]) == 8


def test_a_system_without_alerts_is_told_where_there_are_some(frontdesk: Command, tmp_path: Path) -> None:
    ended = frontdesk("render", "alerts", "--out", tmp_path / "rules")
    assert ended.code == 1
    assert "conversation" in ended.err
    assert not (tmp_path / "rules").exists()


def test_an_alert_with_a_mistake_is_told_with_its_line(frontdesk: Command, home: Path, tmp_path: Path) -> None:
    (home / "system.yaml").write_text("alerts:\n  rules:\n    - name: Down\n      for: soon\n")
    ended = frontdesk("render", "alerts", "--out", tmp_path / "rules")
    assert ended.code == 2
    assert "alerts.rules" in ended.err
