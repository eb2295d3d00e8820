"""The page of a letter's link in a real browser: by keyboard, in both themes, under its own strict policy."""

import pytest
from playwright.async_api import Page, Request, Route

from frontdesk.channels.engagement import unsubscribe_page as small
from tests.browser.conftest import Visit
from tests.browser.test_access import violations

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def opened(visit: Visit, words: small.Words) -> tuple[Page, list[Request]]:
    """The page that says these words, and the requests for it; a POST is answered as the desk answers it."""
    asked: list[Request] = []

    async def answer(route: Route) -> None:
        asked.append(route.request)
        said = small.response(small.DONE if route.request.method == "POST" else words, "Brass & Bells")
        body, headers = bytes(said.body).decode(), dict(said.headers)
        await route.fulfill(status=said.status_code, headers=headers, body=body)

    await visit.page.route("**/unsubscribe/*", answer)
    return await visit.open("/unsubscribe/dec_1.seal"), asked


@pytest.mark.parametrize("words", [small.ASKED, small.WRONG], ids=["the question", "a page without a button"])
async def test_axe_finds_nothing_on_it(visit: Visit, words: small.Words) -> None:
    page, _ = await opened(visit, words)
    assert await violations(page) == []
    await page.set_viewport_size({"width": 320, "height": 480})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_one_key_reaches_the_button_and_another_presses_it(visit: Visit) -> None:
    page, asked = await opened(visit, small.ASKED)
    await page.keyboard.press("Tab")
    box = await page.locator("button:focus").bounding_box()
    assert box is not None
    assert box["height"] >= 44
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Brass & Bells writes to you by e-mail no more").wait_for()
    assert [request.method for request in asked] == ["GET", "POST"]
    assert asked[1].post_data == "List-Unsubscribe=One-Click"
    assert await page.evaluate("getComputedStyle(document.querySelector('main')).display") == "grid", "its style holds"
    assert [url for url in visit.requests if "/unsubscribe/" not in url and "favicon" not in url] == []
    assert [line for line in visit.complaints if "favicon" not in line] == []
