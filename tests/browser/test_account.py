"""The account panel: name, password, providers, one's data and the end of it; and one refresh among many tabs."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_access import OUTSIDE, violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(visit: Visit) -> Page:
    page = await visit.open("/?view=account")
    await page.get_by_role("heading", name="Account", level=1).wait_for()
    return page


async def test_the_person_s_menu_leads_to_the_account(visit: Visit) -> None:
    page = await visit.open()
    await page.locator(".settings summary").click()
    await page.get_by_role("link", name="Account").click()
    await expect(page.get_by_role("heading", name="Account", level=1)).to_be_visible()
    await expect(page.locator("main")).to_contain_text("ada@example.org, owner")
    await expect(page).to_have_url(re.compile(r"view=account$"))
    assert visit.complaints == []


async def test_a_new_name_is_kept_and_shown(visit: Visit) -> None:
    page = await opened(visit)
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The name is saved.")).to_be_visible()
    await expect(page.locator(".settings summary")).to_have_text("Ada Lovelace")
    assert visit.desk.name == "Ada Lovelace"
    assert visit.complaints == []


async def test_a_wrong_current_password_shows_the_error_and_stays_signed_in(visit: Visit) -> None:
    page = await opened(visit)
    await page.get_by_label("Current password").fill("wrong horse")
    await page.get_by_label("New password").fill("battery staple")
    await page.get_by_role("button", name="Set the password").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("The current password is wrong")
    await expect(alert.locator("code").first).to_have_text("not_signed_in")
    assert visit.desk.refreshes == 0
    assert await violations(page) == []
    await page.get_by_label("Current password").fill("correct horse")
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_text("The password is set.")).to_be_visible()
    await expect(page.get_by_label("New password")).to_have_value("")
    assert visit.desk.password == "battery staple"
    assert page.url.endswith("view=account")


async def test_a_provider_is_connected_and_the_way_back_leads_here(visit: Visit) -> None:
    page = await opened(visit)
    link = page.get_by_role("link", name="Connect Example")
    assert await link.get_attribute("href") == "/api/v1/auth/start/example?link=true&next=%2F%3Fview%3Daccount"
    async with page.expect_request(re.compile(r"/auth/start/example\?link=true")):
        await link.click()
    await expect(page.get_by_role("heading", name="Account", level=1)).to_be_visible()


async def test_the_data_come_as_a_file(visit: Visit) -> None:
    page = await opened(visit)
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download my data").click()
    file = await download.value
    assert file.suggested_filename == "my-data.json"
    kept = json.loads(await asyncio.to_thread(Path(await file.path()).read_text, encoding="utf-8"))
    assert kept == {"person": visit.desk.person, "memories": visit.desk.memories}
    await expect(page.get_by_text("The file is in your downloads.")).to_be_visible()
    assert visit.complaints == []


async def test_an_account_is_erased_only_after_the_word_and_ends_at_sign_in(visit: Visit) -> None:
    page = await opened(visit)
    button = page.get_by_role("button", name="Erase my account")
    await expect(button).to_be_disabled()
    await page.get_by_label("Type “erase” to go on").fill("yes")
    await expect(button).to_be_disabled()
    await page.get_by_label("Type “erase” to go on").fill("Erase")
    visit.desk.is_last_owner = True
    await button.click()
    await expect(page.get_by_role("alert").locator("code").first).to_have_text("conflict")
    visit.desk.is_last_owner = False
    await button.click()
    await page.wait_for_url(re.compile(r"/sign-in$"))
    assert not visit.desk.signed_in


async def test_a_visitor_sees_what_is_a_visitor_s(visit: Visit) -> None:
    visit.desk.role = "visitor"
    page = await opened(visit)
    await expect(page.get_by_role("button", name="Download my data")).to_be_visible()
    await expect(page.get_by_role("button", name="Erase my account")).to_be_visible()
    await expect(page.locator("main").get_by_role("link", name="Sign in")).to_be_visible()
    for gone in ("Name", "New password"):
        await expect(page.get_by_label(gone)).to_have_count(0)
    await expect(page.get_by_text("Connect Example")).to_have_count(0)


async def test_signing_out_leads_to_sign_in(visit: Visit) -> None:
    page = await opened(visit)
    await page.locator("main").get_by_role("button", name="Sign out").click()
    await page.wait_for_url(re.compile(r"/sign-in$"))


@pytest.mark.parametrize("width", [320, 1280])
async def test_everybody_can_use_it(visit: Visit, width: int) -> None:
    await visit.page.set_viewport_size({"width": width, "height": 700})
    page = await opened(visit)
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert await page.evaluate(OUTSIDE) == []
    small = "() => [...document.querySelectorAll('main .button, main input:not([hidden])')]"
    assert await page.evaluate(f"({small}).call().every(one => one.getBoundingClientRect().height >= 44)")


async def test_tabs_whose_session_ran_out_together_refresh_it_once(visit: Visit) -> None:
    """A refresh token that is used twice ends the session, so tabs must take turns."""
    page = await opened(visit)
    context = page.context
    tabs = [page, await context.new_page(), await context.new_page()]
    for tab in tabs[1:]:
        await tab.goto(visit.address + "/?view=account")
        await tab.get_by_label("Name").wait_for()
    path = {"domain": "127.0.0.1", "path": "/api/v1/auth"}
    await context.add_cookies([{"name": "fd_refresh", "value": "token_0", **path}])
    visit.desk.signed_in, visit.desk.refresh_token = False, "token_0"
    await asyncio.gather(*(tab.reload() for tab in tabs))
    for tab in tabs:
        await expect(tab.get_by_role("heading", name="Account", level=1)).to_be_visible()
    assert visit.desk.refreshes == 1
    assert visit.desk.signed_in
