"""Console → Tools: which servers answer, which are away, and where one would be found."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_address_where_nothing_has_ever_answered_is_no_trouble(visit: Visit) -> None:
    page = await visit.open("/console/tools")
    unseen = page.locator("section.server", has_text="localhost:8002")
    await expect(unseen).to_contain_text("Nothing has answered here yet")
    await expect(unseen.locator(".bad")).to_have_count(0)
    away = page.locator("section.server", has_text="127.0.0.1:8003")
    await expect(away.locator(".bad")).to_contain_text("Cannot be used: the desk has closed the connection")
