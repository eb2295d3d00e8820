"""The chat page: asking, watching, stopping, changing one's mind, reading the source."""

import asyncio
import re

import pytest
from playwright.async_api import Route, expect

from tests.browser.conftest import Visit
from tests.browser.fake_answers import CITATION, LONG

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.proves("assistant-2")
async def test_a_question_is_answered_in_a_growing_text(visit: Visit) -> None:
    visit.desk.hold_after = 3
    page = await visit.open()
    await visit.send("When do you open?")
    prose = page.locator(".answer .prose")
    await expect(prose).to_have_text(re.compile("^The desk"))
    assert "Saturdays" not in await prose.inner_text()
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    visit.desk.release.set()
    await expect(prose).to_contain_text("On Saturdays it closes at one")
    await expect(prose.locator("strong")).to_have_text("from nine to six")
    await expect(page).to_have_url(re.compile("/c/conv_1$"))
    assert visit.complaints == []


async def test_the_status_line_says_what_the_desk_does(visit: Visit) -> None:
    visit.desk.hold_after = 0
    page = await visit.open()
    await visit.send("When do you open?")
    await expect(page.locator(".working")).to_have_text("Looking in House rules")
    visit.desk.release.set()
    await expect(page.locator(".working")).to_have_count(0)


@pytest.mark.proves("promise-14")
async def test_a_reload_in_mid_answer_goes_on_with_nothing_lost_or_doubled(visit: Visit) -> None:
    visit.desk.hold_after = 40
    page = await visit.open()
    await visit.send("Long")
    await expect(page.locator(".answer .prose")).to_contain_text("Part 1")
    await page.wait_for_url(re.compile("/c/conv_1"))
    await page.reload()
    await expect(page.locator(".answer .prose")).to_contain_text("Part 1")
    visit.desk.release.set()
    await page.get_by_role("button", name="Send", exact=True).wait_for()
    headings = await page.locator(".answer .prose h3").all_inner_texts()
    assert headings == re.findall(r"Part \d+", LONG)


@pytest.mark.proves("promise-14")
async def test_a_cut_line_is_picked_up_where_it_broke(visit: Visit) -> None:
    visit.desk.cut_after = 6
    page = await visit.open()
    await visit.ask("When do you open?")
    await expect(page.locator(".answer .prose")).to_have_text(
        re.compile(r"^The desk is open from nine to six on weekdays 1\.\s*On Saturdays it closes at one 1\.$")
    )
    assert len(visit.desk.asked) == 1


async def test_stop_stands_where_send_was_and_keeps_what_was_said(visit: Visit) -> None:
    visit.desk.hold_after = 5
    page = await visit.open()
    send = await page.get_by_role("button", name="Send", exact=True).bounding_box()
    await visit.send("When do you open?")
    await expect(page.locator(".answer .prose")).to_contain_text("The desk")
    stop = page.get_by_role("button", name="Stop")
    assert (await stop.bounding_box()) == send
    await stop.click()
    await expect(page.get_by_text("Stopped here.")).to_be_visible()
    await expect(page.locator(".answer .prose")).to_contain_text("The desk")


async def test_an_edited_question_makes_a_branch_that_can_be_left_again(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("first words")
    await page.locator(".question").hover()
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.get_by_label("Edit your message").fill("other words")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .prose")).to_have_text("You said: other words")
    assert visit.desk.asked[1]["at_start"] is True
    await expect(page.locator(".versions").first).to_contain_text("2/2")
    await page.get_by_role("button", name="Earlier version").click()
    await expect(page.locator(".answer .prose")).to_have_text("You said: first words")
    await page.reload()
    await expect(page.locator(".answer .prose")).to_have_text("You said: first words")


async def test_an_answer_written_again_is_another_version(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("Tell me a joke")
    await page.get_by_role("button", name="Answer again").click()
    await expect(page.locator(".answer .versions")).to_contain_text("2/2")
    assert visit.desk.asked[1]["regenerate"] == "msg_1q"
    assert "text" not in visit.desk.asked[1]
    await expect(page.locator(".question")).to_have_count(1)


async def test_a_mark_opens_the_very_passage_beside_the_text(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("When do you open?")
    await page.locator(".prose .cite").first.click()
    panel = page.get_by_role("complementary", name="Source")
    await expect(panel.locator("mark")).to_have_text(str(CITATION["quote"]))
    await expect(panel.get_by_role("heading", name="House rules")).to_be_focused()
    await expect(page.locator(".answer .prose")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(panel).to_have_count(0)
    await expect(page.locator(".prose .cite").first).to_be_focused()


@pytest.mark.parametrize(
    ("question", "grounding", "note"),
    [
        ("When do you open?", "sourced", "Written from the sources below."),
        ("Quote it", "quoted", "The documents' own words."),
        ("Tell me a joke", "unsourced", "From a small model, without a source. It may be wrong."),
        ("Who is your barber?", "unknown", "Not found in the desk's documents."),
    ],
)
async def test_what_an_answer_stands_on_is_said_and_shown(
    visit: Visit, question: str, grounding: str, note: str
) -> None:
    page = await visit.open()
    await visit.ask(question)
    await expect(page.locator(f".answer[data-grounding={grounding}]")).to_be_visible()
    await expect(page.locator(".ground")).to_have_text(note)


async def test_what_is_not_known_can_be_left_for_a_person(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("Who is your barber?")
    await page.get_by_role("button", name="Leave a message for a person").click()
    await expect(page.get_by_label("Your message", exact=True).first).to_have_value("Who is your barber?")
    await page.get_by_role("button", name="Leave the message").click()
    await expect(page.get_by_text("Your message is with the team.")).to_be_visible()
    assert visit.desk.kept["/api/v1/handoffs"]["conversation_id"] == "conv_1"
    assert visit.desk.kept["/api/v1/handoffs"]["contact"] == "ada@example.org"


@pytest.mark.proves("abuse-16")
async def test_an_approval_shows_all_arguments_and_answers_with_their_digest(visit: Visit) -> None:
    page = await visit.open()
    await visit.send("Book a table")
    card = page.locator(".approval")
    await expect(card.locator("pre")).to_contain_text('"who": "Ada"')
    await card.get_by_role("button", name="Approve").click()
    await expect(page.locator(".answer .prose")).to_have_text("It is booked for Tuesday at ten.")
    assert visit.desk.kept["approval"] == {"decision": "approve", "digest": "0" * 64}
    await page.locator(".tool summary").click()
    await expect(page.locator(".tool")).to_contain_text("Booked.")


async def test_a_failed_answer_says_why_and_can_be_asked_again(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("Break")
    await expect(page.get_by_role("alert")).to_contain_text("model_unavailable")
    await expect(page.locator(".answer .prose")).to_have_text("This far, and")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()


async def test_a_change_of_model_is_said(visit: Visit) -> None:
    visit.desk.hold_after = 3
    page = await visit.open()
    await visit.send("Switch")
    await expect(page.get_by_text("large stopped here; small goes on.")).to_be_visible()
    visit.desk.release.set()


async def test_a_thumb_down_asks_for_a_reason(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("Tell me a joke")
    await page.get_by_role("button", name="Not helpful").click()
    await page.get_by_label("Not true").check()
    await page.locator(".answer form").get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Thank you. A person reads this.")).to_be_visible()
    assert visit.desk.kept["/api/v1/messages/msg_1a/feedback"] == {"value": -1, "reason": "Not true"}


async def test_a_file_goes_with_the_question(visit: Visit) -> None:
    page = await visit.open()
    plan = {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"north"}
    await page.locator("input[type=file]").set_input_files([plan])
    await expect(page.locator(".composer .chip")).to_have_text("plan.txt")
    await visit.ask("What is in it?")
    assert len(visit.desk.asked[0]["file_ids"]) == 1
    await expect(page.locator(".question .chip")).to_have_text("plan.txt")


async def test_conversations_are_found_by_their_words(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("about apples")
    await page.get_by_role("link", name="New conversation").click()
    await visit.ask("about pears")
    await page.get_by_label("Search conversations").fill("apples")
    lines = page.locator(".list li")
    await expect(lines).to_have_count(1)
    await lines.first.get_by_role("link").click()
    await expect(page.locator(".answer .prose")).to_have_text("You said: about apples")


async def test_a_conversation_is_deleted_only_after_asking(visit: Visit) -> None:
    page = await visit.open()
    await visit.ask("about apples")
    await page.locator(".talk-header").hover()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Keep it").click()
    assert len(visit.desk.conversations) == 1
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    await expect(page.locator(".welcome")).to_be_visible()
    assert visit.desk.conversations == {}


async def test_memories_are_seen_and_erased(visit: Visit) -> None:
    page = await visit.open("/?view=memory")
    await expect(page.get_by_text("Works in the garden house")).to_be_visible()
    await page.get_by_role("button", name="Erase: Works in the garden house").click()
    await expect(page.get_by_text("The desk remembers nothing about you yet.")).to_be_visible()
    await page.get_by_label("Something to remember").fill("Likes tea")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Likes tea")).to_be_visible()


async def test_what_was_being_written_survives_a_reload(visit: Visit) -> None:
    page = await visit.open()
    await page.locator("#composer").fill("half a thou")
    await page.reload()
    await expect(page.locator("#composer")).to_have_value("half a thou")


async def test_a_question_that_nobody_took_comes_back_before_what_was_written_since(visit: Visit) -> None:
    page = await visit.open()
    held = asyncio.Event()

    async def refuse(route: Route) -> None:
        await held.wait()
        error = {"code": "forbidden", "message": "Not now", "where": None, "hint": None, "request_id": "req_1"}
        await route.fulfill(status=403, json={"error": error})

    await page.route("**/api/v1/chat", refuse)
    await page.locator("#composer").fill("When do you open?")
    await page.keyboard.press("Enter")
    await expect(page.locator("#composer")).to_have_value("")
    await page.locator("#composer").fill("And on Sundays?")
    held.set()
    await expect(page.locator("#composer")).to_have_value("When do you open?\n\nAnd on Sundays?")


async def test_being_offline_is_said_and_the_answer_goes_on_afterwards(visit: Visit) -> None:
    visit.desk.hold_after = 3
    page = await visit.open()
    await visit.send("When do you open?")
    await expect(page.locator(".answer .prose")).to_contain_text("The desk")
    await page.context.set_offline(True)
    await expect(page.get_by_text("You are offline.")).to_be_visible()
    await page.context.set_offline(False)
    visit.desk.release.set()
    await expect(page.locator(".answer .prose")).to_contain_text("On Saturdays")
    await expect(page.get_by_text("You are offline.")).to_have_count(0)
