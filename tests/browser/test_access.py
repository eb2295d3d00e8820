"""Everybody can use the pages: axe, keyboard, narrow and zoomed windows, right to left, screen readers."""

from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONSOLE = ["", "inbox", "messages", "conversations", "satisfaction", "canned", "knowledge", "people", "keys"]
CONSOLE += ["tools", "work", "models", "usage", "audit"]
CONSOLE += ["decisions", "decisions/dec_1", "approvals", "customers", "customers/ann", "outbox"]
CONSOLE += ["policies", "policies/pol_champion", "evolution", "evaluation", "fairness"]


LOOKS: tuple[tuple[Literal["light", "dark"], dict[str, object]], ...] = (
    ("light", {}),
    ("dark", {"runOnly": ["color-contrast"]}),
)

OUTSIDE = """
() => [...document.querySelectorAll("button, input, textarea, select, h1, p")]
  .filter(each => each.checkVisibility({ visibilityProperty: true }))
  .filter(each => !each.closest(".table-frame, .hidden-label, .skip"))
  .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))
"""

BROKEN_WORDS = """
() => [...document.querySelectorAll(".table-frame :is(th, td):not([data-long])")].flatMap(cell => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [], range = document.createRange();
  for (let text = texts.nextNode(); text; text = texts.nextNode())
    for (const word of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (range.getClientRects().length > 1) broken.push(word[0]);
    }
  return broken;
})
"""


async def settled(page: Page) -> None:
    """Wait until the page shows what it has asked for. The network is never idle where a page listens for news."""
    await page.locator("main h1, .welcome, main form").first.wait_for()
    await expect(page.locator(".skeleton")).to_have_count(0)


async def violations(page: Page) -> list[str]:
    """What axe finds in the light and, where only colours differ, in the dark."""
    found: list[str] = []
    for scheme, options in LOOKS:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        result = await Axe().run(page, options=options)
        found += [
            f"{scheme}: {one['id']}: {node['html'][:160]} {node['failureSummary']}"
            for one in result.response["violations"]
            for node in one["nodes"]
        ]
    return found


async def test_axe_finds_nothing_on_the_chat_page(visit: Visit) -> None:
    page = await visit.open()
    await page.locator(".welcome").wait_for()
    assert await violations(page) == []
    for question in ("When do you open?", "Quote it", "Tell me a joke", "Who is your barber?", "Break", "Long"):
        await visit.ask(question)
    await page.locator(".settings summary").click()
    assert await violations(page) == []
    await page.locator(".prose .cite").first.click()
    await page.locator(".passage mark").wait_for()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await page.locator("main").click(position={"x": 5, "y": 200})
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    assert await violations(page) == []
    await page.keyboard.press("Escape")
    await visit.send("Book a table")
    await page.locator(".approval pre").wait_for()
    assert await violations(page) == []


@pytest.mark.parametrize("path", ["/sign-in", "/?view=memory", "/?view=usage", "/?view=account"])
async def test_axe_finds_nothing_on_the_small_pages(visit: Visit, path: str) -> None:
    page = await visit.open(path)
    await page.locator("main h1").wait_for()
    assert await violations(page) == []


async def test_axe_finds_nothing_on_the_console(visit: Visit) -> None:
    for name in CONSOLE:
        page = await visit.open(f"/console/{name}" if name else "/console")
        await settled(page)
        assert (name, await violations(page)) == (name, [])
    assert visit.complaints == []


@pytest.mark.parametrize("screen", ["people", "keys", "audit", "work", "customers", "decisions", "policies"])
async def test_tables_break_between_words_on_a_phone(visit: Visit, screen: str) -> None:
    await visit.page.set_viewport_size({"width": 320, "height": 640})
    page = await visit.open(f"/console/{screen}")
    await settled(page)
    await page.locator("tbody tr").first.wait_for()
    assert await page.evaluate(BROKEN_WORDS) == []


@pytest.mark.parametrize("width", [320, 640])
async def test_nothing_scrolls_sideways_on_a_narrow_window(visit: Visit, width: int) -> None:
    """640 px is a window of 1280 px at 200 % zoom."""
    page = visit.page
    await page.set_viewport_size({"width": width, "height": 640})
    await visit.open()
    await visit.ask("A very long question without an end " * 9)
    await visit.ask("Long")
    paths = [page.url.removeprefix(visit.address), "/", "/sign-in", "/?view=memory", "/?view=usage", "/?view=account"]
    for path in [*paths, *(f"/console/{name}" for name in CONSOLE if name)]:
        await visit.open(path)
        await page.locator("main").wait_for()
        await settled(page)
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (path, overflow) == (path, 0)
        outside = await page.evaluate(OUTSIDE)
        assert (path, outside) == (path, [])


async def test_right_to_left_mirrors_the_page_and_keeps_code_as_it_is(visit: Visit) -> None:
    page = await visit.open()
    await page.evaluate("document.documentElement.dir = 'rtl'")
    await visit.ask("Long")
    sidebar = await page.locator(".sidebar").bounding_box()
    assert sidebar is not None
    assert sidebar["x"] > 900
    assert await page.locator(".prose pre").first.evaluate("pre => getComputedStyle(pre).direction") == "ltr"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_everything_is_reached_with_the_keyboard_alone(visit: Visit) -> None:
    page = await visit.open()
    await expect(page.locator("#composer")).to_be_focused()
    await page.keyboard.type("When do you open?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".ground")).to_be_visible()
    reached: list[str] = []
    await page.locator("body").evaluate("() => document.activeElement.blur()")
    for _ in range(40):
        await page.keyboard.press("Tab")
        label = await page.evaluate(
            "() => { const at = document.activeElement; return at.getAttribute('aria-label') || at.textContent.trim() }"
        )
        outline = await page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        is_field = await page.evaluate("() => ['TEXTAREA', 'BODY'].includes(document.activeElement.tagName)")
        assert is_field or outline != "none", label
        reached.append(label)
    for wanted in ("New conversation", "Search conversations", "Open source 1", "Copy", "Answer again", "Not helpful"):
        assert wanted in reached
    assert any("Your message" in label for label in reached)


async def test_keys_open_and_escape_undoes_the_last_layer(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("When do you open?")
    await page.locator(".scroller").focus()
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator(".scroller").focus()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Search conversations")).to_be_focused()
    await page.locator(".scroller").focus()
    await page.keyboard.press("c")
    await expect(page.locator("#composer")).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.get_by_label("Edit your message")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_label("Edit your message")).to_have_count(0)


async def test_a_screen_reader_hears_the_finished_answer_once(visit: Visit) -> None:
    visit.desk.hold_after = 3
    page = await visit.open()
    log = page.get_by_role("log")
    assert await log.get_attribute("aria-live") == "off"
    await visit.send("When do you open?")
    await expect(page.locator(".answer .prose")).to_contain_text("The desk")
    said = page.locator("[data-announcer]")
    await expect(said).to_have_text("")
    visit.desk.release.set()
    await expect(said).to_contain_text("Answer: The desk is open from nine to six")


async def test_the_console_tables_sort_with_the_keyboard_and_keep_it_in_the_address(visit: Visit) -> None:
    page = await visit.open("/console/people")
    await page.get_by_role("button", name="Name", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr").first).to_contain_text("Ada")
    await expect(page.locator("th[aria-sort=ascending]")).to_have_text("Name")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr").first).to_contain_text("Grace")
    assert page.url.endswith("?sort=-name")
    await page.reload()
    await expect(page.locator("tbody tr").first).to_contain_text("Grace")


async def test_the_console_dialogs_hold_the_focus_and_give_it_back(visit: Visit) -> None:
    page = await visit.open("/console/people")
    await page.get_by_role("button", name="Invite somebody").press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.get_by_label("Name").fill("Linus")
    await page.get_by_role("button", name="Make the link").click()
    await expect(page.get_by_role("dialog")).to_contain_text("/sign-in#token=")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    menu = page.get_by_role("button", name="Acts for Grace")
    await menu.press("Enter")
    await expect(page.get_by_role("menuitem", name="New sign-in link")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(menu).to_be_focused()
    assert visit.complaints == []
