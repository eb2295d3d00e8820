"""The sign-in page and the way back from an expired session."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_signed_out_reader_is_sent_to_sign_in_and_back(visit: Visit) -> None:
    visit.desk.signed_in = False
    page = await visit.open("/?view=memory")
    await page.wait_for_url(re.compile(r"/sign-in\?next="))
    await page.get_by_label("E-mail address").fill("ada@example.org")
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("The address or the password is wrong")
    await page.get_by_label("Password").fill("correct horse")
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"view=memory"))


async def test_a_one_time_link_signs_in_with_one_click_and_leaves_no_trace(visit: Visit) -> None:
    visit.desk.signed_in = False
    page = await visit.open("/sign-in#token=good")
    await expect(page.locator(".welcome")).to_be_visible()
    assert "token" not in page.url


async def test_a_spent_link_says_what_to_do(visit: Visit) -> None:
    page = await visit.open("/sign-in#token=spent")
    await expect(page.get_by_role("alert")).to_contain_text("This link has been used or has run out")
    assert "spent" not in page.url


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
async def test_sign_in_goes_nowhere_but_to_this_desk(visit: Visit, next_page: str) -> None:
    page = await visit.open(f"/sign-in?next={next_page}#token=good")
    await expect(page.locator(".welcome")).to_be_visible()
    assert page.url.startswith(visit.address)
    assert visit.foreign_requests == []


async def test_providers_are_offered(visit: Visit) -> None:
    page = await visit.open("/sign-in?next=/console")
    link = page.get_by_role("link", name="Sign in with Example")
    assert await link.get_attribute("href") == "/api/v1/auth/start/example?next=%2Fconsole"
