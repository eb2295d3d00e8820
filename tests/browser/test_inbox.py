"""The inbox: who waits, what is said as it is said, and a person who takes over, by keyboard alone if they like."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.fake_inbox import ADA, GRACE
from tests.browser.test_access import OUTSIDE, violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(visit: Visit, conversation: str = "conv_parcel") -> Page:
    page = await visit.open(f"/console/inbox/{conversation}")
    await page.locator(".inbox-head h2").wait_for()
    return page


async def taken(visit: Visit) -> Page:
    page = await opened(visit)
    await page.get_by_role("button", name="Take over").click()
    await expect(page.get_by_label("Reply to Mia")).to_be_focused()
    return page


async def test_the_first_line_says_who_waits_and_the_list_why(visit: Visit) -> None:
    page = await visit.open("/console/inbox")
    await expect(page.get_by_role("heading", level=1)).to_have_text("One person waits for somebody of the team.")
    mia = page.locator(".inbox-lines li").first
    await expect(mia).to_contain_text("Can somebody look, please?")
    await expect(mia).to_contain_text(re.compile(r"Telegram\s*waits 4 min\s*unhappy"))
    await expect(page.locator(".inbox-lines li").nth(2)).to_contain_text("Grace (operator) holds it")
    assert visit.complaints == []


async def test_views_channel_and_words_are_in_the_address(visit: Visit) -> None:
    page = await visit.open("/console/inbox")
    lines = page.locator(".inbox-lines li")
    await expect(lines).to_have_count(3)
    await page.get_by_role("button", name="Waiting 1").click()
    await expect(lines).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"view=waiting"))
    await page.get_by_role("button", name="Open 3").click()
    await page.get_by_label("Channel").select_option("widget")
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text("Friday at eight is free")
    await page.get_by_label("Channel").select_option("")
    await expect(lines).to_have_count(3)
    await page.get_by_label("Search").fill("parcel")
    await expect(lines).to_have_count(1)
    await expect(lines).to_contain_text("Can somebody look, please?")
    await lines.first.get_by_role("link").click()
    await expect(page).to_have_url(re.compile(r"/console/inbox/conv_parcel\?query=parcel$"))
    await page.reload()
    await expect(page.locator(".inbox-head h2")).to_have_text("Mia")
    await expect(lines).to_have_count(1)


async def test_lines_that_no_longer_fit_the_filters_look_it_until_the_answer_comes(visit: Visit) -> None:
    inbox = visit.desk.inbox
    page = await visit.open("/console/inbox")
    shown = page.get_by_role("region", name="Conversations")
    lines = page.locator(".inbox-lines")
    await expect(lines.locator("li")).to_have_count(3)
    await expect(shown).to_have_attribute("aria-busy", "false")
    inbox.list_release.clear()
    await page.get_by_label("Channel").select_option("widget")
    await expect(shown).to_have_attribute("aria-busy", "true")
    await expect(lines).to_have_css("opacity", "0.5")
    await expect(lines.locator("li")).to_have_count(3)
    inbox.list_release.set()
    await expect(lines.locator("li")).to_have_count(1)
    await expect(shown).to_have_attribute("aria-busy", "false")
    await expect(lines).to_have_css("opacity", "1")


async def test_words_that_no_open_conversation_holds_are_looked_for_in_all(visit: Visit) -> None:
    page = await visit.open("/console/inbox?query=address")
    await expect(page.locator(".inbox-list")).to_contain_text("No conversation fits these filters.")
    await page.get_by_role("button", name="Look in all of them").click()
    await expect(page.locator(".inbox-lines li")).to_contain_text("closed")
    await expect(page).to_have_url(re.compile(r"query=address&view=all$"))


async def test_a_long_list_is_shown_further_and_further_and_stays_as_long(visit: Visit) -> None:
    inbox = visit.desk.inbox
    first = inbox.talks["conv_open"]
    inbox.talks |= {f"conv_{number}": first | {"id": f"conv_{number}"} for number in range(120)}
    page = await visit.open("/console/inbox")
    lines = page.locator(".inbox-lines li")
    for shown in (30, 60, 90, 120):
        await expect(lines).to_have_count(shown)
        await page.get_by_role("button", name="Show more").click()
    await expect(lines).to_have_count(123)
    await expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    await inbox.say("conv_parcel", "user", "It is a red box.")
    await expect(lines.first).to_contain_text("It is a red box.")
    await expect(lines).to_have_count(123)


async def test_a_picture_of_the_visitor_is_seen_and_any_other_file_is_saved(visit: Visit) -> None:
    page = await opened(visit)
    picture = page.get_by_role("log").get_by_role("img", name="door.gif")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") == 1
    async with page.expect_download() as download:
        await page.get_by_role("link", name="bill.pdf").click()
    assert (await download.value).suggested_filename == "bill.pdf"
    assert visit.complaints == []


async def test_what_comes_in_is_there_at_once_and_said_once(visit: Visit) -> None:
    page = await opened(visit)
    log = page.get_by_role("log")
    assert await log.get_attribute("aria-live") == "off"
    await visit.desk.inbox.tell("typing", "conv_parcel", "Mia")
    await expect(page.locator(".dots")).to_contain_text("Mia is typing")
    await visit.desk.inbox.say("conv_parcel", "user", "It is a red box.")
    await expect(log.locator("li").last).to_contain_text("It is a red box.")
    await expect(page.locator(".dots")).to_have_count(0)
    await expect(page.locator("[data-announcer]")).to_have_text("Mia: It is a red box.")
    await expect(page.locator(".inbox-lines li").first).to_contain_text("It is a red box.")
    assert visit.complaints == []


async def test_the_desk_s_answer_is_seen_as_it_grows_and_said_when_it_is_whole(visit: Visit) -> None:
    inbox = visit.desk.inbox
    inbox.draft_release.clear()
    page = await opened(visit)
    reply = await inbox.say("conv_parcel", "assistant", "", state="running", turn_id="turn_1")
    inbox.talks["conv_parcel"]["running_turn_id"] = "turn_1"
    await inbox.tell("changed", "conv_parcel")
    running = page.locator("[data-state=running]")
    await expect(running).to_contain_text("It is at")
    await expect(running).to_contain_text("The desk is writing")
    await expect(page.locator("[data-announcer]")).to_have_text("")
    reply |= {"text": "It is **at the desk**.", "state": "complete", "grounding": "sourced"}
    inbox.talks["conv_parcel"]["running_turn_id"] = None
    inbox.draft_release.set()
    await expect(running).to_have_count(0)
    await expect(page.get_by_role("log").locator("li").last.locator("strong")).to_have_text("at the desk")
    await expect(page.locator("[data-announcer]")).to_have_text("Desk: It is at the desk.")
    assert visit.complaints == []


async def test_nothing_can_be_said_before_the_conversation_is_taken_over(visit: Visit) -> None:
    page = await opened(visit)
    await expect(page.get_by_label("Reply to Mia")).to_have_count(0)
    await expect(page.locator(".inbox-locked")).to_contain_text("The desk answers here.")
    await page.get_by_role("button", name="Take over").click()
    field = page.get_by_label("Reply to Mia")
    await expect(field).to_be_focused()
    await expect(page.locator(".inbox-head")).to_contain_text("You hold it")
    await field.fill("I am looking.")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log").locator("[data-role=operator]").last).to_contain_text("I am looking.")
    await expect(field).to_have_value("")
    assert ("typing", None) in visit.desk.inbox.told
    assert ("reply", "I am looking.") in visit.desk.inbox.told
    await expect(page.get_by_role("heading", level=1)).to_have_text("Nobody waits for a person.")


async def test_typing_is_told_seldom(visit: Visit) -> None:
    page = await taken(visit)
    await page.keyboard.type("Some words that take a while to type, one by one.")
    assert [name for name, _ in visit.desk.inbox.told].count("typing") == 1


async def test_a_takeover_by_somebody_else_locks_the_field_and_keeps_the_words(visit: Visit) -> None:
    page = await taken(visit)
    await page.keyboard.type("Half a sent")
    await visit.desk.inbox.hold("conv_parcel", GRACE)
    await expect(page.locator(".inbox-locked")).to_contain_text(
        "Grace holds this conversation now. What you wrote is kept."
    )
    await expect(page.get_by_label("Reply to Mia")).to_have_count(0)
    await expect(page.locator("[data-announcer]")).to_contain_text("Grace holds this conversation now.")
    await page.get_by_role("button", name="Take over").click()
    await expect(page.get_by_label("Reply to Mia")).to_have_value("Half a sent")
    assert visit.desk.inbox.talks["conv_parcel"]["held_by"] == ADA


async def test_a_reply_that_comes_too_late_is_refused_with_the_reason_and_kept(visit: Visit) -> None:
    page = await taken(visit)
    visit.desk.inbox.is_lost = True
    await page.keyboard.type("Too late")
    await page.keyboard.press("Enter")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Somebody else holds this conversation")
    await expect(alert.locator("code").first).to_have_text("not_holder")
    await expect(page.get_by_label("Reply to Mia")).to_have_value("Too late")
    visit.desk.inbox.is_lost = False
    await alert.get_by_role("button", name="Try again").click()
    await expect(page.get_by_role("log")).to_contain_text("Too late")
    assert len(set(visit.desk.inbox.keys)) == 1


async def test_a_canned_reply_is_picked_with_the_slash(visit: Visit) -> None:
    page = await taken(visit)
    await page.keyboard.type("/")
    options = page.locator("[role=option]")
    await expect(options).to_have_count(2)
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("[role=option][aria-selected=true]")).to_contain_text("/parcel")
    await page.keyboard.press("Escape")
    await expect(options).to_have_count(0)
    await page.keyboard.type("h")
    await expect(options).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Reply to Mia")).to_have_value("Good morning Mia.")
    assert "reply" not in [name for name, _ in visit.desk.inbox.told]


async def test_the_desk_s_draft_grows_is_taken_over_changed_and_sent(visit: Visit) -> None:
    visit.desk.inbox.draft_release.clear()
    page = await taken(visit)
    await page.get_by_role("button", name="Draft", exact=True).click()
    preview = page.get_by_role("region", name="The desk's draft, not sent")
    await expect(preview).to_contain_text("The parce")
    await expect(preview.get_by_role("button", name="Take it into the reply")).to_have_count(0)
    visit.desk.inbox.draft_release.set()
    await expect(preview).to_contain_text("Written from sources · 1 House rules")
    await preview.get_by_role("button", name="Take it into the reply").click()
    field = page.get_by_label("Reply to Mia")
    await expect(field).to_have_value("The parcel is **at the desk** [1], and is kept for a week.")
    await expect(preview).to_have_count(0)
    assert "reply" not in [name for name, _ in visit.desk.inbox.told]
    await field.fill("The parcel is at the desk.")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("The parcel is at the desk.")


async def test_handing_back_says_what_the_desk_shall_do(visit: Visit) -> None:
    page = await taken(visit)
    await page.get_by_role("button", name="Hand back").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_label("The desk answers what has not been answered")).to_be_checked()
    await dialog.get_by_label("Ask how it went").check()
    await dialog.get_by_role("button", name="Hand back").click()
    await expect(page.locator(".inbox-locked")).to_contain_text("The desk answers here.")
    assert ("hand-back", {"answer": True, "close": False, "survey": True}) in visit.desk.inbox.told


async def test_notes_are_for_the_team_and_look_it(visit: Visit) -> None:
    page = await opened(visit)
    await expect(page.locator("[data-role=note]")).to_contain_text("Note by Grace, for the team alone")
    await page.get_by_role("button", name="Note", exact=True).click()
    await page.get_by_label("Note for the team").fill("Ask the night shift.")
    await page.keyboard.press("Enter")
    own = page.locator("[data-role=note]").last
    await expect(own).to_contain_text("Ask the night shift.")
    await own.get_by_role("button", name="Delete").click()
    await expect(page.locator("[data-role=note]")).to_have_count(1)
    assert "reply" not in [name for name, _ in visit.desk.inbox.told]


@pytest.mark.parametrize(("button", "decision"), [("It arrived", "sent"), ("Send again", "send_again")])
async def test_a_letter_of_unknown_outcome_is_shown_and_decided(visit: Visit, button: str, decision: str) -> None:
    page = await opened(visit)
    letter = page.locator("[data-role=unknown]")
    await expect(letter).to_contain_text("We have found your parcel.")
    await letter.get_by_role("button", name=button).click()
    await expect(letter).to_have_count(0)
    assert visit.desk.inbox.told == [("out_1", decision)]


async def test_a_conversation_is_assigned_and_closed(visit: Visit) -> None:
    page = await opened(visit)
    await page.get_by_label("Assigned to").select_option("Grace")
    await expect(page.locator(".inbox-lines li").first).to_contain_text("for Grace")
    await page.get_by_role("button", name="Close", exact=True).click()
    await expect(page.get_by_role("button", name="Open again")).to_be_visible()
    await expect(page.locator(".inbox-lines li")).to_have_count(2)


async def test_the_keyboard_alone_does_it_all(visit: Visit) -> None:
    page = await visit.open("/console/inbox")
    await page.locator(".inbox-lines a").first.wait_for()
    await page.keyboard.press("j")
    await expect(page.locator(".inbox-head h2")).to_have_text("Mia")
    await page.keyboard.press("j")
    await expect(page.locator(".inbox-head h2")).to_have_text("Alan")
    await page.keyboard.press("k")
    await expect(page.locator(".inbox-head h2")).to_have_text("Mia")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_contain_text("Hand back")
    await page.keyboard.press("Escape")
    await page.keyboard.press("t")
    field = page.get_by_label("Reply to Mia")
    await expect(field).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    await expect(page.get_by_role("listbox")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("log")).to_contain_text("Good morning Mia.")
    await page.keyboard.press("Escape")
    await page.keyboard.press("h")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Enter")
    await expect(page.locator(".inbox-locked")).to_be_visible()
    await page.keyboard.press("n")
    await expect(page.get_by_label("Note for the team")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await expect(page.locator(".inbox-talk")).to_have_text("Choose a conversation to read it here.")
    assert visit.complaints == []


async def test_the_newest_words_stay_in_sight_and_a_reader_further_up_is_left_there(visit: Visit) -> None:
    page = await opened(visit)
    log = page.get_by_role("log")
    for number in range(12):
        await visit.desk.inbox.say("conv_parcel", "user", f"Message {number}")
    await expect(log.get_by_text("Message 11", exact=True)).to_be_in_viewport()
    await visit.desk.inbox.tell("typing", "conv_parcel", "Mia")
    await expect(page.locator(".dots")).to_be_in_viewport(ratio=1)
    await log.evaluate("log => { log.scrollTop = 0 }")
    await expect(log.get_by_text("Where is my parcel?")).to_be_in_viewport()
    await visit.desk.inbox.say("conv_parcel", "user", "Message 12")
    await expect(log).to_contain_text("Message 12")
    assert await log.evaluate("log => log.scrollTop") == 0


async def test_earlier_messages_are_fetched_when_asked_for(visit: Visit) -> None:
    for number in range(230):
        await visit.desk.inbox.say("conv_open", "user", f"Message {number}")
    page = await opened(visit, "conv_open")
    await expect(page.get_by_role("log")).to_contain_text("Message 229")
    await expect(page.get_by_role("log").locator("li")).to_have_count(200)
    await page.get_by_role("button", name="Earlier messages").click()
    await expect(page.get_by_role("log").locator("li")).to_have_count(232)
    await expect(page.get_by_role("button", name="Earlier messages")).to_have_count(0)


async def test_while_the_line_is_cut_what_is_there_stays_and_says_so(visit: Visit) -> None:
    page = await opened(visit)
    await page.context.set_offline(True)
    await expect(page.get_by_text("The line is cut.")).to_be_visible()
    await expect(page.get_by_role("log")).to_contain_text("Can somebody look, please?")
    visit.desk.inbox.talks["conv_parcel"]["person"]["name"] = "Mia Maria"
    await page.context.set_offline(False)
    await expect(page.locator(".inbox-head h2")).to_have_text("Mia Maria")
    await expect(page.get_by_text("The line is cut.")).to_have_count(0)


async def test_a_conversation_that_is_not_there_says_so(visit: Visit) -> None:
    page = await visit.open("/console/inbox/conv_nowhere")
    await expect(page.locator(".inbox-talk").get_by_role("alert")).to_contain_text("There is no such conversation")


async def test_a_narrow_window_shows_the_list_or_the_conversation(visit: Visit) -> None:
    await visit.page.set_viewport_size({"width": 320, "height": 700})
    page = await visit.open("/console/inbox?view=waiting")
    await page.locator(".inbox-lines a").click()
    await expect(page.get_by_role("heading", name="Mia")).to_be_focused()
    await expect(page.locator(".inbox-list")).to_be_hidden()
    await page.get_by_role("link", name="All conversations").click()
    await expect(page.locator(".inbox-lines a")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"/console/inbox\?view=waiting$"))


@pytest.mark.parametrize("width", [320, 1280])
async def test_everybody_can_use_it(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 700})
    page = await visit.open("/console/inbox")
    await page.locator(".inbox-lines a").first.wait_for()
    assert await violations(page) == []
    assert await page.evaluate(OUTSIDE) == []
    await page.locator(".inbox-lines a").first.click()
    await page.locator(".inbox-head h2").wait_for()
    assert await violations(page) == []
    await page.get_by_role("button", name="Take over").click()
    await page.get_by_label("Reply to Mia").fill("/")
    await page.get_by_role("listbox").wait_for()
    await page.get_by_role("button", name="Draft", exact=True).click()
    await page.get_by_text("Written from sources").wait_for()
    assert await violations(page) == []
    assert await page.evaluate(OUTSIDE) == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    await page.get_by_role("button", name="Hand back").click()
    await page.get_by_role("dialog").wait_for()
    assert await violations(page) == []
    assert visit.complaints == []
