"""The work page, satisfaction and canned replies: what is stuck, how it went, what is often said."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(visit: Visit, name: str = "work") -> Page:
    page = await visit.open(f"/console/{name}")
    await page.locator("main h1").wait_for()
    return page


async def test_one_sentence_says_whether_anything_is_stuck(visit: Visit) -> None:
    page = await opened(visit)
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("One letter failed for good, and one may have been sent.")
    visit.desk.inbox.dead.clear()
    visit.desk.inbox.unknown.clear()
    await expect(heading).to_have_text("Nothing is stuck.")
    await expect(page.get_by_text("Nothing has failed for good.")).to_be_visible()
    assert visit.complaints == []


async def test_queues_workers_schedules_and_kept_updates_are_listed(visit: Visit) -> None:
    page = await opened(visit)
    await expect(page.get_by_role("region", name="Queues").locator("tbody tr").first).to_have_text(
        re.compile(r"turn\s*ml\s*3\s*4 sec\s*2")
    )
    await expect(page.get_by_role("region", name="Workers").locator("tbody tr").last).to_contain_text("No sign of life")
    await expect(page.get_by_role("region", name="Schedules")).to_contain_text("in 3 hours")
    await expect(page.get_by_role("region", name="Updates of an unknown kind")).to_contain_text("chat_boost")


async def test_a_dead_letter_is_tried_again(visit: Visit) -> None:
    page = await opened(visit)
    rows = page.get_by_role("region", name="Dead letters").locator("tbody tr")
    await rows.first.get_by_role("button", name="Try again").click()
    await expect(rows).to_have_count(1)
    assert visit.desk.inbox.told == [("POST", "letter/out_1/replay")]


async def test_chosen_dead_letters_are_deleted_together_after_a_question(visit: Visit) -> None:
    page = await opened(visit)
    await page.get_by_label("Select all lines shown").check()
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("alertdialog")
    await expect(dialog).to_contain_text("Delete these 2 dead letters?")
    assert visit.desk.inbox.told == []
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("Nothing has failed for good.")).to_be_visible()
    assert sorted(visit.desk.inbox.told) == [("DELETE", "letter/out_1"), ("DELETE", "letter/out_2")]


async def test_each_table_keeps_its_own_order_in_the_address(visit: Visit) -> None:
    page = await opened(visit)
    await page.get_by_role("region", name="Queues").get_by_role("button", name="Waiting").click()
    await page.get_by_role("region", name="Workers").get_by_role("button", name="Worker").click()
    await expect(page).to_have_url(re.compile(r"queues=length&workers=worker"))
    await expect(page.get_by_role("region", name="Queues").locator("tbody tr").first).to_contain_text("letter")


async def test_a_letter_that_may_have_been_sent_waits_for_a_decision(visit: Visit) -> None:
    page = await opened(visit)
    table = page.get_by_role("region", name="Sent, or not")
    await expect(table).to_contain_text("We have found your parcel.")
    await table.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("The outcome of every letter is known.")).to_be_visible()
    assert visit.desk.inbox.told == [("out_9", "send_again")]


async def test_satisfaction_is_a_sentence_a_chart_and_a_table(visit: Visit) -> None:
    page = await opened(visit, "satisfaction")
    sentence = "4.3 of 5, from 20 answers in 30 days."
    await expect(page.get_by_role("heading", level=1)).to_have_text(sentence)
    await expect(page.get_by_role("img", name=sentence)).to_be_visible()
    await page.get_by_role("tab", name="Table").click()
    await expect(page.locator("tbody tr").first).to_have_text(re.compile(r"5, good\s*12\s*60%"))
    await expect(page.get_by_text("Quick and kind.")).to_be_visible()
    await page.get_by_role("link", name="Read the conversation").click()
    await expect(page).to_have_url(re.compile("/console/inbox/conv_moved$"))


async def test_canned_replies_are_made_changed_and_deleted(visit: Visit) -> None:
    page = await opened(visit, "canned")
    await expect(page.get_by_role("heading", level=1)).to_have_text("2 canned replies.")
    await page.get_by_role("button", name="Make a reply").click()
    await page.get_by_label("Shortcut").fill("hi")
    await page.get_by_label("Title").fill("Bye")
    await page.get_by_label("Text").fill("Goodbye {name}.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("This shortcut is taken")
    await page.get_by_label("Shortcut").fill("bye")
    await page.get_by_role("button", name="Save").click()
    row = page.locator("tbody tr").filter(has_text="/bye")
    await row.get_by_role("button", name="Edit").click()
    await page.get_by_label("Text").fill("See you, {name}.")
    await page.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("See you, {name}.")
    await row.get_by_role("button", name="Delete").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    assert [one["shortcut"] for one in visit.desk.inbox.canned] == ["hi", "parcel"]
