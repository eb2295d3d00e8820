"""A visitor's page and an operator's inbox before one real desk: what the one does, the other sees."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from frontdesk.messages import Role
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Received, Reply
from tests.browser.conftest import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SLOWLY = "Tell me slowly"  # an answer to this stops in its middle until it is released


@dataclass
class Hall:
    """The visitor Mia's window, Grace's of the team, and Ada's, who owns the desk."""

    served: ServedDesk
    mia: Page
    grace: Page
    ada: Page
    release: asyncio.Event
    complaints: list[str] = field(default_factory=list)

    async def ask(self, text: str) -> None:
        await self.mia.locator("#composer").fill(text)
        await self.mia.keyboard.press("Enter")
        await expect(self.mia.locator(".question .said").last).to_have_text(text)
        await expect(self.mia.get_by_role("button", name="Send", exact=True)).to_be_visible()

    async def watch(self, page: Page) -> None:
        """Open Mia's conversation, the only one there is."""
        await page.goto(self.served.address + "/console/inbox")
        await page.locator(".inbox-lines a").first.click()
        await expect(page.locator(".inbox-head h2")).to_have_text("Mia")


@pytest_asyncio.fixture(loop_scope="session")
async def hall(browser: Browser, tmp_path: Path) -> AsyncIterator[Hall]:
    release, numbers = asyncio.Event(), itertools.count(1)

    def answer(request: Received) -> Reply:
        if SLOWLY in request.body.decode():
            return Reply(pieces=("This is how it begins. " * 20, "This is how it ends."), hold=release)
        return Reply(text=f"Answer **{next(numbers)}**.")

    async with served_desk(tmp_path, model=answer) as served:
        pages: list[Page] = []
        complaints: list[str] = []
        for name, role in (("Mia", Role.MEMBER), ("Grace", Role.OPERATOR), ("Ada", Role.OWNER)):
            context = await browser.new_context(reduced_motion="reduce")
            context.set_default_timeout(PATIENCE)
            page = await context.new_page()
            page.on("pageerror", lambda error: complaints.append(str(error)))
            person = await served.desk.store.people.add(name=name, role=role, email=None)
            token = await served.desk.door.sign_in.invite(person.id)
            await page.goto(f"{served.address}/sign-in#token={token}")
            await page.locator(".welcome").wait_for()
            pages.append(page)
        mia, grace, ada = pages
        yield Hall(served, mia, grace, ada, release, complaints)
        release.set()
        for page in pages:
            await page.context.close()


async def test_a_person_takes_over_answers_and_hands_back_and_the_visitor_sees_it_all(hall: Hall) -> None:
    mia, grace = hall.mia, hall.grace
    await hall.ask("Tell me something")
    await expect(mia.locator(".answer .prose")).to_contain_text("Answer 1")
    await hall.watch(grace)
    log = grace.get_by_role("log")
    await expect(log).to_contain_text("Answer 1")

    await grace.get_by_role("button", name="Take over").click()
    await expect(mia.locator(".happened")).to_contain_text("Grace has joined")
    await expect(mia.locator(".holder")).to_have_text("Grace from the team answers here.")

    await mia.locator("#composer").press_sequentially("Is it a person?")
    await expect(grace.locator(".dots")).to_contain_text("Mia is typing")
    await mia.keyboard.press("Enter")
    await expect(log.locator("[data-role=user]").last).to_contain_text("Is it a person?")

    await grace.get_by_label("Reply to Mia").press_sequentially("It is.")
    await expect(mia.locator(".holder")).to_have_text("Grace is typing")
    await grace.keyboard.press("Enter")
    await expect(mia.locator("article.person")).to_contain_text("It is.")
    await expect(mia.locator(".answer")).to_have_count(1)

    await grace.get_by_role("button", name="Draft", exact=True).click()
    await grace.get_by_role("button", name="Take it into the reply").click()
    await expect(grace.get_by_label("Reply to Mia")).to_have_value("Answer **2**.")

    await grace.get_by_role("button", name="Hand back").click()
    dialog = grace.get_by_role("dialog")
    await dialog.get_by_label("The conversation is closed").check()
    await dialog.get_by_label("Ask how it went").check()
    await dialog.get_by_role("button", name="Hand back").click()
    await mia.get_by_role("radio").nth(4).check()
    await mia.get_by_label("In your words (optional)").fill("Quick and kind.")
    await mia.locator(".survey").get_by_role("button", name="Send").click()
    await expect(mia.get_by_text("Thank you. The team reads this.")).to_be_visible()

    await grace.goto(hall.served.address + "/console/satisfaction")
    await expect(grace.get_by_role("heading", level=1)).to_have_text("5 of 5, from one answer in 30 days.")
    await expect(grace.get_by_text("Quick and kind.")).to_be_visible()
    await hall.ask("And now?")
    await expect(mia.locator(".answer .prose").last).to_contain_text("Answer 3")
    assert hall.complaints == []


@pytest.mark.proves("promise-15")
async def test_a_takeover_in_mid_answer_leaves_no_word_of_the_desk(hall: Hall) -> None:
    mia, grace = hall.mia, hall.grace
    await mia.locator("#composer").fill(SLOWLY)
    await mia.keyboard.press("Enter")
    await expect(mia.locator(".answer .prose")).to_contain_text("This is how it begins.")
    await hall.watch(grace)
    await expect(grace.locator("[data-state=running]")).to_contain_text("This is how it begins.")
    await grace.get_by_role("button", name="Take over").click()
    await expect(mia.locator(".happened")).to_contain_text("Grace has joined")
    await expect(mia.locator(".answer")).to_have_count(0)
    await expect(grace.locator("[data-state=running]")).to_have_count(0)
    hall.release.set()
    await grace.get_by_label("Reply to Mia").fill("I am here.")
    await grace.keyboard.press("Enter")
    await expect(mia.locator("article.person")).to_contain_text("I am here.")
    await mia.reload()
    await expect(mia.locator("article.person")).to_have_count(1)
    await expect(mia.locator(".question")).to_have_count(1)
    await expect(mia.locator(".answer")).to_have_count(0)
    assert hall.complaints == []


async def test_a_takeover_by_a_colleague_wins_and_is_seen_at_once(hall: Hall) -> None:
    await hall.ask("Tell me something")
    await hall.watch(hall.grace)
    await hall.grace.get_by_role("button", name="Take over").click()
    await hall.grace.get_by_label("Reply to Mia").fill("Half a sent")
    await hall.watch(hall.ada)
    await expect(hall.ada.locator(".inbox-locked")).to_contain_text("Grace holds this conversation.")
    await hall.ada.get_by_role("button", name="Take over").click()
    await expect(hall.grace.locator(".inbox-locked")).to_contain_text(
        "Ada holds this conversation now. What you wrote is kept.",
    )
    await expect(hall.mia.locator(".happened").last).to_contain_text("Ada has joined")
    await hall.ada.get_by_role("button", name="Note", exact=True).click()
    await hall.ada.get_by_label("Note for the team").fill("She knows him.")
    await hall.ada.keyboard.press("Enter")
    await expect(hall.grace.locator("[data-role=note]")).to_contain_text("She knows him.")
    await expect(hall.mia.get_by_text("She knows him.")).to_have_count(0)
    assert hall.complaints == []


async def test_a_canned_reply_is_made_and_picked(hall: Hall) -> None:
    page = hall.grace
    await page.goto(hall.served.address + "/console/canned")
    await page.get_by_role("button", name="Make a reply").click()
    await page.get_by_label("Shortcut").fill("hi")
    await page.get_by_label("Title").fill("Greeting")
    await page.get_by_label("Text").fill("Good morning {name}.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("tbody tr")).to_contain_text("/hi")
    await hall.ask("Tell me something")
    await hall.watch(page)
    await page.keyboard.press("t")
    await page.get_by_label("Reply to Mia").press_sequentially("/h")
    await page.get_by_role("listbox").wait_for()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(hall.mia.locator("article.person")).to_contain_text("Good morning Mia.")
    assert hall.complaints == []
