"""The page of a letter's link: in the house's colours, for every channel, with everybody's names made harmless."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from frontdesk.channels.engagement import unsubscribe
from frontdesk.channels.engagement import unsubscribe_page as page
from frontdesk.decision.feedback import Feedback
from frontdesk.delivery.unsubscribe import StopLinks
from frontdesk.engagement import CHANNELS, Channel
from frontdesk.errors import StoreUnavailable

TOKENS = Path(__file__).parents[2] / "ui" / "src" / "shared" / "tokens.css"
EVERY = (page.ASKED, page.DONE, page.NOBODY, page.WRONG, page.LATER)


def tokens(text: str) -> dict[str, str]:
    """What `--name: value;` says, by name; the first word on each counts."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"(--[\w-]+):\s*([^;]+);", text):
        found.setdefault(name, value)
    return found


def test_its_colours_and_sizes_are_those_of_all_pages() -> None:
    own, shared = tokens(page.STYLE), tokens(TOKENS.read_text(encoding="utf-8"))
    assert own == {name: shared[name] for name in own}
    assert set(re.findall(r"var\((--[\w-]+)\)", page.STYLE)) == set(own)


@pytest.mark.parametrize("words", EVERY, ids=lambda words: words.title)
def test_a_desks_name_is_text_and_nothing_else(words: page.Words) -> None:
    text = bytes(page.response(words, "<b>{act}</b>").body).decode()
    assert "<b>" not in text
    assert "{desk}" not in text
    assert "{by}" not in text


def test_every_channel_has_its_words() -> None:
    assert set(page.BY) == set(CHANNELS)


def test_only_the_question_has_a_button() -> None:
    assert [words for words in EVERY if b"<button>" in bytes(page.response(words, "Desk").body)] == [page.ASKED]


async def test_while_the_database_is_away_it_asks_to_be_opened_again() -> None:
    class Away(Feedback):
        def __init__(self) -> None:
            pass

        async def channel(self, decision_id: str) -> Channel:
            raise StoreUnavailable("The database is away")

    links = StopLinks("http://desk", b"key")
    app = Starlette(routes=[unsubscribe.route(links, Away(), "Desk")])
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
        answer = await client.post(links.of("dec_1"))
    assert answer.status_code == 503, "so that a mailbox provider tries again"
    assert "Nothing has changed" in answer.text
