"""The backups of a desk: what it is made of, where they lie, what seals them, and when it makes one by itself."""

import asyncio
import hashlib
import platform
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain, count
from pathlib import Path

import structlog

from frontdesk.app.sealing import ring_of
from frontdesk.app.store import Store
from frontdesk.app.work import Chores, in_rounds
from frontdesk.errors import BadSetting, FrontdeskError, NotFound, WrongKey
from frontdesk.gate.signing import derived_key, kept_secret
from frontdesk.operate.backup import manifest
from frontdesk.operate.backup.checking import Watch, check, unwatched
from frontdesk.operate.backup.creating import Subject, create, send
from frontdesk.operate.backup.databases import store_of
from frontdesk.operate.backup.folder import BACKUP_KEY
from frontdesk.operate.backup.manifest import Manifest
from frontdesk.operate.backup.restoring import Keys
from frontdesk.operate.backup.retention import outdated
from frontdesk.operate.backup.shelves import Folder, Shelf, whole
from frontdesk.operate.errors import BackupDamaged, BackupTooNew
from frontdesk.ports import Clock, Job
from frontdesk.store.audit import Act, Audit
from frontdesk.store.keyring import KEY_BYTES, key_id, key_of
from frontdesk.system.backup import BackupOptions
from frontdesk.system.system import System
from frontdesk.telemetry import metrics

DONE, FAILED = 200, 500  # outcomes of the act in the audit log
ACT, VERIFIED, RESTORED = "backup.create", "backup.verify", "backup.restore"
LOOK_SECONDS = 60.0

log = structlog.get_logger("frontdesk.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backups:
    """The backups of one desk. `made_key` tells that their key was made just now and lies in the home alone."""

    options: BackupOptions
    subject: Subject
    key: bytes
    made_key: bool
    here: Folder
    remote: Shelf | None

    @classmethod
    def of(cls, system: System, secret: bytes) -> "Backups":
        """Those of this desk, whose secret it is. Raises `BadSetting`, or `MissingExtra` for a bucket."""
        file = system.home / BACKUP_KEY
        missing = not file.exists()
        key = _key_to_seal(system)
        here, remote = shelves_of(system)
        return cls(
            options=system.section(BackupOptions),
            subject=_subject(system, secret),
            key=key,
            made_key=missing and file.exists(),
            here=here,
            remote=remote,
        )

    @property
    def shelves(self) -> tuple[Shelf, ...]:
        """Here, and the second place if there is one."""
        return tuple(filter(None, (self.here, self.remote)))

    async def make(self, clock: Clock, watch: Watch = unwatched) -> Manifest:
        """A backup here and in the second place; then the outdated ones go. Raises `BackupFailed` and its kin."""
        began, options = clock.now(), self.options
        name = await asyncio.to_thread(self._free, options.name_of(began, self.subject.desk))
        made = await create(
            self.subject, name, self.key, self.here, began, clock.now, verify=options.verify, watch=watch
        )
        if self.remote is not None:
            await send(made, self.here, self.remote, self.key, verify=options.verify, watch=watch)
        await self.prune(clock.now(), whole=name)
        return made

    def _free(self, name: str) -> str:
        """The name, with a number behind it where a backup has it: of the same second, or of another desk."""
        taken = set(self.here.names())
        if self.remote is not None:
            with suppress(FrontdeskError):  # it is told when the backup is sent
                taken.update(self.remote.names())
        return next(each for each in chain([name], (f"{name}_{number}" for number in count(2))) if each not in taken)

    async def prune(self, now: datetime, *, really: bool = True, whole: str = "") -> list[tuple[str, str]]:
        """Take the outdated ones away in both places: place and name of each.

        Nothing goes before a newer one was read to its end and found whole; `whole` names one that just was. Damaged
        ones stay, for a person, and so do those of other desks.
        """
        gone: list[tuple[str, str]] = []
        for shelf in self.shelves:
            for name in await self._outdated(shelf, now, whole):
                if really:
                    await asyncio.to_thread(shelf.remove, name)
                gone.append((shelf.where, name))
        return gone

    async def damaged(self) -> list[tuple[str, FrontdeskError]]:
        """Read every backup of this desk here, and the newest one in the second place, to the last byte: the names of
        those that are not whole, and why. Raises `BackupFailed` where a place does not answer."""
        found: list[tuple[str, FrontdeskError]] = []
        for shelf in self.shelves:
            present = await asyncio.to_thread(listed, shelf)
            mine = [name for name, made in present.items() if made is None or made.key == key_id(self.key).decode()]
            for name in mine if shelf is self.here else newest(present, self.key):
                try:
                    await check(shelf, name, self.key, deep=False)
                except (BackupDamaged, BackupTooNew, WrongKey) as error:
                    if name in await asyncio.to_thread(shelf.names):  # else it was outdated, and went meanwhile
                        found.append((name, error))
        return found

    async def _outdated(self, shelf: Shelf, now: datetime, whole: str) -> list[str]:
        every = (await asyncio.to_thread(listed, shelf)).values()
        made = {each.name: each.made_at for each in every if each is not None and self._is_ours(each)}
        while old := outdated(made, self.options, now):
            newest = max(made, key=lambda name: (made[name], name))
            if newest == whole or await self._is_whole(shelf, newest):
                return old
            del made[newest]
        return []

    def _is_ours(self, made: Manifest) -> bool:
        """Whether this desk made it, with its present key or its present secret: others may lie in the same place."""
        return made.key == key_id(self.key).decode() or made.signed_with == self.subject.signed_with

    async def _is_whole(self, shelf: Shelf, name: str) -> bool:
        try:
            await check(shelf, name, self.key, deep=False)
        except (BackupDamaged, BackupTooNew, WrongKey):
            return False
        return True


def shelves_of(system: System) -> tuple[Folder, Shelf | None]:
    """Where the backups lie on this machine, and the second place if there is one."""
    options = system.section(BackupOptions)
    return _here(system), shelf_at(options.remote, options) if options.remote else None


def shelf_at(address: str, options: BackupOptions) -> Shelf:
    """The place of that address: `s3://bucket/prefix`, or a folder. Raises `MissingExtra`."""
    if not address.startswith("s3://"):
        return Folder(Path(address).expanduser().absolute())
    from frontdesk.operate.backup.s3 import Bucket  # an extra

    return Bucket(address, options)


def listed(shelf: Shelf) -> Mapping[str, Manifest | None]:
    """Every backup of a place; None for one whose manifest is missing or cannot be read."""
    found: dict[str, Manifest | None] = {}
    for name in shelf.names():
        try:
            found[name] = manifest.read(whole(shelf, name, manifest.MANIFEST), name)
        except (NotFound, BackupDamaged, BackupTooNew):
            found[name] = None
    return found


def newest(present: Mapping[str, Manifest | None], key: bytes) -> tuple[str, ...]:
    """The name of the newest one that is sealed with the key, else of the newest that can be read, else all names."""
    readable = [made for made in present.values() if made is not None]
    good = [made for made in readable if made.key == key_id(key).decode()] or readable
    return (max(good, key=lambda made: made.made_at).name,) if good else tuple(present)


def key_to_open(system: System) -> bytes:
    """The key that backups were sealed with: of the environment, else of the home. Raises `BadSetting`."""
    configured = system.section(BackupOptions).key.get_secret_value()
    file = system.home / BACKUP_KEY
    if not configured and not file.exists():
        raise BadSetting(
            "The key of the backups is neither set nor in the home",
            where="BACKUP_KEY",
            hint=f"Set BACKUP_KEY or BACKUP_KEY_FILE; a desk that made its own kept it in its home as {BACKUP_KEY}.",
        )
    return key_of(configured or file.read_text().strip(), "BACKUP_KEY" if configured else str(file))


def keys_of(system: System, secret: bytes) -> Keys:
    """What this desk reads its words with and signs its audit log with."""
    audit = derived_key(secret, "audit")
    return Keys(ring=ring_of(system), audit=audit, signer=key_id(audit).decode())


async def open_backups(
    system: System, secret: bytes, chores: Chores, store: Store, clock: Clock, stack: AsyncExitStack
) -> None:
    """Have the desk make a backup every day where the system file says so, look before it whether the last one is still
    there, read all again every week, and show how old the newest one is."""
    options = system.section(BackupOptions)

    async def back_up(_: Job) -> None:
        if not options.by_itself:  # the rhythm of a former system file is still there
            return
        backups = await asyncio.to_thread(Backups.of, system, secret)
        if lost := await gone(backups.shelves, store.audit):
            await recorded(lost, store)
            for name in lost:
                log.error("backup_gone", place=name)
        made = await noted(backups, store, clock)
        log.info("backup", place=made.name, bytes=made.bytes)

    async def look_again(_: Job) -> None:
        if not options.by_itself:
            return
        backups = await asyncio.to_thread(Backups.of, system, secret)
        for name in await looked_again(backups, store):
            log.error("backup_damaged", place=name)

    chores.add("backup", back_up, f"daily {options.at} UTC" if options.by_itself else None)
    chores.add("backup.verify", look_again, "every 7d" if options.by_itself else None)
    await in_rounds(LOOK_SECONDS, partial(_show, system, store), clock, stack)


async def noted(backups: Backups, store: Store, clock: Clock, watch: Watch = unwatched) -> Manifest:
    """Make a backup and write into the audit log how that went. Raises what `Backups.make` raises."""
    try:
        made = await backups.make(clock, watch)
    except FrontdeskError as error:
        metrics.backup_failures.inc()
        await store.audit.append(Act(act=ACT, credential="desk", subject=error.code, outcome=FAILED))
        raise
    places = ",".join(map(_place_of, backups.shelves))
    await store.audit.append(Act(act=ACT, credential="desk", subject=made.name, outcome=DONE, origin=places))
    metrics.backup_last_success.set(clock.now().timestamp())
    metrics.backup_size.set(made.bytes)
    return made


async def looked_again(backups: Backups, store: Store) -> list[str]:
    """Read backups again, and write into the audit log how that went: the names of those that are damaged, or gone."""
    lost = await gone(backups.shelves, store.audit)
    damaged = list(dict.fromkeys([*(name for name, _ in await backups.damaged()), *lost]))
    await recorded(damaged, store)
    return damaged


async def recorded(damaged: Sequence[str], store: Store) -> None:
    """Write into the audit log that all backups were read again, and which of them are damaged: every process shows it
    from there."""
    for name in damaged:
        await store.audit.append(Act(act=VERIFIED, credential="desk", subject=name, outcome=FAILED))
    if not damaged:
        await store.audit.append(Act(act=VERIFIED, credential="desk", outcome=DONE))
    metrics.backup_damaged.set(len(damaged) > 0)


async def gone(shelves: Sequence[Shelf], audit: Audit) -> list[str]:
    """The name of the newest backup, where one of the places in which it was put has it no more: nobody takes that one
    away. A place that does not answer, or that is not what it was (another folder, another machine), tells nothing.
    """
    made, restored = await audit.newest(ACT, DONE), await audit.newest(RESTORED, DONE)
    if made is None or (restored is not None and restored.seq > made.seq and restored.subject != made.subject):
        return []  # what came back knows only of backups from before the one that it came back from
    for shelf in shelves:
        with suppress(FrontdeskError):
            if _place_of(shelf) in made.origin.split(",") and made.subject not in await asyncio.to_thread(shelf.names):
                return [made.subject]
    return []


def _place_of(shelf: Shelf) -> str:
    """A place in the audit log: equal for equal places. The same folder of two machines is two."""
    where = f"{platform.node()}:{shelf.where}" if isinstance(shelf, Folder) else shelf.where
    return hashlib.sha256(where.encode()).hexdigest()[:16]


async def _show(system: System, store: Store) -> None:
    """The newest good backup and restore by the audit log, which all processes read, whoever made them."""
    whole, damaged = await store.audit.newest(VERIFIED, DONE), await store.audit.newest(VERIFIED, FAILED)
    if damaged is not None:
        metrics.backup_damaged.set(whole is None or whole.seq < damaged.seq)
    tried, good = await store.audit.newest(RESTORED, DONE), await store.audit.newest(ACT, DONE)
    if tried is not None:
        metrics.restore_last_success.set(tried.at.timestamp())
    if good is None:
        return
    metrics.backup_last_success.set(good.at.timestamp())
    made = (await asyncio.to_thread(listed, _here(system))).get(good.subject)
    if made is not None:
        metrics.backup_size.set(made.bytes)


def _here(system: System) -> Folder:
    folder = system.section(BackupOptions).folder
    return Folder(Path(folder).expanduser().absolute() if folder else system.home / "backups")


def _key_to_seal(system: System) -> bytes:
    """The key of the environment, else one that the desk made for itself. Raises `BadSetting` in production."""
    options = system.section(BackupOptions)
    if not options.key.get_secret_value() and system.environment == "production":
        raise BadSetting(
            "In production the key of backups is set, not made: it must outlive this machine",
            where="BACKUP_KEY",
            hint="Set BACKUP_KEY to the output of `openssl rand -hex 32`, and keep a copy of it elsewhere.",
        )
    if not options.key.get_secret_value():
        system.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept_secret("", system.home / BACKUP_KEY, make=partial(secrets.token_hex, KEY_BYTES))
    return key_to_open(system)


def _subject(system: System, secret: bytes) -> Subject:
    keys = keys_of(system, secret)
    embedded = system.database_url.startswith("sqlite:///")
    return Subject(
        desk=system.name,
        blueprint=system.blueprint,
        home=system.home,
        file=system.file,
        variables=_variables(system),
        store=store_of(system.database_url, system.section(BackupOptions).copy_host),
        database_file=Path(system.database_url.removeprefix("sqlite:///")) if embedded else None,
        sealed_with=keys.ring.name,
        signed_with=keys.signer,
    )


def _variables(system: System) -> tuple[str, ...]:
    """The names that something is set by, in the environment or its file."""
    set_by = ("variable", "environment file")
    of_settings = {each.variable for each in system.settings() if each.variable and each.origin.kind in set_by}
    of_sections = {secret.variable for section in system.sections.values() for secret in section.named_secrets()}
    of_file = {name for name, _ in system.environment_variables.names_of_file()}
    return tuple(sorted({*of_settings, *of_sections, *of_file}))
