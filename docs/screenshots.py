"""Takes the documentation's pictures anew: a real desk with its own documentation, a scripted model, Chromium.

`make screenshots` runs this; it needs Debian's Chromium (`apt-get install --yes chromium`).
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Reply

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
QUESTION = "What happens to an answer when the model fails halfway?"
ANSWER = """\
Nothing that you have read is lost [1].

- **Before the first word**, another model takes over and you notice nothing.
- **After it**, another model goes on where the first one stopped, and the answer says so.

No text stands twice, and the tokens are counted once [1].
"""
SETTINGS: dict[str, object] = {"knowledge.own_documentation": True}
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
            served_desk(Path(home), model=lambda _: Reply(text=ANSWER), settings=SETTINGS) as served,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            await chat(browser, served, "chat", DESKTOP, dark=False)
            await chat(browser, served, "chat-dark", DESKTOP, dark=True)
            await chat(browser, served, "chat-phone", PHONE, dark=False)
            await console(browser, served)
            await browser.close()


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
