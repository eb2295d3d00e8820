"""The widget on a site's page, before a real desk of another origin."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, FrameLocator, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from frontdesk.messages import Role
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.upstream import Received, Reply
from tests.browser.conftest import PATIENCE
from tests.browser.lost import answers_lost
from tests.channels.widget_words import SECRET, word

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

FRAME = "iframe[title='Ask the shop']"
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
        context.set_default_timeout(PATIENCE)
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
        panel = page.frame_locator(FRAME)
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
    assert await page.locator(FRAME).count() == 0
    await page.get_by_role("button", name="Ask the shop").click()
    panel = page.frame_locator(FRAME)
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


async def test_stop_ends_the_answer_and_stands_where_send_was(shop: Shop) -> None:
    _, panel = await shop.opened()
    shop.hold.clear()
    await say(panel, "Tell me everything")
    await panel.get_by_role("button", name="Stop").click()
    await expect(panel.get_by_text("Stopped here.")).to_be_visible()
    await expect(panel.get_by_role("button", name="Send")).to_be_visible()
    assert shop.complaints == []


async def test_two_tabs_are_one_visitor_and_show_the_same(shop: Shop) -> None:
    context = await shop.window()
    _, first = await shop.opened(context)
    _, second = await shop.opened(context)
    await say(first, "From the first")
    await answered(first)
    await second.locator("body").evaluate("() => location.reload()")
    await expect(second.locator(".said")).to_have_text(["From the first"])
    await say(second, "From the second")
    await expect(first.locator(".said")).to_have_text(["From the first", "From the second"])
    await answered(first, 2)
    assert shop.complaints == []


async def test_a_person_joins_answers_and_is_rated(shop: Shop) -> None:
    _, panel = await shop.opened()
    await say(panel, "May I speak to somebody?")
    await answered(panel)
    ann = await shop.served.client(Role.OPERATOR, name="Ann")
    [line] = (await ann.get("/api/v1/console/inbox")).json()["items"]
    assert line["channel"] == "widget"
    inbox = f"/api/v1/console/inbox/{line['id']}"
    (await ann.post(f"{inbox}/take")).raise_for_status()
    await expect(panel.locator(".line")).to_have_text("Ann is here")
    await expect(panel.locator(".notice")).to_contain_text("Ann")
    (await ann.post(f"{inbox}/typing")).raise_for_status()
    await expect(panel.get_by_text("Ann is typing")).to_be_visible()
    (await ann.post(f"{inbox}/reply", json={"text": "Good morning."})).raise_for_status()
    await expect(panel.locator(".author")).to_have_text("Ann")
    await expect(panel.locator(".answer .prose").last).to_have_text("Good morning.")
    await expect(panel.get_by_role("status").last).to_contain_text("Good morning.")
    async with ann.stream("GET", "/api/v1/console/events") as news:
        await panel.get_by_label("Your message").fill("Thank")
        async for heard in news.aiter_lines():
            if heard == "event: typing":
                break
    await say(panel, "Thank you")
    await expect(panel.locator(".said")).to_have_text(["May I speak to somebody?", "Thank you"])
    await expect(panel.get_by_role("button", name="Send")).to_be_visible()
    await expect(panel.locator(".answer")).to_have_count(2)
    gone = {"answer": False, "close": True, "survey": True}
    (await ann.post(f"{inbox}/hand-back", json=gone)).raise_for_status()
    await panel.get_by_label("Very good").check()
    await panel.get_by_label("Anything to add?").fill("Quick")
    await panel.locator(".survey").get_by_role("button", name="Send").click()
    await expect(panel.get_by_text("Thank you.", exact=True)).to_be_visible()
    seen = (await ann.get("/api/v1/console/satisfaction")).json()
    assert (seen["answered"], seen["items"][0]["comment"]) == (1, "Quick")
    assert shop.complaints == []


async def test_the_launcher_counts_what_came_while_nobody_looked(shop: Shop) -> None:
    page, panel = await shop.opened()
    await say(panel, "May I speak to somebody?")
    await answered(panel)
    ann = await shop.served.client(Role.OPERATOR, name="Ann")
    [line] = (await ann.get("/api/v1/console/inbox")).json()["items"]
    inbox = f"/api/v1/console/inbox/{line['id']}"
    (await ann.post(f"{inbox}/take")).raise_for_status()
    await expect(panel.locator(".line")).to_have_text("Ann is here")
    await say(panel, "Are you there?")
    await expect(panel.locator(".said")).to_have_count(2)
    await panel.get_by_role("button", name="Close the chat").click()
    await expect(page.locator(FRAME)).to_be_hidden()
    launcher = page.get_by_role("button", name="Ask the shop")
    (await ann.post(f"{inbox}/reply", json={"text": "Good morning."})).raise_for_status()
    await expect(launcher.locator("b")).to_have_text("1")
    await page.reload()
    await expect(launcher.locator("b")).to_have_text("1")
    await launcher.click()
    await expect(panel.locator(".author")).to_have_text("Ann")
    await expect(launcher.locator("b")).to_have_text("")
    assert shop.complaints == []


async def test_escape_closes_and_gives_the_focus_back_to_the_launcher(shop: Shop) -> None:
    page = await shop.visit()
    launcher = page.get_by_role("button", name="Ask the shop")
    await launcher.focus()
    await page.keyboard.press("Enter")
    panel = page.frame_locator(FRAME)
    await expect(panel.get_by_label("Your message")).to_be_focused()
    assert await launcher.get_attribute("aria-expanded") == "true"
    await page.keyboard.press("Escape")
    await expect(page.locator(FRAME)).to_be_hidden()
    await expect(launcher).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(panel.get_by_label("Your message")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(panel.get_by_role("button", name="When do you open?")).to_be_focused()


FORM = [
    {"name": "name", "label": "Your name", "required": True},
    {"name": "email", "label": "E-mail address", "kind": "email"},
    {"name": "topic", "label": "Topic", "kind": "choice", "choices": ["Order", "Returns"]},
]


async def test_the_form_comes_first_and_once(open_shop: Open) -> None:
    async with open_shop(pre_chat=FORM) as shop:
        page, panel = await shop.opened()
        await panel.get_by_role("button", name="Begin the chat").click()
        assert await panel.get_by_label("Your name").evaluate("field => field.validity.valueMissing")
        await panel.get_by_label("Your name").fill("Ann Weber")
        await panel.get_by_label("E-mail address").fill("ann@nowhere")
        await panel.get_by_role("button", name="Begin the chat").click()
        await expect(panel.get_by_role("alert")).to_contain_text("not an e-mail address")
        assert await violations(page) == []
        shop.complaints.clear()  # the browser's own line about that answer
        await panel.get_by_label("E-mail address").fill("ann@example.org")
        await panel.get_by_label("Topic").select_option("Order")
        await panel.get_by_role("button", name="Begin the chat").click()
        await expect(panel.locator(".notice")).to_contain_text("Your name: Ann Weber")
        await say(panel, "When do you open?")
        await answered(panel)
        await panel.get_by_role("button", name="Leave a message").click()
        await expect(panel.get_by_label("Where we can reach you")).to_have_value("ann@example.org")
        await panel.locator(".inset").get_by_label("Your message").fill("Please call.")
        await panel.get_by_role("button", name="Leave the message").click()
        await expect(panel.get_by_text("Your message is with the team.")).to_be_visible()
        await page.reload()
        await page.get_by_role("button", name="Ask the shop").click()
        await expect(panel.locator(".said")).to_have_text(["When do you open?"])
        assert shop.complaints == []


async def test_the_site_says_who_its_visitor_is_and_that_ends_with_its_page(open_shop: Open) -> None:
    async with open_shop(identity="SHOP_SECRET") as shop:
        page, panel = await shop.opened()
        await say(panel, "Before I sign in")
        await answered(panel)
        shop.attributes["data-identity"] = word("customer-7", name="Ann Weber")
        for _ in range(2):  # the second time is the same page from a cache: its word has been used
            await page.reload()
            await page.get_by_role("button", name="Ask the shop").click()
            await expect(panel.locator(".said")).to_have_text(["Before I sign in"])
        people = shop.served.desk.store.people
        ann = await people.by_identity("widget:main", "customer-7")
        assert ann is not None
        assert ann.name == "Ann Weber"
        del shop.attributes["data-identity"]
        await page.reload()
        await page.get_by_role("button", name="Ask the shop").click()
        await expect(panel.get_by_text("What would you like to know?")).to_be_visible()
        await page.evaluate("token => frontdesk.identify(token)", word("customer-7"))
        await expect(panel.locator(".said")).to_have_text(["Before I sign in"])
        assert shop.complaints == []


@pytest.mark.proves("abuse-12")
async def test_a_page_of_another_origin_cannot_frame_the_panel(open_shop: Open) -> None:
    async with open_shop(origins=["https://shop.example"]) as shop:
        page = await shop.visit()
        await page.get_by_role("button", name="Ask the shop").click()
        await expect(page.locator(FRAME)).to_be_visible()
        await page.wait_for_event("console", lambda line: "frame-ancestors" in line.text) if not any(
            "frame-ancestors" in line for line in shop.complaints
        ) else None
        frames = [frame for frame in page.frames if frame.url.startswith(shop.served.address)]
        assert frames == []


TO_THE_PANEL = """
message => {
  const frame = [...document.documentElement.children].at(-1).shadowRoot.querySelector("iframe");
  const other = document.createElement("iframe");
  document.body.append(other);
  other.contentWindow.eval(`target => target.postMessage(${JSON.stringify(message)}, "*")`)(frame.contentWindow);
}
"""


@pytest.mark.proves("abuse-12")
async def test_messages_from_elsewhere_are_ignored(open_shop: Open) -> None:
    async with open_shop(identity="SHOP_SECRET") as shop:
        page, panel = await shop.opened()
        await expect(panel.get_by_label("Your message")).to_be_visible()
        state = {"height": 1, "unread": "99", "kept": "yes", "ask": "close"}
        await page.evaluate("state => window.postMessage(state, '*')", state)
        stolen = {"dir": "rtl", "identity": word("customer-7"), "open": True}
        await page.evaluate(TO_THE_PANEL, stolen)
        for junk in (None, 7, "page", [], {"dir": 1}, {"dir": "rtl"}, {"dir": "rtl", "identity": {}, "open": 1}):
            own = "junk => [...document.documentElement.children].at(-1).shadowRoot.querySelector('iframe')"
            await page.evaluate(f"{own}.contentWindow.postMessage(junk, '*')", junk)
        await say(panel, "Still here")
        await answered(panel)
        await expect(page.locator(FRAME)).to_be_visible()
        await expect(page.get_by_role("button", name="Ask the shop").locator("b")).to_have_text("")
        assert await panel.locator("html").get_attribute("dir") == "ltr"
        assert await shop.served.desk.store.people.by_identity("widget:main", "customer-7") is None
        assert shop.complaints == []


async def violations(page: Page) -> list[str]:
    result = await Axe().run(page)
    return [f"{one['id']}: {node['html'][:160]}" for one in result.response["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_page_and_in_the_panel(shop: Shop, scheme: str) -> None:
    page, panel = await shop.opened(color_scheme=scheme)
    assert await violations(page) == []
    await say(panel, "When do you open?")
    await answered(panel)
    await panel.get_by_role("button", name="Leave a message").click()
    assert await violations(page) == []


@pytest.mark.parametrize("width", [320, 900])
async def test_the_panel_fits_its_window_and_fills_a_small_one(shop: Shop, width: int) -> None:
    page, panel = await shop.opened(viewport={"width": width, "height": 640})
    await say(panel, "A very long question without an end " * 9 + "x" * 300)
    await answered(panel)
    box = await page.locator(FRAME).bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == ((0, 320) if width == 320 else (496, 384))
    assert box["y"] >= 0
    assert box["height"] == (640 if width == 320 else 536)
    inner = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await panel.locator("html").evaluate(inner) == 0


async def test_the_panel_reads_in_the_direction_of_its_page(shop: Shop) -> None:
    page = await shop.visit()
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await page.get_by_role("button", name="Ask the shop").click()
    panel = page.frame_locator(FRAME)
    await expect(panel.locator("html")).to_have_attribute("dir", "rtl")
    close = await panel.get_by_role("button", name="Close the chat").bounding_box()
    frame = await page.locator(FRAME).bounding_box()
    assert close is not None
    assert frame is not None
    assert close["x"] - frame["x"] < 20


async def test_a_browser_that_keeps_nothing_for_frames_of_other_sites_chats_all_the_same(open_shop: Open) -> None:
    async with open_shop(host="localhost") as shop:
        shop.headers["Cross-Origin-Embedder-Policy"] = "require-corp"
        _, panel = await shop.opened()
        await say(panel, "When do you open?")
        await answered(panel)
        assert shop.complaints == []


async def test_offline_is_said_calmly_and_what_was_written_is_sent_afterwards(shop: Shop) -> None:
    page, panel = await shop.opened()
    await say(panel, "First")
    await answered(panel)
    await page.context.set_offline(True)
    await expect(panel.locator(".line")).to_have_text("You are offline. What you write is kept until you are back.")
    await say(panel, "Second")
    await expect(panel.locator(".said")).to_have_text(["First", "Second"])
    await page.context.set_offline(False)
    await answered(panel, 2)
    await expect(panel.locator(".line")).to_have_text("")
    await expect(panel.locator(".said")).to_have_text(["First", "Second"])


@pytest.mark.proves("promise-10")
async def test_a_question_whose_answer_was_lost_is_asked_once(shop: Shop) -> None:
    page, panel = await shop.opened()
    field = panel.get_by_label("Your message")
    async with answers_lost(page):
        await say(panel, "First")
        await expect(field).to_have_value("")
    await expect(field).to_have_value("First")
    await field.press("Enter")
    await answered(panel)
    await expect(panel.locator(".said")).to_have_text(["First"])
    assert len(shop.served.upstream.received) == 1


async def test_what_was_said_stays_while_the_desk_cannot_tell_of_it(shop: Shop) -> None:
    page, panel = await shop.opened()
    await page.context.route("**/api/v1/conversations/*?limit=*", lambda route: route.abort())
    await say(panel, "First")
    await answered(panel)
    await say(panel, "Second")
    await answered(panel, 2)
    await expect(panel.locator(".said")).to_have_text(["First", "Second"])
    await page.context.unroute_all()
    await say(panel, "Third")
    await answered(panel, 3)
    await expect(panel.locator("article")).to_have_count(6)
    await expect(panel.locator(".said")).to_have_text(["First", "Second", "Third"])


async def test_growing_text_is_not_read_out_and_the_finished_answer_is_once(shop: Shop) -> None:
    _, panel = await shop.opened()
    assert await panel.get_by_role("log").get_attribute("aria-live") == "off"
    shop.hold.clear()
    await say(panel, "When do you open?")
    await expect(panel.get_by_role("button", name="Stop")).to_be_visible()
    await expect(panel.locator("main > [role=status]")).to_have_text("")
    shop.hold.set()
    await answered(panel)
    await expect(panel.locator("main > [role=status]")).to_contain_text("Answer: We open at nine.")


async def test_the_demo_page_shows_the_tag_and_has_the_widget(shop: Shop) -> None:
    page = await (await shop.window()).new_page()
    await page.goto(f"{shop.served.address}/widget/demo")
    tag = f'<script src="{shop.served.address}/widget.js" data-site="main" async></script>'
    await expect(page.locator("#tag")).to_have_text(tag)
    await page.get_by_role("button", name="Ask the shop").click()
    panel = page.frame_locator(FRAME)
    await say(panel, "When do you open?")
    await answered(panel)
    assert await violations(page) == []
