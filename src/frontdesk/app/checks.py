"""The doctor's checks of the rooms: models, embeddings, MCP servers."""

import asyncio
from collections.abc import AsyncIterator

from frontdesk import registry
from frontdesk.errors import MissingExtra
from frontdesk.knowledge.embedding import NONE, open_embedder
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.models.options import ModelsOptions
from frontdesk.operate.doctor import Check, Finding, reachable
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


CHECKS: tuple[Check, ...] = (models, embeddings, tools)
