"""A real Chromium before a scripted desk: one browser for all tests, a window and a desk for each."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
import uvicorn
from playwright.async_api import Browser, Page, async_playwright, expect

from frontdesk.channels.pages import Pages
from tests.browser.fake_desk import PAGES, FakeDesk

PATIENCE = 30_000  # milliseconds that a page may take on a busy machine, for whatever a test waits for
expect.set_options(timeout=PATIENCE)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def built_pages() -> None:
    """The pages are built once by `make setup`."""
    assert (PAGES / "index.html").is_file(), "The pages are not built: make setup"
    Pages(PAGES)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@contextlib.asynccontextmanager
async def served(app: FakeDesk) -> AsyncIterator[str]:
    """The app on a free loopback port."""
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        running = asyncio.create_task(server.serve(sockets=[own]))
        try:
            yield f"http://127.0.0.1:{own.getsockname()[1]}"
        finally:
            server.should_exit = True
            app.release.set()
            app.approved.set()
            await running


@dataclass
class Visit:
    """A page and all that it did: addresses that it asked for, and complaints of the browser."""

    page: Page
    desk: FakeDesk
    address: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str = "/") -> Page:
        await self.page.goto(self.address + path)
        return self.page

    async def ask(self, question: str) -> None:
        """Send a question and wait for the end of its answer."""
        await self.send(question)
        await self.page.get_by_role("button", name="Send", exact=True).wait_for()

    async def send(self, question: str) -> None:
        await self.page.locator("#composer").fill(question)
        await expect(self.page.get_by_role("button", name="Send", exact=True)).to_be_enabled()
        await self.page.keyboard.press("Enter")

    @property
    def foreign_requests(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(self.address)]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str, built_pages: None) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, desk: FakeDesk) -> AsyncIterator[Visit]:
    async with served(desk) as address:
        context = await browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        seen = Visit(page, desk, address)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("console", lambda line: seen.complaints.append(line.text) if line.type == "error" else None)
        page.on("dialog", lambda dialog: seen.complaints.append(f"dialog: {dialog.message}"))
        yield seen
        await context.close()
