"""The pages of engagement: what was decided and why, what waits for a word, who decides, and what can be believed."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.fake_engagement import DIGEST

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(visit: Visit, name: str, says: str) -> Page:
    page = await visit.open(f"/console/{name}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(says)
    return page


async def test_decisions_are_listed_filtered_and_explained(visit: Visit) -> None:
    page = await opened(visit, "decisions", "Of the last 3 decisions 1 acts and 1 asks a person.")
    await page.get_by_label("Then").select_option("nothing")
    await expect(page.locator("tbody tr")).to_have_count(1)
    assert "state=nothing" in page.url
    await page.get_by_label("Then").select_option("")
    await page.locator("tbody tr").first.get_by_role("link").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Acts: tip · email · now for ann.")
    for words in (
        "For it: what e-mail does.",
        "Against doing nothing −0.040",
        "Rules took other choices away. They are listed below.",
        "The segment's limit of messages in 7 days is reached.",
        "A number that the knowledge does not hold.",
        "Ada approved",
        "email: sent",
        "clicked",
        "frontdesk decisions replay dec_1",
    ):
        await expect(page.get_by_text(words).first).to_be_visible()
    await expect(page.locator(".reasons code")).to_have_text("tip/email/now")
    await expect(page.locator(".reasons")).not_to_contain_text("limit of messages")
    await page.get_by_role("tab", name="Table").click()
    await expect(page.get_by_role("region", name="What spoke for it")).to_contain_text("+0.110")
    assert visit.complaints == []


async def test_more_decisions_come_below_those_that_are_shown(visit: Visit) -> None:
    visit.desk.engagement.lines_a_page = 2
    page = await opened(visit, "decisions", "Of the last 2 decisions 1 acts and 1 asks a person.")
    await page.get_by_role("button", name="More").click()
    await expect(page.locator("tbody tr")).to_have_count(3)
    await expect(page.locator("tbody tr").last).to_contain_text("Does nothing")


@pytest.mark.proves("engagement-3")
async def test_a_held_decision_is_overruled_after_a_question(visit: Visit) -> None:
    page = await opened(visit, "decisions/dec_4", "Holds back: tip · email · now for ann.")
    await expect(page.get_by_text("Held back: the confidence is below 0.75.")).to_be_visible()
    await page.get_by_role("button", name="Write it after all").click()
    assert visit.desk.engagement.told == []
    await page.get_by_role("alertdialog").get_by_role("button", name="Write it after all").click()
    await expect(page.get_by_role("link", name="It waits under Approvals")).to_be_visible()
    await expect(page.get_by_role("button", name="Write it after all")).to_have_count(0)
    assert visit.desk.engagement.told == [("POST", "/api/v1/decisions/dec_4/overrule", None)]


async def test_why_a_held_decision_cannot_be_overruled_is_told(visit: Visit) -> None:
    visit.desk.engagement.conflicts = True
    page = await opened(visit, "decisions/dec_4", "Holds back: tip · email · now for ann.")
    await page.get_by_role("button", name="Write it after all").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Write it after all").click()
    await expect(page.get_by_role("alertdialog").get_by_text("What this was decided on is out of date")).to_be_visible()


async def test_a_message_is_approved_exactly_as_it_was_seen(visit: Visit) -> None:
    page = await opened(visit, "approvals", "2 messages wait for a person.")
    await expect(page.get_by_text("2 people must approve it")).to_be_visible()
    await expect(page.get_by_text("Stop these messages: https://desk.test/unsubscribe/dec_1")).to_be_visible()
    await page.get_by_role("button", name="Approve", exact=True).first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("One message waits for a person.")
    assert visit.desk.engagement.told == [("POST", "out_1", {"verdict": "approve", "digest": DIGEST})]


async def test_a_message_is_changed_or_rejected_with_a_note(visit: Visit) -> None:
    page = await opened(visit, "approvals", "2 messages wait for a person.")
    await page.get_by_role("button", name="Edit").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Text").fill("Hello.")
    await dialog.get_by_role("button", name="Approve this text").click()
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Reject").first.click()
    await dialog.get_by_label("Note for the log").fill("Too soon")
    await dialog.get_by_role("button", name="Reject").click()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
    edit, rejection = visit.desk.engagement.told
    assert edit[2] == {"verdict": "edit", "digest": DIGEST, "subject": "Subject 1", "body": "Hello.", "note": ""}
    assert rejection[2] == {"verdict": "reject", "digest": DIGEST, "note": "Too soon"}


async def test_all_that_is_shown_is_approved_after_a_question(visit: Visit) -> None:
    page = await opened(visit, "approvals", "2 messages wait for a person.")
    await page.get_by_role("button", name="Approve all 2 shown").click()
    assert visit.desk.engagement.told == []
    await page.get_by_role("alertdialog").get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("Nothing waits for you.")).to_be_visible()


async def test_a_word_that_comes_too_late_is_told(visit: Visit) -> None:
    visit.desk.engagement.conflicts = True
    page = await opened(visit, "approvals", "2 messages wait for a person.")
    await page.get_by_role("button", name="Approve", exact=True).first.click()
    await expect(page.get_by_text("Somebody was faster")).to_be_visible()


async def test_a_customer_is_looked_at_let_alone_and_erased(visit: Visit) -> None:
    page = await opened(visit, "customers", "1 customer.")
    await page.get_by_role("link", name="ann", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ann: active, smb.")
    await expect(page.locator(".timeline li")).to_have_count(4)
    await expect(page.get_by_text("at most 2 a week, 24 hours apart")).to_be_visible()
    await page.get_by_role("button", name="Withdraw all consents").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Withdraw all consents").click()
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await page.get_by_role("button", name="Erase").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Erase").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 customer.")
    (put, path, body), (deleted, gone, _) = visit.desk.engagement.told
    assert (put, path, body["consents"]) == ("PUT", "/api/v1/customers/ann", [])
    assert (deleted, gone) == ("DELETE", "/api/v1/customers/ann")


async def test_the_outbox_shows_letters_and_asks_about_unknown_ones(visit: Visit) -> None:
    page = await opened(visit, "outbox", "2 letters to customers; of 1 nobody knows whether they arrived.")
    rows = page.locator("tbody tr")
    await rows.first.locator("summary").click()
    await expect(rows.first).to_contain_text("Hello Ann")
    await expect(rows.last.get_by_role("button", name="It arrived")).to_be_visible()
    await expect(rows.first.get_by_role("button", name="It arrived")).to_have_count(0)


@pytest.mark.proves("engagement-8")
async def test_a_rollback_is_visible_with_its_numbers_and_can_be_made_by_hand(visit: Visit) -> None:
    page = await opened(visit, "policies", "A challenger decides for 10% of the people.")
    moves = page.get_by_role("region", name="What changed")
    await expect(moves).to_contain_text("Taken back")
    await expect(moves).to_contain_text("ratio 0.610 · ratio high 0.880 · challenger decisions 812")
    await expect(page.get_by_text("0.91 times as well, between 0.50 and ∞ for sure")).to_be_visible()
    await page.get_by_role("button", name="Take back").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("It annoys people")
    await dialog.get_by_role("button", name="Take back").click()
    await expect(dialog).to_have_count(0)
    assert visit.desk.engagement.told == [("POST", "/api/v1/rollbacks", {"reason": "It annoys people"})]
    await page.get_by_role("region", name="Snapshots").get_by_role("link").last.click()
    await expect(page.get_by_role("region", name="What it believes")).to_contain_text("0.100 ± 0.020")


async def test_a_step_of_evolution_is_taken_and_its_gap_is_told(visit: Visit) -> None:
    page = await opened(visit, "evolution", "Generation 4: a strategy that writes less")
    await expect(page.get_by_text("a gap of 0.0100")).to_be_visible()
    await expect(
        page.get_by_role("img", name="In 7 rounds the best fitness went from 0.0100 to 0.0700.")
    ).to_be_visible()
    await page.get_by_role("button", name="Evolve now").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Generation 5: nothing better was found")


async def test_figures_say_how_far_they_can_be_believed(visit: Visit) -> None:
    page = await opened(
        visit,
        "evaluation",
        "What it says is off by 2.1% on average, over 900 decisions that it never learned from.",
    )
    await expect(page.get_by_text("the log is worth 83 decisions, and 100 are needed")).to_be_visible()
    await page.get_by_role("tab", name="Table").click()
    await expect(page.get_by_role("region", name="Calibration", exact=True)).to_contain_text("85.0%")
    await expect(page.get_by_text("smb: evening")).to_be_visible()


async def test_a_finding_of_bias_is_accepted_with_its_reason(visit: Visit) -> None:
    page = await opened(visit, "fairness", "One group is treated worse than it may be.")
    await expect(page.locator("tbody tr")).to_contain_text("0.67 (0.55 … 0.78)")
    await page.get_by_role("button", name="Accept").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Why").fill("Fewer of them agreed")
    await dialog.get_by_role("button", name="Accept").click()
    await expect(dialog).to_have_count(0)
    assert visit.desk.engagement.told == [("POST", "/api/v1/bias/findings/gap_1", {"note": "Fewer of them agreed"})]
