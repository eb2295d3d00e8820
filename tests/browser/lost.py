"""A way to the desk on which questions arrive, and their answers are lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from playwright.async_api import Page, Route

CHAT = "**/api/v1/chat"
TRIES = 6  # after so many without an answer a page gives a question back
LONGEST_WAIT = 5000  # milliseconds between two of them


@contextlib.asynccontextmanager
async def answers_lost(page: Page) -> AsyncIterator[None]:
    """Inside, whatever is asked reaches the desk and no answer comes back; at the end the page has given up."""
    lost: asyncio.Queue[None] = asyncio.Queue()

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()
        lost.put_nowait(None)

    await page.clock.install()
    await page.context.route(CHAT, lose)
    yield
    for _ in range(TRIES):
        await lost.get()
        await page.clock.fast_forward(LONGEST_WAIT)
    await page.context.unroute(CHAT)
