"""The pages before a real desk: real gate, store, knowledge and turns; only the model is scripted."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Reply
from tests.browser.conftest import PATIENCE
from tests.browser.lost import answers_lost
from tests.browser.test_access import settled

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RULES = b"# House rules\n\n## Opening hours\n\nThe desk is open from nine to six on weekdays, till one on Saturdays."
CONSOLE = ["", "inbox", "messages", "satisfaction", "canned", "knowledge", "people", "keys"]
CONSOLE += ["tools", "work", "models", "usage", "audit"]


@dataclass
class Office:
    """A signed-in owner's window on a real desk, and every complaint of the browser."""

    page: Page
    served: ServedDesk
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> Page:
        await self.page.goto(self.served.address + path)
        return self.page

    async def ask(self, question: str) -> None:
        await self.page.locator("#composer").fill(question)
        await self.page.keyboard.press("Enter")
        await expect(self.page.locator(".question .said").last).to_have_text(question)
        await expect(self.page.get_by_role("button", name="Send", exact=True)).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def office(browser: Browser, tmp_path: Path) -> AsyncIterator[Office]:
    replies = [Reply(text=f"Answer **{number}** [1].") for number in range(1, 9)]
    async with served_desk(tmp_path, model=replies) as served:
        context = await browser.new_context(reduced_motion="reduce")
        context.set_default_timeout(PATIENCE)
        seen = Office(await context.new_page(), served)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("console", lambda line: seen.complaints.append(line.text) if line.type == "error" else None)
        await seen.page.goto(await served.desk.owner_link(served.address))
        await seen.page.locator(".welcome").wait_for()
        seen.complaints.clear()
        yield seen
        await context.close()


@pytest.mark.proves("assistant-2")
async def test_the_owner_adds_a_document_and_reads_a_cited_answer(office: Office) -> None:
    page = await office.open("/console/knowledge")
    await expect(page.get_by_role("heading", level=1)).to_have_text("The desk knows no document yet.")
    rules = {"name": "rules.md", "mimeType": "text/markdown", "buffer": RULES}
    await page.locator("input[type=file]").set_input_files([rules])
    await expect(page.locator("tbody tr")).to_contain_text("House rules")
    await page.get_by_label("A question that people ask").fill("When is the desk open on weekdays?")
    await page.get_by_role("button", name="Try", exact=True).click()
    await expect(page.locator(".try strong")).to_have_text("The desk would answer from these passages.")

    await office.open("/")
    await office.ask("When is the desk open on weekdays?")
    await expect(page.locator(".answer[data-grounding=sourced] .prose strong")).to_have_text("1")
    await page.locator(".prose .cite").click()
    await expect(page.locator(".passage mark")).to_contain_text("open from nine to six")
    await page.reload()
    await expect(page.locator(".answer .prose")).to_contain_text("Answer 1")
    assert office.complaints == []


async def test_a_question_is_edited_answered_again_and_rated(office: Office) -> None:
    page = await office.open("/")
    await office.ask("Tell me something")
    await page.get_by_role("button", name="Answer again").click()
    await expect(page.locator(".answer .versions")).to_contain_text("2/2")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    await page.locator(".question").hover()
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Edit your message").fill("Tell me something else")
    await page.get_by_role("button", name="Ask again").click()
    await expect(page.locator(".question .versions")).to_contain_text("2/2")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    await page.get_by_role("button", name="Helpful", exact=True).click()
    async with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await page.locator(".question .versions").get_by_role("button", name="Earlier version").click()
    await expect(page.locator(".question .said")).to_have_text("Tell me something")
    await page.reload()
    await expect(page.locator(".question .said")).to_have_text("Tell me something")
    await expect(page.locator(".answer .versions")).to_contain_text("2/2")
    assert office.complaints == []


@pytest.mark.proves("promise-10")
async def test_a_question_whose_answer_was_lost_is_the_same_question_when_it_is_sent_once_more(office: Office) -> None:
    page = await office.open("/")
    note = {"name": "note.md", "mimeType": "text/markdown", "buffer": b"We open at nine."}
    async with answers_lost(page):
        await page.locator("input[type=file]").set_input_files([note])
        await page.locator("#composer").fill("What does it say?")
        await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()  # with the file uploaded
        await page.keyboard.press("Enter")
        await expect(page.locator("#composer")).to_have_value("")
    await expect(page.locator("#composer")).to_have_value("What does it say?")
    await expect(page.locator(".composer .chip")).to_contain_text("note.md")
    await page.locator("#composer").press("Enter")
    await expect(page.locator(".answer .prose")).to_have_text("Answer 1 [1].")
    await page.reload()
    await expect(page.locator(".question")).to_have_count(1)
    assert len(office.served.upstream.received) == 1


async def test_a_question_whose_answer_was_lost_is_another_when_it_is_changed(office: Office) -> None:
    page = await office.open("/")
    async with answers_lost(page):
        await page.locator("#composer").fill("Tell me something")
        await page.keyboard.press("Enter")
        await expect(page.locator("#composer")).to_have_value("")
    await page.locator("#composer").fill("Tell me something else")
    await page.locator("#composer").press("Enter")
    await expect(page.locator(".question .said")).to_have_text(["Tell me something else"])
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    await expect(page.locator(".answer .prose")).to_contain_text("Answer")
    assert len(office.served.upstream.received) == 2


async def test_an_edited_question_whose_answer_was_lost_stays_an_edit(office: Office) -> None:
    page = await office.open("/")
    await office.ask("Tell me something")
    async with answers_lost(page):
        await page.locator(".question").hover()
        await page.get_by_role("button", name="Edit", exact=True).click()
        await page.get_by_label("Edit your message").fill("Tell me something else")
        await page.get_by_role("button", name="Ask again").click()
        await expect(page.locator(".question .said")).to_have_text(["Tell me something else"])
    await expect(page.locator("#composer")).to_have_value("Tell me something else")
    await page.locator("#composer").press("Enter")
    await expect(page.locator(".question .versions")).to_contain_text("2/2")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    await expect(page.locator(".question .said")).to_have_text(["Tell me something else"])
    assert len(office.served.upstream.received) == 2


async def test_the_console_shows_every_page_without_a_complaint(office: Office) -> None:
    await office.ask("Tell me something")
    for name in CONSOLE:
        page = await office.open(f"/console/{name}" if name else "/console")
        await settled(page)
        assert (name, await page.get_by_role("alert").all_inner_texts()) == (name, [])
    await office.open("/console/inbox")
    await page.get_by_role("link", name="Answer 1").click()
    await expect(page.locator(".reading .prose")).to_contain_text("Answer 1")
    assert office.complaints == []


async def test_an_invited_person_comes_in_and_finds_the_console_closed(office: Office, browser: Browser) -> None:
    page = await office.open("/console/people")
    await page.get_by_role("button", name="Invite somebody").click()
    await page.get_by_label("Name").fill("Grace")
    await page.get_by_role("button", name="Make the link").click()
    link = await page.locator(".secret code").inner_text()
    context = await browser.new_context()
    guest = await context.new_page()
    await guest.goto(link)
    await expect(guest.locator(".welcome")).to_be_visible()
    await guest.goto(office.served.address + "/console/people")
    await expect(guest.get_by_role("alert")).to_contain_text("This page is for operators of the desk")
    await context.close()


async def test_a_key_is_made_shown_once_and_revoked(office: Office) -> None:
    page = await office.open("/console/keys")
    await page.get_by_role("button", name="Make a key").click()
    await page.get_by_label("Name").fill("web shop")
    await page.get_by_role("button", name="Make the key").click()
    secret = await page.locator(".secret code").inner_text()
    await page.keyboard.press("Escape")
    program = await office.served.stranger(headers={"Authorization": f"Bearer {secret}"})
    assert (await program.get("/api/v1/me")).status_code == 200
    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("No program may come in.")
    assert (await program.get("/api/v1/me")).status_code == 401


async def test_an_expired_session_is_refreshed_without_a_word(office: Office) -> None:
    page = office.page
    await page.context.clear_cookies(name=re.compile("fd_session"))
    await office.open("/?view=memory")
    await expect(page.get_by_text("The desk remembers nothing about you yet.")).to_be_visible()
    assert "/sign-in" not in page.url


async def test_what_is_remembered_and_erased_is_so_on_the_desk_too(office: Office) -> None:
    page = await office.open("/?view=memory")
    await page.get_by_label("Something to remember").fill("Likes tea")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".lines li")).to_contain_text("Likes tea")
    await page.get_by_role("button", name="Edit: Likes tea").click()
    await page.get_by_label("Something to remember").first.fill("Likes coffee")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".lines li")).to_contain_text("Likes coffee")
    await page.get_by_role("button", name="Erase: Likes coffee").click()
    await expect(page.get_by_text("The desk remembers nothing about you yet.")).to_be_visible()


async def test_sign_out_ends_the_session(office: Office) -> None:
    page = await office.open("/")
    await page.locator(".settings summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(re.compile("/sign-in"))
    await office.open("/")
    await page.wait_for_url(re.compile(r"/sign-in\?next="))
