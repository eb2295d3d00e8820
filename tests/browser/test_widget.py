"""The widget on a site's page, before a real desk of another origin."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.upstream import Received, Reply
from tests.channels.widget_words import SECRET

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STRICT = "default-src 'none'; script-src {desk}; frame-src {desk}; require-trusted-types-for 'script'"
ANSWER = "We open **at nine**.\n\n- on weekdays\n- till six"


@dataclass
class Shop:
    """A site with the widget on its pages, the desk behind it, and every complaint of the browser."""

    browser: Browser
    served: ServedDesk
    address: str
    headers: dict[str, str]
    attributes: dict[str, str]
    hold: asyncio.Event
    complaints: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def window(self, **options: Any) -> BrowserContext:
        chosen = {"viewport": {"width": 900, "height": 760}, "reduced_motion": "reduce"} | options
        context = await self.browser.new_context(**chosen)
        context.set_default_timeout(10_000)
        self.contexts.append(context)
        return context

    async def visit(self, context: BrowserContext | None = None, **options: Any) -> Page:
        """The shop's page in a window of its own, or in another tab of `context`."""
        page = await (context or await self.window(**options)).new_page()
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self.complaints.append(line.text) if line.type == "error" else None)
        await page.goto(self.address)
        await page.get_by_role("button", name="Ask the shop").wait_for()
        return page

    async def opened(self, context: BrowserContext | None = None, **options: Any) -> tuple[Page, FrameLocator]:
        page = await self.visit(context, **options)
        await page.get_by_role("button", name="Ask the shop").click()
        panel = page.frame_locator("iframe")
        await panel.locator("main > *").first.wait_for()
        return page, panel


def site(origin: str, **more: object) -> dict[str, object]:
    chosen = {
        "id": "main",
        "name": "Brass & Bells",
        "origins": [origin],
        "label": "Ask the shop",
        "greeting": "What would you like to know?",
        "suggestions": ["When do you open?"],
        "accent": "#1f6f5c",
    }
    return chosen | more


Open = Callable[..., contextlib.AbstractAsyncContextManager[Shop]]


@pytest.fixture
def open_shop(browser: Browser, tmp_path: Path) -> Open:
    @contextlib.asynccontextmanager
    async def opening(*, host: str = "127.0.0.1", **more: object) -> AsyncIterator[Shop]:
        headers: dict[str, str] = {}
        attributes: dict[str, str] = {"data-site": "main"}
        desk = ""

        async def page(_: Request) -> HTMLResponse:
            marks = " ".join(f'{name}="{value}"' for name, value in attributes.items())
            tag = f'<script src="{desk}/widget.js" {marks} async></script>'
            html = f'<!doctype html><html lang="en"><title>Shop</title><main><h1>Bells</h1></main>{tag}</html>'
            return HTMLResponse(html, headers=headers)

        hold = asyncio.Event()
        hold.set()

        def reply(_: Received) -> Reply:
            return Reply(text=ANSWER, hold=None if hold.is_set() else hold)

        async def nothing(_: Request) -> Response:
            return Response(status_code=204)

        routes = [Route("/", page), Route("/favicon.ico", nothing)]
        async with serve(Starlette(routes=routes)) as own:
            address = own.replace("127.0.0.1", host)
            chosen = {"widget.sites": [site(address, **more)]}
            variables = {"SHOP_SECRET": SECRET}
            async with served_desk(tmp_path, model=reply, settings=chosen, variables=variables) as served:
                desk = served.address
                shop = Shop(browser, served, address, headers, attributes, hold)
                yield shop
                hold.set()
                for context in shop.contexts:
                    await context.close()

    return opening


@pytest_asyncio.fixture(loop_scope="session")
async def shop(open_shop: Open) -> AsyncIterator[Shop]:
    async with open_shop() as shop:
        yield shop


async def say(panel: FrameLocator, text: str) -> None:
    await panel.get_by_label("Your message").fill(text)
    await panel.get_by_label("Your message").press("Enter")


async def answered(panel: FrameLocator, count: int = 1) -> None:
    await expect(panel.locator(".answer .thumbs")).to_have_count(count)


async def test_a_visitor_asks_and_reads_a_streamed_answer_under_a_strict_policy(shop: Shop) -> None:
    shop.headers["Content-Security-Policy"] = STRICT.format(desk=shop.served.address)
    page = await shop.visit()
    assert await page.locator("iframe").count() == 0
    await page.get_by_role("button", name="Ask the shop").click()
    panel = page.frame_locator("iframe")
    await expect(panel.get_by_role("heading", name="Brass & Bells")).to_be_visible()
    await expect(panel.get_by_label("Your message")).to_be_focused()
    await panel.get_by_role("button", name="When do you open?").click()
    await answered(panel)
    await expect(panel.locator(".answer .prose strong")).to_have_text("at nine")
    await expect(panel.locator(".answer .prose li")).to_have_count(2)
    await panel.get_by_role("button", name="Helpful", exact=True).click()
    await expect(panel.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")
    assert await page.context.cookies() == []
    assert shop.complaints == []


async def test_a_reload_brings_the_conversation_and_its_running_answer_back(shop: Shop) -> None:
    page, panel = await shop.opened()
    await say(panel, "First")
    await answered(panel)
    shop.hold.clear()
    await say(panel, "Second")
    await expect(panel.get_by_role("button", name="Stop")).to_be_visible()
    await page.reload()
    await page.get_by_role("button", name="Ask the shop").click()
    await expect(panel.locator(".said")).to_have_text(["First", "Second"])
    await expect(panel.get_by_role("button", name="Stop")).to_be_visible()
    shop.hold.set()
    await answered(panel, 2)
    assert shop.complaints == []
