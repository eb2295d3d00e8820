"""Kept secrets: what is made up fits its setting, what is in use stays, and nothing is readable by others."""

import re
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from frontdesk.app.sealing import ring_of
from frontdesk.errors import BadSetting, NotFound
from frontdesk.operate import secrets
from frontdesk.operate.errors import SecretExists, SecretInUse
from frontdesk.system.load import examine, load
from frontdesk.system.system import System

PRODUCTION = {"ENVIRONMENT": "production"}
REQUIRED = ["MCP_SERVICE_TOKEN", "SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY"]
SERVICES = """\
services:
  web: {role: web, port: 8000, needs: [postgres], secrets: [OPENAI_API_KEY, PARTNER_TOKEN]}
  pages: {role: frontend, port: 5000, calls: [web]}
stores:
  postgres: {database: desk}
"""


def system_in(home: Path, text: str = "", **variables: str) -> System:
    file = home / "system.yaml"
    file.write_text(text)
    system, problems = examine(file, home=home, variables=variables)
    assert system is not None, problems
    return system


def value(home: Path, name: str) -> str:
    return (home / "secrets" / name).read_text()


# --- create ---


def test_production_starts_with_what_is_made_up_for_it(tmp_path: Path) -> None:
    system = system_in(tmp_path, **PRODUCTION)
    assert sorted(secrets.wanted(system)) == sorted(REQUIRED)
    for name in REQUIRED:
        assert secrets.create(system, name) == "made"
    started = load(home=tmp_path, variables=PRODUCTION)
    assert secrets.wanted(started) == []
    assert str(started.source_of("gate.secret_key")) == f"secrets folder {tmp_path / 'secrets' / 'SECRET_KEY'}"
    assert len({value(tmp_path, name) for name in REQUIRED}) == 4


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o755)
    secrets.create(system_in(tmp_path), "SECRET_KEY")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "SECRET_KEY").stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "secrets").iterdir()] == ["SECRET_KEY"]


@pytest.mark.parametrize("length", [None, 32, 64, 100])
def test_a_made_up_secret_has_the_form_that_its_setting_wants(tmp_path: Path, length: int | None) -> None:
    system = system_in(tmp_path)
    token = secrets.made_up(system, "TELEGRAM_WEBHOOK_SECRET", length)
    assert re.fullmatch(rf"[A-Za-z0-9_-]{{{length or 48}}}", token)
    assert len(secrets.made_up(system, "SECRET_KEY", length)) == (length or 48)


def test_a_sealing_key_is_64_digits_or_32_characters(tmp_path: Path) -> None:
    system = system_in(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{64}", secrets.made_up(system, "ENCRYPTION_KEY"))
    assert len(secrets.made_up(system, "ENCRYPTION_KEY", 32)) == 32
    with pytest.raises(BadSetting, match="a key is 32 characters"):
        secrets.create(system, "ENCRYPTION_KEY", length=40)
    with pytest.raises(BadSetting, match="32 characters at least"):
        secrets.made_up(system, "SECRET_KEY", 20)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "TELEGRAM_BOT_TOKEN", "DATABASE_URL", "GOOGLE_CLIENT_ID"])
def test_what_somebody_else_hands_out_is_not_made_up(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="handed out by somebody else") as caught:
        secrets.create(system_in(tmp_path), name)
    assert f"frontdesk secrets create {name} --from-file" in caught.value.hint


def test_a_given_secret_is_held_to_its_settings_rules_and_is_not_told(tmp_path: Path) -> None:
    system = system_in(tmp_path)
    assert secrets.create(system, "TELEGRAM_BOT_TOKEN", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw") == "given"
    for name, bad in (
        ("TELEGRAM_WEBHOOK_SECRET", "with a space"),
        ("SECRET_KEY", "short-canary"),
        ("OPENAI_API_KEY", "sk-..."),
        ("REDIS_URL", "http://canary"),
        ("PARTNER_TOKEN", ""),
    ):
        with pytest.raises(BadSetting) as caught:
            secrets.create(system, name, bad)
        assert "canary" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("name", ["../outside", "lower", "A/B", "", "1A"])
def test_a_secret_is_called_like_a_variable(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadSetting, match="capital letters"):
        secrets.create(system_in(tmp_path), name, "some value of a test")


def test_a_secret_that_is_kept_is_not_written_over(tmp_path: Path) -> None:
    system = system_in(tmp_path)
    secrets.create(system, "SECRET_KEY")
    before = value(tmp_path, "SECRET_KEY")
    with pytest.raises(SecretExists):
        secrets.create(system, "SECRET_KEY")
    assert value(tmp_path, "SECRET_KEY") == before


def test_the_desks_own_keys_become_the_kept_ones_so_nothing_is_lost(tmp_path: Path) -> None:
    sealed = ring_of(load(home=tmp_path, variables={})).seal(b"words", "column")
    assert secrets.create(system_in(tmp_path), "ENCRYPTION_KEY") == "the desk's own"
    assert ring_of(load(home=tmp_path, variables={})).unseal(sealed, "column") == b"words"


def test_passwords_of_stores_that_the_desk_brings_along_are_wanted_and_others_are_not(tmp_path: Path) -> None:
    assert "POSTGRES_PASSWORD" in secrets.wanted(system_in(tmp_path, SERVICES))
    there = system_in(tmp_path, SERVICES, DATABASE_URL="postgresql://desk@db.example/desk")
    assert "POSTGRES_PASSWORD" not in secrets.wanted(there)


# --- list ---


@pytest.mark.proves("agents-13")
def test_the_list_has_names_ages_and_users_and_no_value(tmp_path: Path) -> None:
    system = system_in(tmp_path, SERVICES)
    secrets.create(system, "SECRET_KEY")
    secrets.create(system, "PARTNER_TOKEN", "canary-of-a-partner")
    system = system_in(tmp_path, SERVICES, OPENAI_API_KEY="sk-canary-of-openai")
    found = {secret.name: secret for secret in secrets.listed(system)}
    assert found["SECRET_KEY"].users == ("gate.secret_key", "service web")
    assert found["PARTNER_TOKEN"].users == ("service web",)
    assert found["OPENAI_API_KEY"].made is None
    assert found["OPENAI_API_KEY"].origin == "OPENAI_API_KEY"
    assert found["SECRET_KEY"].made is not None
    assert "canary" not in repr(found)
    assert value(tmp_path, "SECRET_KEY") not in repr(found)


def test_the_list_tells_what_is_hidden_and_what_others_can_read(tmp_path: Path) -> None:
    secrets.create(system_in(tmp_path), "SECRET_KEY")
    (tmp_path / "secrets" / "SECRET_KEY").chmod(0o644)
    [secret] = secrets.listed(system_in(tmp_path, SECRET_KEY="a-stronger-one-from-a-variable-of-this-process"))
    assert (secret.hidden, secret.open_to_others, secret.origin) == (True, True, "SECRET_KEY")


# --- rotate ---


@pytest.mark.proves("conversation-12")
def test_a_renewed_sealing_key_leaves_what_was_sealed_readable(tmp_path: Path) -> None:
    secrets.create(system_in(tmp_path), "ENCRYPTION_KEY")
    sealed = [ring_of(system_in(tmp_path)).seal(b"words", "column")]
    for _ in range(3):
        secrets.rotate(system_in(tmp_path), "ENCRYPTION_KEY")
        sealed.append(ring_of(system_in(tmp_path)).seal(b"words", "column"))
    ring = ring_of(system_in(tmp_path))
    assert [ring.unseal(each, "column") for each in sealed] == [b"words"] * 4
    assert value(tmp_path, "ENCRYPTION_KEYS_OLD").count(",") == 2


@pytest.mark.proves("agents-13")
def test_those_that_run_with_a_secret_are_started_anew_and_the_others_are_named(tmp_path: Path) -> None:
    system = system_in(tmp_path, SERVICES)
    secrets.create(system, "PARTNER_TOKEN", "the first one of a test")
    asked: list[str] = []
    assert secrets.rotate(system, "PARTNER_TOKEN", "the second one of a test") == ["web"]
    assert (
        secrets.rotate(system, "PARTNER_TOKEN", "the third one", restart=lambda names: asked.extend(names) or names)
        == []
    )
    assert asked == ["web"]
    assert value(tmp_path, "PARTNER_TOKEN") == "the third one"


def test_those_that_run_can_read_a_new_sealing_key_before_anybody_seals_with_it(tmp_path: Path) -> None:
    text = "services: {web: {role: web, port: 8000}, worker: {role: worker}}\n"
    secrets.create(system_in(tmp_path, text), "ENCRYPTION_KEY")
    sealed = ring_of(system_in(tmp_path, text)).seal(b"words", "column")
    known: list[tuple[str, frozenset[str]]] = []

    def restart(services: Sequence[str]) -> Sequence[str]:
        assert set(services) == {"web", "worker"}
        ring = ring_of(system_in(tmp_path, text))
        assert ring.unseal(sealed, "column") == b"words"
        known.append((ring.name, ring.names))
        return services

    assert secrets.rotate(system_in(tmp_path, text), "ENCRYPTION_KEY", restart=restart) == []
    (before, readable), (after, _) = known
    assert after != before
    assert after in readable


def test_what_is_set_elsewhere_is_renewed_there(tmp_path: Path) -> None:
    secrets.create(system_in(tmp_path), "SECRET_KEY")
    before = value(tmp_path, "SECRET_KEY")
    with pytest.raises(SecretInUse, match="stronger"):
        secrets.rotate(system_in(tmp_path, SECRET_KEY="x" * 40), "SECRET_KEY")
    secrets.create(system_in(tmp_path), "ENCRYPTION_KEY")
    with pytest.raises(SecretInUse, match="ENCRYPTION_KEYS_OLD is set elsewhere"):
        secrets.rotate(system_in(tmp_path, ENCRYPTION_KEYS_OLD="y" * 32), "ENCRYPTION_KEY")
    assert value(tmp_path, "SECRET_KEY") == before


def test_a_secret_that_nobody_keeps_cannot_be_renewed_or_deleted(tmp_path: Path) -> None:
    for act in (secrets.rotate, secrets.delete):
        with pytest.raises(NotFound):
            act(system_in(tmp_path), "SECRET_KEY")


# --- delete ---


@pytest.mark.proves("agents-13")
def test_a_secret_in_use_stays_and_its_users_are_named(tmp_path: Path) -> None:
    system = system_in(tmp_path, SERVICES)
    secrets.create(system, "SECRET_KEY")
    secrets.create(system, "PARTNER_TOKEN", "canary of a partner")
    for name, user in (("SECRET_KEY", "gate.secret_key"), ("PARTNER_TOKEN", "service web")):
        with pytest.raises(SecretInUse, match=re.escape(user)):
            secrets.delete(system, name)
    assert secrets.delete(system, "SECRET_KEY", although_used=True) is None
    secrets.delete(system_in(tmp_path), "PARTNER_TOKEN")
    assert list((tmp_path / "secrets").iterdir()) == []
