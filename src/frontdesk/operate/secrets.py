"""The desk's kept secrets: a file each in `secrets` of its home, made, listed, renewed and deleted; their values are
told nowhere.

The folder is for its owner's eyes alone (0700), and so is each file (0600). A file is written beside its place, forced
to the disk and then moved there, so that a secret is there whole or not at all.
"""

import os
import re
import secrets
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from frontdesk.errors import BadSetting, FrontdeskError, NotFound
from frontdesk.operate.errors import SecretExists, SecretInUse
from frontdesk.system.backup import BackupOptions
from frontdesk.system.environment import LARGEST, SECRETS, Variable
from frontdesk.system.layout.plan import Plan, required_secrets
from frontdesk.system.layout.stores import Postgres
from frontdesk.system.options import RedisOptions, StoreOptions
from frontdesk.system.section import Binding, NamedSecret, bindings
from frontdesk.system.system import System, is_placeholder

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,99}")
LENGTH = 48  # characters, where nothing else is said: 288 bits
SHORTEST = 16
OF_STORES = ("DATABASE_URL", "POSTGRES_PASSWORD", "REDIS_URL", "REDIS_PASSWORD")
LETTERS = string.ascii_letters + string.digits + "_-"  # what every place takes: addresses, headers, Telegram's too
SEALING = "ENCRYPTION_KEY"
OLD_SEALING = "ENCRYPTION_KEYS_OLD"

# What the desk makes for itself and keeps in its home. The kept secret begins as the same: nothing becomes unreadable.
OWN_FILES = {
    "SECRET_KEY": "secret.key",
    "JWT_SECRET_KEY": "jwt.key",
    SEALING: "encryption.key",
    "BACKUP_KEY": "backup.key",
}

# What a new value means beyond the restart of those that use it.
MEANING = {
    "SECRET_KEY": "Visitors' cookies and the links in letters to customers are void, and the audit log so far can be "
    "checked with the former one alone.",
    "JWT_SECRET_KEY": "Access tokens are void; pages fetch new ones by themselves.",
    SEALING: f"The former key is in {OLD_SEALING} and still reads. Then move everything: frontdesk encryption rotate",
    "BACKUP_KEY": "Backups so far open with the former key alone: keep it as long as them.",
    "POSTGRES_PASSWORD": "Tell the database too: ALTER ROLE … PASSWORD …",
    "DB_PASSWORD": "Tell the database too: ALTER ROLE … PASSWORD …",
    "REDIS_PASSWORD": "Tell Redis too: its setting requirepass.",
    "MCP_SERVICE_TOKEN": "Give it to the tool servers too.",
    "TELEGRAM_WEBHOOK_SECRET": "The desk tells Telegram at its next start.",
}
ASKED_FOR = ("SECRET_KEY", "BACKUP_KEY")  # whose renewal cannot be undone by the desk

Restart = Callable[[Sequence[str]], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A secret that is set. `origin` is where its value in effect comes from; `made` is None for one that is not kept
    here. `users` are settings and services. `hidden`: it is kept here, and something stronger counts. `open_to_others`:
    somebody else may read its file."""

    name: str
    made: datetime | None
    origin: str
    users: tuple[str, ...]
    hidden: bool = False
    open_to_others: bool = False


def folder_of(system: System) -> Path:
    """Where they are kept."""
    return system.home / SECRETS


# --- what there is ---


def listed(system: System) -> list[Secret]:
    """Every secret that is kept here or set elsewhere, by name."""
    names = {*_kept(system), *(name for name in _known(system) if system.environment_variables.get(name))}
    return [_secret(system, name) for name in sorted(names)]


def users(system: System, name: str) -> tuple[str, ...]:
    """Who uses the secret: settings by their paths, what the system file names, and services."""
    found = [".".join(map(str, binding.path)) for binding in _bindings(system) if binding.env.name == name]
    found += [secret.of for secret in _named(system) if secret.variable == name]
    found += [f"service {each.key}" for each in Plan(system).services if name in each.secrets]
    return tuple(dict.fromkeys(found))


def wanted(system: System) -> list[str]:
    """What the system needs, has not, and can be made up here: all that `create --all` makes.

    Passwords of stores are among them only where the desk brings the store along.
    """
    plan = Plan(system)
    brought = {name: store for name, store in plan.stores.items() if not store.managed and not _elsewhere(system, name)}
    described = [name for name, binding in plan.secrets.items() if binding is not None and name not in OF_STORES]
    needed = [*required_secrets(system, brought), *described]
    if system.section(BackupOptions).by_itself:
        needed.append("BACKUP_KEY")
    postgres = brought.get("postgres")
    if isinstance(postgres, Postgres) and postgres.replicas:
        needed.append("DB_REPLICATION_PASSWORD")
    return [name for name in dict.fromkeys(needed) if _ours(system, name) and not _in_effect(system, name)]


def services_with(system: System, name: str) -> tuple[str, ...]:
    """The services that must be started anew for a new value: those that get it, or where none is described to get it,
    all that are the desk itself."""
    every = Plan(system).services
    named = tuple(each.key for each in every if name in each.secrets)
    desk = tuple(each.key for each in every if each.service.role in ("all", "web", "worker"))
    return named or (desk if users(system, name) else ())


def made_at(system: System, name: str) -> int | None:
    """When the kept secret was written, in nanoseconds as its file tells; None for one that is not kept."""
    file = _kept(system).get(name)
    return file.stat().st_mtime_ns if file else None


# --- changes ---


def create(system: System, name: str, given: str | None = None, *, length: int | None = None) -> str:
    """Keep `given` under `name`, or else what the desk has for itself already, or else a made-up value.

    Says which: `given`, `the desk's own` or `made`. Raises `SecretExists`, `BadSetting` for a value or name that will
    not do, and for a secret that somebody else hands out.
    """
    _check_name(name)
    if name in _kept(system):
        raise SecretExists(f"{name} is kept already", where=str(folder_of(system) / name))
    own = _own(system, name) if given is None and length is None else None
    value = given if given is not None else own if own is not None else made_up(system, name, length)
    _check(system, name, value)
    _write(folder_of(system) / name, value)
    return "given" if given is not None else "the desk's own" if own is not None else "made"


def rotate(
    system: System,
    name: str,
    given: str | None = None,
    *,
    length: int | None = None,
    restart: Restart | None = None,
) -> list[str]:
    """Put another value in the place of a kept secret. A former sealing key stays, to read with.

    `restart` is given the services that use it, starts anew those of them that run, and says which. Returns the others.
    Raises `NotFound`; `SecretInUse` when something stronger than the kept secret counts; as `create` for values.
    """
    file = _existing(system, name)
    found = system.environment_variables.get(name)
    if found and found.origin != "secrets folder":
        hint = f"Unset {found.where}, or change it there."
        raise SecretInUse(f"{name} is set elsewhere too, and that is stronger", where=found.where, hint=hint)
    value = given if given is not None else made_up(system, name, length)
    _check(system, name, value)
    former = file.read_text().rstrip("\r\n")
    if value == former:
        raise BadSetting(f"{name} is the same as before", where=str(file))
    using = services_with(system, name)
    if name == SEALING:
        old = _old_keys(system)
        if restart is not None:  # those that run learn to read it before anybody seals with it
            _write(folder_of(system) / OLD_SEALING, ",".join([value, *old]), replace=True)
            restart(using)
        _write(
            folder_of(system) / OLD_SEALING, ",".join([former, *(key for key in old if key != former)]), replace=True
        )
    _write(file, value, replace=True)
    done = restart(using) if restart else ()
    return [service for service in using if service not in done]


def delete(system: System, name: str, *, although_used: bool = False) -> None:
    """Delete a kept secret. Raises `NotFound`, and `SecretInUse` with the names of those who use it."""
    file = _existing(system, name) if although_used else unused(system, name)
    file.unlink()


def unused(system: System, name: str) -> Path:
    """The file of a kept secret that nobody uses, or whose value something stronger hides. Raises as `delete`."""
    file = _existing(system, name)
    using = users(system, name)
    if using and not _secret(system, name).hidden:
        hint = "Let them do without it first, or delete it all the same with --force."
        raise SecretInUse(f"{name} is used by {', '.join(using)}", where=str(file), hint=hint)
    return file


def made_up(system: System, name: str, length: int | None = None) -> str:
    """A random value that the secret's setting takes. Raises `BadSetting` for a secret that somebody else hands out."""
    if not _ours(system, name):
        hint = f"frontdesk secrets create {name} --from-file FILE (- reads standard input)"
        raise BadSetting(f"{name} is handed out by somebody else, and cannot be made up here", where=name, hint=hint)
    least = max([SHORTEST, *(_shortest(system, name))])
    if length is not None and length < least:
        raise BadSetting(f"{name} has {least} characters at least", where="--length")
    text = "".join(secrets.choice(LETTERS) for _ in range(length or max(LENGTH, least)))
    digits = secrets.token_hex(32)  # the other form of a sealing key
    return text if length is not None or _takes(system, name, text) is None else digits


# --- how it is done ---


def _secret(system: System, name: str) -> Secret:
    file = _kept(system).get(name)
    found = _in_effect(system, name)
    status = file.stat() if file else None
    return Secret(
        name=name,
        made=datetime.fromtimestamp(status.st_mtime, UTC) if status else None,
        origin=found.where if found and found.origin != "secrets folder" else str(folder_of(system)),
        users=users(system, name),
        hidden=bool(file and found and found.origin != "secrets folder"),
        open_to_others=bool(status and status.st_mode & 0o077),
    )


def _kept(system: System) -> dict[str, Path]:
    folder = folder_of(system)
    return {file.name: file for file in folder.glob("*") if NAME.fullmatch(file.name)} if folder.is_dir() else {}


def _existing(system: System, name: str) -> Path:
    file = _kept(system).get(name)
    if file is None:
        raise NotFound(f"No secret {name} is kept here", where=str(folder_of(system)), hint="frontdesk secrets list")
    return file


def _bindings(system: System) -> Iterator[Binding]:
    for name, section in system.sections.items():
        yield from (binding for binding in bindings((name,), type(section)) if binding.env.secret)


def _named(system: System) -> Iterator[NamedSecret]:
    for section in system.sections.values():
        yield from section.named_secrets()


def _known(system: System) -> set[str]:
    in_services = {name for each in Plan(system).services for name in each.secrets}
    return {each.env.name for each in _bindings(system)} | {each.variable for each in _named(system)} | in_services


def _ours(system: System, name: str) -> bool:
    """Whether it may be made up. A name that nothing here knows is its owner's to fill."""
    every = (each for key, section in system.sections.items() for each in bindings((key,), type(section)))
    marks = [each.env.ours for each in every if each.env.name == name]
    marks += [each.ours for each in _named(system) if each.variable == name]
    return all(marks)


def _shortest(system: System, name: str) -> Iterator[int]:
    yield from (each.env.shortest for each in _bindings(system) if each.env.name == name)
    yield from (each.shortest for each in _named(system) if each.variable == name)


def _in_effect(system: System, name: str) -> Variable | None:
    found = system.environment_variables.get(name)
    return None if found is None or is_placeholder(found.value) else found


def _elsewhere(system: System, store: str) -> bool:
    """Whether the desk is told of a store that is there already, whose password nobody here can make up."""
    if store == "redis":
        return bool(system.section(RedisOptions).url)
    return bool(system.section(StoreOptions).address)


def _own(system: System, name: str) -> str | None:
    file = system.home / OWN_FILES[name] if name in OWN_FILES else None
    return file.read_text().split()[0] if file and file.is_file() and file.stat().st_size else None


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        hint = "It is called like the variable that it stands for: SECRET_KEY."
        raise BadSetting("The name of a secret has capital letters, digits and _", where=name, hint=hint)


def _check(system: System, name: str, value: str) -> None:
    if fault := _takes(system, name, value):
        raise BadSetting(f"{name} cannot be this: {fault}", where=name)


def _takes(system: System, name: str, value: str) -> str | None:
    """Why the secret cannot have this value; None when it can. Never holds the value."""
    if not value.strip() or len(value) > LARGEST or "\0" in value:
        return "it is empty or too long"
    known: tuple[str, ...] = ()
    for binding in _bindings(system):
        if binding.env.name == name:
            known += binding.env.placeholders
            parts: object = value.split(",") if binding.is_list else value
            try:
                kind: Any = Annotated[(binding.field.annotation, *binding.field.metadata)]
                TypeAdapter[Any](kind).validate_python(parts)
            except ValidationError as error:
                return error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
    if is_placeholder(value, known):
        return "it is a placeholder"
    least = max([1, *_shortest(system, name)])
    return f"it is shorter than {least} characters" if len(value) < least else None


def _old_keys(system: System) -> list[str]:
    """The former sealing keys that are kept here. Raises `SecretInUse` where somebody else says which there are."""
    found = system.environment_variables.get(OLD_SEALING)
    if found and found.origin != "secrets folder":
        hint = f"Move it among the kept secrets first: frontdesk secrets create {OLD_SEALING} --from-file -"
        raise SecretInUse(
            f"{OLD_SEALING} is set elsewhere, and the former key cannot join it", where=found.where, hint=hint
        )
    return [key.strip() for key in (found.value.split(",") if found else ()) if key.strip()]


def _write(file: Path, value: str, *, replace: bool = False) -> None:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.parent.chmod(0o700)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as made:
            made.write(value)
            made.flush()
            os.fsync(made.fileno())
        if replace:
            draft.replace(file)
            return
        try:
            os.link(draft, file)
        except FileExistsError as error:  # somebody else was faster
            raise SecretExists(f"{file.name} is kept already", where=str(file)) from error
        finally:
            draft.unlink()
    except OSError as error:
        raise FrontdeskError(f"The secret cannot be kept: {error.strerror}", where=str(file)) from error
