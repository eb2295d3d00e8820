"""The doctor's checks of the rooms: models, embeddings, MCP servers, backups."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from frontdesk import registry
from frontdesk.app.backups import ACT, DONE, FAILED, VERIFIED, gone, shelves_of
from frontdesk.clock import SystemClock
from frontdesk.errors import MissingExtra, StoreUnavailable
from frontdesk.knowledge.embedding import NONE, open_embedder
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.models.options import ModelsOptions
from frontdesk.operate.doctor import PATIENCE, Check, Finding, reachable
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.system.system import System
from frontdesk.tools.options import ToolsOptions


async def models(system: System) -> AsyncIterator[Finding]:
    strong = False
    for model in system.section(ModelsOptions).every():
        try:
            registry.load("models", model.wire, object)
        except MissingExtra as error:
            yield Finding(check="models", result="warn", cause=str(error), remedy=error.hint)
            continue
        if model.key_variable and system.variable(model.key_variable) is None:
            remedy = f"Set {model.key_variable}, or {model.key_variable}_FILE to a file."
            cause = f"{model.name} has no key: {model.key_variable} is not set"
            yield Finding(check="models", result="warn", cause=cause, remedy=remedy)
            continue
        strong = strong or model.wire not in ("local", "quote")
        if model.base_url:
            yield await reachable("models", model.base_url, f"Start it, or correct the address of {model.name}.")
        else:
            yield Finding(check="models", result="ok", cause=f"{model.name} is set up")
    if not strong:
        cause = "No strong model: the desk quotes its knowledge, and a small model chats"
        yield Finding(check="models", result="ok", cause=cause)


async def embeddings(system: System) -> AsyncIterator[Finding]:
    options = system.section(KnowledgeOptions).embedder
    if options.kind == NONE:
        yield Finding(check="embeddings", result="ok", cause="None: search goes by words alone")
        return
    embedder = await asyncio.to_thread(open_embedder, options)
    if embedder is not None:
        await embedder.embed_query("Is anybody there?")
        yield Finding(check="embeddings", result="ok", cause=f"{embedder.name} works")


async def tools(system: System) -> AsyncIterator[Finding]:
    addresses = system.section(ToolsOptions).discovery_urls
    remedy = "Start it; it is found within a minute. Or take it out of `tools.discovery_urls`."
    for finding in await asyncio.gather(*(reachable("tools", address, remedy) for address in addresses)):
        yield finding


async def backups(system: System) -> AsyncIterator[Finding]:
    """Whether the newest backup is still there, and what the last look at all of them found, by the audit log."""
    url = system.database_url
    if url.startswith("sqlite") and not await asyncio.to_thread(Path(url.removeprefix("sqlite:///")).exists):
        return
    try:
        database = await Database.open(url, pool_size=1, max_overflow=0, lock_wait=PATIENCE - 1)
    except StoreUnavailable:  # which is told already
        return
    try:
        audit = Audit(database, SystemClock(), b"")
        made, whole = await audit.newest(ACT, DONE), await audit.newest(VERIFIED, DONE)
        bad = await audit.newest(VERIFIED, FAILED)
        lost = await gone([shelf for shelf in shelves_of(system) if shelf is not None], audit)
    finally:
        await database.close()
    remedy = "Find out who took it, then: frontdesk backup create"
    for name in lost:
        yield Finding(
            check="backups", result="fail", cause=f"{name} was made, and is not there any more", remedy=remedy
        )
    if bad is not None and (whole is None or whole.seq < bad.seq) and bad.subject not in lost:
        cause = f"{bad.subject} was damaged or gone at the last look, {bad.at:%Y-%m-%d %H:%M} UTC"
        remedy = "frontdesk backup verify --all --record"
        yield Finding(check="backups", result="fail", cause=cause, remedy=remedy)
    elif not lost:
        cause = f"The newest is {made.subject}" if made else "None was made yet: frontdesk backup create"
        yield Finding(check="backups", result="ok", cause=cause)


CHECKS: tuple[Check, ...] = (models, embeddings, tools, backups)
