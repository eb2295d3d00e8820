"""The chat page when a person of the team answers: they join, type, write and leave, and ask how it went."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.fake_values import message
from tests.browser.test_access import OUTSIDE, violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
GRACE = {"id": "per_2", "name": "Grace"}
TALK = "conv_1"


async def joined(visit: Visit) -> Page:
    """A conversation of one question, in which Grace has just taken over."""
    page = await visit.open()
    await visit.ask("When do you open?")
    visit.desk.conversations[TALK]["held_by"] = GRACE
    await visit.desk.person_says(TALK, "notice", "Grace has joined")
    await expect(page.locator(".holder")).to_have_text("Grace from the team answers here.")
    return page


async def asked_how_it_went(visit: Visit) -> Page:
    page = await joined(visit)
    visit.desk.conversations[TALK] |= {
        "held_by": None,
        "survey": {"id": "sv_1", "asked_at": "2126-01-01T00:00:00Z", "score": None},
    }
    await visit.desk.person_says(TALK, "notice", "Grace has left")
    await page.get_by_role("group", name="How did it go?").wait_for()
    return page


async def test_who_joins_is_seen_and_said_at_once(visit: Visit) -> None:
    page = await joined(visit)
    await expect(page.locator(".happened")).to_contain_text("Grace has joined")
    await expect(page.locator("[data-announcer]")).to_have_text("Grace has joined")
    await expect(page.get_by_label("Your message")).to_have_attribute("placeholder", "Write to Grace")
    assert visit.complaints == []


async def test_a_person_s_words_bear_their_name_and_are_said_once(visit: Visit) -> None:
    page = await joined(visit)
    await visit.desk.lines.tell("answering", name="Grace")
    await expect(page.locator(".holder")).to_have_text("Grace is typing")
    await visit.desk.person_says(TALK, "assistant", "We are open till **eight** today.", "Grace")
    words = page.locator("article.person")
    await expect(words.get_by_role("heading")).to_contain_text("Grace, from the team")
    await expect(words.locator("strong")).to_have_text("eight")
    await expect(page.locator(".holder")).to_have_text("Grace from the team answers here.")
    await expect(page.locator("[data-announcer]")).to_have_text("Grace: We are open till eight today.")
    await expect(words.get_by_role("button", name="Helpful")).to_have_count(0)


async def test_what_is_asked_now_waits_for_the_person_and_follows_their_words(visit: Visit) -> None:
    page = await joined(visit)
    talk = visit.desk.conversations[TALK]
    added = message("msg_unseen", talk["head_id"], "assistant", "Just a moment.") | {"author": GRACE}
    talk["messages"].append(added)
    talk["head_id"] = added["id"]  # and the news of it was lost
    await visit.ask("Are you there?")
    await expect(page.locator(".question").last).to_contain_text("Are you there?")
    await expect(page.locator("article.person")).to_contain_text("Just a moment.")
    await expect(page.locator(".answer")).to_have_count(1)
    await expect(page.locator(".versions")).to_have_count(0)
    assert "parent_id" not in visit.desk.asked[1]


async def test_the_desk_hears_that_somebody_types_but_not_each_key(visit: Visit) -> None:
    page = await joined(visit)
    await page.locator("#composer").focus()
    await page.keyboard.type("I have been waiting for a while")
    assert visit.desk.typed == 1


async def test_the_conversation_goes_on_live_after_a_cut_line(visit: Visit) -> None:
    page = await joined(visit)
    await page.context.set_offline(True)
    await visit.desk.person_says(TALK, "assistant", "Said while the line was cut.", "Grace")
    await page.context.set_offline(False)
    await expect(page.locator("article.person")).to_contain_text("Said while the line was cut.")


async def test_the_question_how_it_went_is_answered_with_the_keyboard(visit: Visit) -> None:
    page = await asked_how_it_went(visit)
    await page.get_by_role("radio").first.focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await page.get_by_label("In your words (optional)").fill("Quick and kind.")
    await page.locator(".survey").get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Thank you. The team reads this.")).to_be_visible()
    assert visit.desk.kept["satisfaction"] == {"score": 4, "comment": "Quick and kind."}
    await page.reload()
    await expect(page.locator(".happened").last).to_contain_text("Grace has left")
    await expect(page.get_by_role("group", name="How did it go?")).to_have_count(0)


async def test_earlier_messages_are_fetched_when_asked_for(visit: Visit) -> None:
    page = await joined(visit)
    for number in range(230):
        await visit.desk.person_says(TALK, "assistant", f"Message {number}", "Grace")
    await page.reload()
    await expect(page.locator("article.person")).to_have_count(200)
    await page.get_by_role("button", name="Earlier messages").click()
    await expect(page.locator("article.person")).to_have_count(230)
    await expect(page.locator(".question")).to_have_count(1)
    await expect(page.get_by_role("button", name="Earlier messages")).to_have_count(0)


async def test_telegram_is_connected_by_a_code_and_disconnected_again(visit: Visit) -> None:
    page = await visit.open("/?view=account")
    await page.get_by_role("button", name="Connect Telegram").click()
    await expect(page.locator(".offer code")).to_have_text("/link K7QF-29MX")
    await expect(page.get_by_role("link", name="Open Telegram")).to_have_attribute("href", "https://t.me/example_bot")
    field = page.get_by_label("Or enter the code that the desk gave you there")
    await field.fill("WRONG")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("This code is wrong or spent")
    await field.fill("GOOD-CODE")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_text("Telegram is connected.")).to_be_visible()
    await page.get_by_role("button", name="Disconnect Telegram").click()
    await expect(page.get_by_role("button", name="Disconnect Telegram")).to_have_count(0)
    assert visit.desk.links == []


@pytest.mark.parametrize("width", [320, 1280])
async def test_everybody_can_use_it(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 700})
    page = await joined(visit)
    await visit.desk.person_says(TALK, "assistant", "Hello, this is Grace.", "Grace")
    await page.locator("article.person").wait_for()
    assert await violations(page) == []
    visit.desk.conversations[TALK] |= {
        "held_by": None,
        "survey": {"id": "sv_1", "asked_at": "2126-01-01T00:00:00Z", "score": None},
    }
    await visit.desk.person_says(TALK, "notice", "Grace has left")
    await page.get_by_role("radio").nth(4).check()
    await page.get_by_label("In your words (optional)").wait_for()
    assert await violations(page) == []
    assert await page.evaluate(OUTSIDE) == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert visit.complaints == []
