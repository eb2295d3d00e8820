"""backup and restore, as somebody at the desk's machine meets them."""

import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest

from frontdesk.operate.backup import manifest, own_server
from tests.cli.conftest import Command

KEY = "0123456789abcdef" * 4


@pytest.fixture
def made(frontdesk: Command, home: Path) -> str:
    """The name of a backup of a desk at which somebody has an API key."""
    frontdesk("keys", "create", "script")
    return frontdesk("backup", "create").out.strip()


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_a_backup_is_made_listed_and_verified(frontdesk: Command, home: Path) -> None:
    nothing = frontdesk("backup", "create")  # of a home that was lost it would take the place of good ones
    assert nothing.code == 1
    assert "There is no database to back up" in nothing.err
    frontdesk("keys", "create", "script")
    ended = frontdesk("backup", "create")
    assert ended.code == 0
    name = ended.out.strip()
    assert name.startswith("frontdesk_2")
    assert f"Copy {home / 'backup.key'} to another place now" in ended.err
    assert (home / "backup.key").read_text() not in ended.err
    assert "It lies in the home that it protects" in ended.err
    assert f"frontdesk restore {name}" in ended.err
    assert name in frontdesk("backup", "list").out
    [listed] = json.loads(frontdesk("backup", "list", "--json").out)
    assert (listed["name"], listed["damaged"], listed["place"]) == (name, False, str(home / "backups"))
    assert listed["database"]["counts"]["people"] == 1
    verified = frontdesk("backup", "verify")
    assert verified.code == 0
    assert verified.out.startswith("ok")


def test_the_name_is_of_the_desk_or_as_the_system_file_says(frontdesk: Command, home: Path) -> None:
    frontdesk("keys", "create", "script")
    lean = (home / "system.yaml").read_text()
    (home / "system.yaml").write_text(f"desk: {{name: AI Assistant}}\n{lean}")
    assert frontdesk("backup", "create").out.startswith("ai_assistant_2")
    (home / "system.yaml").write_text(f"backup: {{name: nightly-%Y}}\n{lean}")
    first, *others = [frontdesk("backup", "create").out.strip() for _ in range(3)]
    assert first.startswith("nightly-2")
    assert others == [f"{first}_2", f"{first}_3"]
    assert frontdesk("backup", "verify", "--all").code == 0
    (home / "system.yaml").write_text(f"backup: {{name: always the same}}\n{lean}")
    assert "a name has letters" in frontdesk("check").out


@pytest.mark.proves("agents-16")
def test_verifying_ends_with_1_and_names_the_damaged_piece(frontdesk: Command, home: Path, made: str) -> None:
    spoil(home / "backups" / made / "keys.sealed")
    ended = frontdesk("backup", "verify")
    assert ended.code == 1
    assert "damaged" in ended.out
    assert "keys" in ended.out
    told = json.loads(frontdesk("backup", "verify", made, "--json").out)
    assert told["ok"] is False
    assert told["backups"][0]["problem"]["code"] == "backup_damaged"
    (home / "backups" / made / "manifest.json").unlink()
    assert "damaged" in frontdesk("backup", "list").out
    assert frontdesk("backup", "verify", "--all").code == 1
    assert frontdesk("backup", "verify", "no_such_backup").code == 1


def test_what_all_of_them_were_found_to_be_is_recorded_for_the_alert_where_it_is_asked_for(
    frontdesk: Command, home: Path, made: str
) -> None:
    def acts() -> list[tuple[str, int]]:
        with closing(sqlite3.connect(home / "desk.db")) as database:
            return database.execute(
                "SELECT subject, outcome FROM audit WHERE act = 'backup.verify' ORDER BY seq"
            ).fetchall()

    assert frontdesk("backup", "verify", "--all").code == 0
    assert acts() == []
    assert frontdesk("backup", "verify", "--record").code == 2
    assert frontdesk("backup", "verify", "--all", "--record").code == 0
    assert acts() == [("", 200)]
    whole = (home / "backups" / made / "keys.sealed").read_bytes()
    spoil(home / "backups" / made / "keys.sealed")
    told = frontdesk("backup", "verify", "--all", "--record", "--json")
    assert (told.code, json.loads(told.out)["ok"]) == (1, False)
    assert acts() == [("", 200), (made, 500)]
    (home / "backups" / made / "keys.sealed").write_bytes(whole)
    assert frontdesk("backup", "verify", "--all", "--record").code == 0
    assert acts()[2:] == [("", 200)]
    assert "The newest is" in frontdesk("doctor").out
    shutil.rmtree(home / "backups")
    lost = frontdesk("backup", "verify", "--all", "--record")
    assert (lost.code, f"gone        {made}" in lost.out) == (1, True)
    assert acts()[3:] == [(made, 500)]
    diagnosed = frontdesk("doctor")
    assert (diagnosed.code, f"{made} was made, and is not there any more" in diagnosed.out) == (1, True)
    (home / "desk.db").unlink()
    lost = frontdesk("backup", "verify", "--all", "--record")
    assert (lost.code, (home / "desk.db").exists()) == (1, False)


def test_a_second_place_holds_the_same_and_loses_the_outdated_too(
    frontdesk: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdesk("keys", "create", "script")
    monkeypatch.setenv("BACKUP_FOLDER", str(tmp_path / "disk"))
    monkeypatch.setenv("BACKUP_REMOTE", str(tmp_path / "share"))
    name = frontdesk("backup", "create").out.strip()
    for file in (tmp_path / "disk" / name).iterdir():
        assert file.read_bytes() == (tmp_path / "share" / name / file.name).read_bytes()
    told = json.loads(frontdesk("backup", "prune", "--dry-run", "--json").out)
    assert told == []
    assert frontdesk("backup", "prune").err.endswith("0 removed.\n")
    verified = json.loads(frontdesk("backup", "verify", "--json").out)
    assert [each["place"] for each in verified["backups"]] == [str(tmp_path / "disk"), str(tmp_path / "share")]
    shutil.rmtree(tmp_path / "disk")
    assert frontdesk("restore", "latest", "--into", str(tmp_path / "new")).code == 0


def test_a_second_place_that_takes_nothing_fails_the_backup_but_leaves_the_first(
    frontdesk: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdesk("keys", "create", "script")
    (tmp_path / "share").write_text("a file, no folder")
    monkeypatch.setenv("BACKUP_REMOTE", str(tmp_path / "share"))
    ended = frontdesk("backup", "create")
    assert ended.code == 1
    assert "backup_failed" in ended.err
    assert len(list((home / "backups").iterdir())) == 1


def test_production_wants_a_key_that_outlives_the_machine(
    frontdesk: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdesk("keys", "create", "script")
    for name in ("SECRET_KEY", "JWT_SECRET_KEY", "MCP_SERVICE_TOKEN"):
        monkeypatch.setenv(name, name * 8)
    monkeypatch.setenv("ENCRYPTION_KEY", KEY[::-1])
    monkeypatch.setenv("ENVIRONMENT", "production")
    ended = frontdesk("backup", "create")
    assert ended.code == 2
    assert "BACKUP_KEY" in ended.err
    assert not (home / "backup.key").exists()
    monkeypatch.setenv("BACKUP_KEY", KEY)
    assert frontdesk("backup", "create").code == 0


# --- several desks in one place, several keys ---------------------------------


def aged(place: Path, name: str, days: int, **changes: str) -> str:
    """Another backup like it, as if it had been made some days earlier, or by somebody else; its name."""
    made = manifest.read((place / name / manifest.MANIFEST).read_bytes(), name)
    other = f"{name}_{days}_days_ago"
    shutil.copytree(place / name, place / other)
    made = msgspec.structs.replace(made, name=other, made_at=made.made_at - timedelta(days=days), **changes)
    for file, content in manifest.written(made, bytes.fromhex(KEY)).items():
        (place / other / file).write_bytes(content)
    return other


@pytest.fixture
def shared(frontdesk: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for backups of a desk whose key comes from the environment."""
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("BACKUP_FOLDER", str(tmp_path / "share"))
    frontdesk("keys", "create", "script")
    return tmp_path / "share"


def test_what_is_outdated_goes_and_what_other_desks_have_put_there_stays(frontdesk: Command, shared: Path) -> None:
    name = frontdesk("backup", "create").out.strip()
    own, before_a_renewal = aged(shared, name, 31), aged(shared, name, 32, key="another key")
    strangers = aged(shared, name, 33, key="another key", signed_with="another secret")
    told = json.loads(frontdesk("backup", "prune", "--dry-run", "--json").out)
    assert [each["name"] for each in told] == [before_a_renewal, own]
    assert (shared / own).exists()
    assert frontdesk("backup", "prune").err.endswith("2 removed.\n")
    assert {each.name for each in shared.iterdir()} == {name, strangers}


def test_the_last_whole_backup_stays_when_newer_ones_are_damaged(frontdesk: Command, shared: Path) -> None:
    name = frontdesk("backup", "create").out.strip()
    old = aged(shared, name, 31)
    spoil(shared / name / "database.sealed")
    assert frontdesk("backup", "prune").err.endswith("0 removed.\n")
    assert {each.name for each in shared.iterdir()} == {name, old}


def test_a_former_key_is_told_from_damage_and_the_newest_is_the_newest_that_opens(
    frontdesk: Command, home: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lean = (home / "system.yaml").read_text()
    for number, key in enumerate((KEY, KEY[::-1])):
        (home / "system.yaml").write_text(f"backup: {{name: made-{number}-%Y}}\n{lean}")
        monkeypatch.setenv("BACKUP_KEY", key)
        assert frontdesk("backup", "create").code == 0
    verified = frontdesk("backup", "verify", "--all", "--json")
    states = {each["name"][:6]: each["state"] for each in json.loads(verified.out)["backups"]}
    assert (verified.code, states) == (1, {"made-0": "other key", "made-1": "ok"})
    (home / "system.yaml").write_text(f"desk: {{name: Another}}\n{lean}")
    assert frontdesk("backup", "verify", "--all").code == 0  # what another desk keeps there is not this one's to read
    monkeypatch.setenv("BACKUP_KEY", KEY)
    restored = frontdesk("restore", "latest", "--into", str(tmp_path / "new"))
    assert (restored.code, restored.out[:6]) == (0, "made-0")


# --- killed ---------------------------------------------------------------------


def killed(at: str, *words: str) -> None:
    """Run the command, which is killed when it comes to that function."""
    module, _, name = at.rpartition(".")
    program = (
        f"import os, signal, {module} as there\n"
        f"there.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from frontdesk.cli.main import run\n"
        f"run({list(words)!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.proves("promise-19")
@pytest.mark.parametrize("at", ["creating._write", "creating.check", "shelves.to_disk"])
def test_a_backup_that_was_killed_is_none(frontdesk: Command, home: Path, at: str) -> None:
    frontdesk("keys", "create", "script")
    killed(f"frontdesk.operate.backup.{at}", "backup", "create")
    assert json.loads(frontdesk("backup", "list", "--json").out) == []
    assert frontdesk("backup", "verify").code == 1
    name = frontdesk("backup", "create").out.strip()
    assert frontdesk("backup", "verify", "--all").out.split()[:2] == ["ok", name]


def test_a_system_file_that_cannot_be_read_is_brought_back_once_it_is_out_of_the_way(
    frontdesk: Command, home: Path, made: str
) -> None:
    good = (home / "system.yaml").read_text()
    (home / "system.yaml").write_text("knowledge: {embedder: none}\n")
    refused = frontdesk("restore", made, "--only", "config")
    assert (refused.code, f"move {home / 'system.yaml'} away" in refused.err) == (2, True)
    (home / "system.yaml").rename(home / "broken.yaml")
    assert frontdesk("restore", made, "--only", "config").code == 0
    assert (home / "system.yaml").read_text() == good


@pytest.mark.proves("promise-19")
@pytest.mark.parametrize(
    ("at", "rows"), [("restoring._unpacked", 0), ("restoring._prove", 0), ("restoring._placed", 1)]
)
def test_a_restore_that_was_killed_is_done_again(
    frontdesk: Command, tmp_path: Path, made: str, at: str, rows: int
) -> None:
    into = ("--into", str(tmp_path / "new"))
    killed(f"frontdesk.operate.backup.{at}", "restore", made, *into)
    again = frontdesk("restore", made, *into)
    if rows:  # the database was there already, whole
        assert (again.code, "rows in the database" in again.err) == (2, True)
        again = frontdesk("restore", made, *into, "--yes")
    assert again.code == 0, again.err
    [key] = json.loads(frontdesk("keys", "list", "--json", "--home", str(tmp_path / "new")).out)
    assert key["name"] == "script"


# --- restore ----------------------------------------------------------------


def test_a_desk_with_a_postgresql_of_its_own_is_backed_up_and_restored_whether_that_runs_or_not(
    frontdesk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TemporaryDirectory(prefix="frontdesk-own-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # where we are root, PostgreSQL runs as another user
        old, new = folder / "old", folder / "new"
        old.mkdir()
        monkeypatch.setenv("BACKUP_KEY", KEY)
        monkeypatch.setenv("FRONTDESK_HOME", str(old))
        (old / "servers.key").write_text("its password")
        with own_server.run(old, "its password") as url:
            monkeypatch.setenv("DATABASE_URL", url)
            assert frontdesk("keys", "create", "script").code == 0
            monkeypatch.delenv("DATABASE_URL")
            assert frontdesk("backup", "create").code == 0
        assert own_server.running(old, "its password") is None
        second = frontdesk("backup", "create")
        assert second.code == 0, second.err
        name = second.out.strip()
        (old / "desk.db").write_bytes(b"")
        doubtful = frontdesk("backup", "create")
        assert doubtful.code == 2
        assert "DATABASE_URL=sqlite:///" in doubtful.err
        restored = frontdesk("restore", name, "--into", str(new), "--json")
        assert restored.code == 0, restored.err
        assert json.loads(restored.out)["database"]["counts"]["api_keys"] == 1
        with own_server.run(new, (new / "servers.key").read_text()) as url:
            monkeypatch.setenv("DATABASE_URL", url)
            [key] = json.loads(frontdesk("keys", "list", "--json", "--home", str(new)).out)
            monkeypatch.delenv("DATABASE_URL")
            assert key["name"] == "script"
        spoil(old / "backups" / name / "database.sealed")
        damaged = frontdesk("restore", name, "--into", str(folder / "never"))
        assert damaged.code == 1
        assert not (folder / "never").exists()


def test_a_lost_home_comes_back_from_another_disk_and_a_key(
    frontdesk: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_KEY", KEY)
    monkeypatch.setenv("BACKUP_FOLDER", str(tmp_path / "disk"))
    secret = frontdesk("keys", "create", "script").out
    name = frontdesk("backup", "create").out.strip()
    described = (home / "system.yaml").read_text()
    shutil.rmtree(home)
    monkeypatch.delenv("BACKUP_FOLDER")
    ended = frontdesk("restore", "latest", "--from", str(tmp_path / "disk"), "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["name"] == name
    assert told["recovery_point_seconds"] > 0
    assert told["recovery_time_seconds"] > 0
    assert told["database"]["counts"]["api_keys"] == 1
    assert (home / "system.yaml").read_text() == described
    [key] = json.loads(frontdesk("keys", "list", "--json").out)
    assert secret.startswith(key["prefix"])


def test_people_are_told_how_old_the_backup_was_and_how_long_it_took(
    frontdesk: Command, tmp_path: Path, made: str
) -> None:
    ended = frontdesk("restore", made, "--into", str(tmp_path / "new"))
    assert ended.code == 0
    assert ended.out == f"{made} is back in {tmp_path / 'new'}\n"
    for words in ("rows", "audit log", "recovery point", "recovery time", "Next: frontdesk check"):
        assert words in ended.err


def test_both_desks_remember_a_restore_that_was_tried_elsewhere(
    frontdesk: Command, home: Path, tmp_path: Path, made: str
) -> None:
    frontdesk("restore", made, "--into", str(tmp_path / "new"))
    for there in (home, tmp_path / "new"):
        connection = sqlite3.connect(there / "desk.db")
        acts = connection.execute("SELECT act, subject FROM audit ORDER BY seq").fetchall()
        connection.close()
        assert acts[-1] == ("backup.restore", made)


def test_what_the_desk_knows_is_found_again(frontdesk: Command, tmp_path: Path) -> None:
    document = tmp_path / "opening.md"
    document.write_text("# Opening hours\n\nThe bell rings at nine.\n")
    assert frontdesk("knowledge", "add", str(document)).code == 0
    name = frontdesk("backup", "create").out.strip()
    assert frontdesk("restore", name, "--into", str(tmp_path / "new")).code == 0
    [known] = json.loads(frontdesk("knowledge", "list", "--json", "--home", str(tmp_path / "new")).out)
    assert known["title"] == "Opening hours"
    connection = sqlite3.connect(tmp_path / "new" / "desk.db")
    found = connection.execute("SELECT count(*) FROM passages_search WHERE passages_search MATCH 'bell'").fetchone()
    connection.close()
    assert found == (1,)


def test_what_is_there_is_replaced_only_by_consent(
    frontdesk: Command, home: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontdesk("keys", "create", "another")
    keys: Callable[[], int] = lambda: len(json.loads(frontdesk("keys", "list", "--json").out))  # noqa: E731
    refused = frontdesk("restore", made)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "rows in the database" in refused.err
    assert keys() == 2
    for answer, left in (("n\n", 2), ("y\n", 1)):
        terminal = io.StringIO(answer)
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", terminal)
        ended = frontdesk("restore", made)
        assert ended.code == (130 if left == 2 else 0)
        assert "Replace it by" in ended.err
        assert keys() == left
    frontdesk("keys", "create", "another")
    assert frontdesk("restore", made, "--yes").code == 0
    assert keys() == 1


@pytest.mark.proves("agents-16")
@pytest.mark.parametrize("only", ["config", "data"])
def test_a_part_can_be_restored(frontdesk: Command, home: Path, tmp_path: Path, made: str, only: str) -> None:
    new = tmp_path / "new"
    assert frontdesk("restore", made, "--into", str(new), "--only", only).code == 0
    there = {file.name for file in new.iterdir()}
    if only == "config":
        assert there == {"system.yaml"}
    else:
        assert "system.yaml" not in there
        assert {"desk.db", "secret.key", "encryption.key"} <= there


def test_refusals_touch_nothing_and_say_what_mends_them(
    frontdesk: Command, home: Path, tmp_path: Path, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    into = ("--into", str(new))
    missing = frontdesk("restore", "no_such_backup", *into)
    assert missing.code == 1
    assert "frontdesk backup list" in missing.err
    monkeypatch.setenv("BACKUP_KEY", KEY)
    assert frontdesk("restore", made, *into).code == 2
    monkeypatch.delenv("BACKUP_KEY")
    other = tmp_path / "other.yaml"
    other.write_text(f"blueprint: engagement\n{(home / 'system.yaml').read_text()}")
    foreign = frontdesk("restore", made, *into, "--system", str(other))
    assert foreign.code == 2
    assert "backup_foreign" in foreign.err
    spoil(home / "backups" / made / "database.sealed")
    damaged = frontdesk("restore", made, *into)
    assert damaged.code == 1
    assert "backup_damaged" in damaged.err
    (home / "backup.key").unlink()
    keyless = frontdesk("restore", made, *into)
    assert keyless.code == 2
    assert "BACKUP_KEY_FILE" in keyless.err
    assert not new.exists()
