"""Updates come in once, are rows before they are acknowledged, and nobody else's get in."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

import httpx2
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette

from frontdesk.channels.telegram.updates import NotAnUpdate, read
from frontdesk.channels.telegram.webhook import LARGEST, SECRET_HEADER, Arrivals, route
from frontdesk.store.database import Database
from frontdesk.store.updates import NewUpdate, Updates
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.serve import serve
from frontdesk.testing.telegram import Posting, running_telegram

SECRET = "the_word-for-tests"
NAMES = """
    update_id message edited_message callback_query my_chat_member message_id chat id type from text caption photo
    document file_id entities offset length data date media_group_id reply_to_message title status new_chat_member
    message_thread_id is_topic_message voice sticker
""".split()  # noqa: SIM905 a column of quoted words reads worse


@dataclass
class Bell:
    """Remembers whom it was rung for."""

    rung: list[tuple[str, str]] = field(default_factory=list)
    backlog: int = 0

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))


@dataclass
class Door:
    """The webhook, and what stands behind it."""

    http: httpx2.AsyncClient
    updates: Updates
    bell: Bell

    async def post(self, body: bytes, secret: str | None = SECRET) -> int:
        headers = {} if secret is None else {SECRET_HEADER: secret}
        return (await self.http.post("/webhook", content=body, headers=headers)).status_code


@pytest.fixture
async def door(database: Database, clock: FakeClock, ids: CountingIds) -> AsyncGenerator[Door]:
    updates, bell = Updates(database, clock, ids), Bell()
    site = Starlette(routes=[route(Arrivals(updates, bell), SECRET)])
    async with serve(site) as url, httpx2.AsyncClient(base_url=url) as http:
        yield Door(http, updates, bell)


def said(number: int, text: str = "Hello", chat: int = 7, **more: object) -> bytes:
    message = {
        "message_id": number,
        "date": 1,
        "chat": {"id": chat, "type": "private"},
        "from": {"id": chat, "is_bot": False, "first_name": "Ann"},
        "text": text,
    }
    return msgspec.json.encode({"update_id": number, "message": message | more})


async def test_an_update_is_a_row_before_it_is_acknowledged(door: Door) -> None:
    assert await door.post(said(1)) == 200
    assert await door.updates.count("waiting") == 1
    assert door.bell.rung == [("update", "telegram:7")]


@pytest.mark.proves("conversation-3", "abuse-7")
@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x", SECRET.upper(), "größe"])
async def test_a_post_without_the_secret_leaves_no_trace(door: Door, secret: str | None) -> None:
    headers = [] if secret is None else [(SECRET_HEADER.encode(), secret.encode())]
    forged = {b"x-forwarded-host": b"api.telegram.org", b"x-forwarded-for": b"149.154.167.220"}
    answer = await door.http.post("/webhook", content=said(1), headers=[*headers, *forged.items()])
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_signed_in"
    assert await door.updates.count("waiting") == 0
    assert door.bell.rung == []


async def test_a_replayed_update_has_no_effect(door: Door) -> None:
    assert [await door.post(said(1)) for _ in range(3)] == [200, 200, 200]
    assert await door.post(said(1, "other words")) == 200
    assert await door.updates.count("waiting") == 1
    assert len(door.bell.rung) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        b"[]",
        b"{}",
        b'{"update_id": "7"}',
        b'{"update_id": true}',
        b'{"update_id": -1}',
        b'{"update_id": 9223372036854775808}',
        b'{"update_id": 1, "message": ',
        b"\xff\xfe",
        b'{"update_id":1,"x":' + b"[" * 100_000,
    ],
)
async def test_what_is_no_update_is_refused(door: Door, body: bytes) -> None:
    assert await door.post(body) == 400
    assert await door.updates.count("waiting") == 0


async def test_a_huge_post_is_refused(door: Door) -> None:
    assert await door.post(said(1, "x" * LARGEST)) == 413
    assert await door.post(said(2, "x" * (LARGEST - 1000))) == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"update_id": 1, "hologram": {"id": 1}}, "other"),
        ({"update_id": 1, "poll_answer": {"poll_id": "1"}}, "poll_answer"),
        ({"update_id": 1, "message": {"message_id": "one"}}, "message"),
        ({"update_id": 1}, "other"),
    ],
)
async def test_what_nobody_knows_is_kept_and_shown(door: Door, body: dict[str, object], kind: str) -> None:
    assert await door.post(msgspec.json.encode(body)) == 200
    assert [(kept.id, kept.kind) for kept in await door.updates.kept()] == [("1", kind)]
    assert door.bell.rung == []


@pytest.mark.proves("promise-2")
async def test_copies_of_updates_make_one_row_each(
    door: Door, database: Database, clock: FakeClock, size: Callable[[int, int], int], chance: random.Random
) -> None:
    """Shuffled, 1 to 5 copies each, at three doors at once."""
    count = size(100, 5000)
    doors = [Arrivals(Updates(database, clock, CountingIds()), door.bell) for _ in range(3)]
    posts = [number for number in range(count) for _ in range(chance.randint(1, 5))]
    chance.shuffle(posts)
    news = await asyncio.gather(
        *(chance.choice(doors).take(read(said(number, chat=number % 50 + 1))) for number in posts)
    )
    assert sum(news) == count
    assert await door.updates.count("waiting") == count
    assert len(door.bell.rung) == count


@pytest.mark.proof
async def test_the_webhook_is_fast(door: Door, size: Callable[[int, int], int]) -> None:
    """More than 500 updates a second, and 99 of 100 are answered within 200 ms."""
    count, seconds, url = size(1000, 5000), list[float](), str(door.http.base_url.join("/webhook"))
    numbers = iter(range(count))

    async def telegram(posting: Posting) -> None:
        for number in numbers:
            begun = time.perf_counter()
            assert await posting.post(said(number, chat=number), secret=SECRET, url=url) == 200
            seconds.append(time.perf_counter() - begun)

    async with running_telegram() as stand_in:
        await asyncio.gather(*(stand_in.posting.post(said(count + at), secret=SECRET, url=url) for at in range(50)))
        begun = time.perf_counter()
        await asyncio.gather(*(telegram(stand_in.posting) for _ in range(40)))
        rate = count / (time.perf_counter() - begun)
    slowest = statistics.quantiles(seconds, n=100)[98]
    print(f"\n{rate:.0f} updates/s, p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {slowest * 1000:.1f} ms")
    assert rate > 500
    assert slowest < 0.2


@pytest.fixture(scope="session")
def cases(pytestconfig: pytest.Config) -> int:
    return 100_000 if pytestconfig.option.full else 2_000


def test_no_bytes_break_the_reader(cases: int) -> None:
    """Whatever comes: an update, one that is kept, or a refusal."""
    scalars = some.none() | some.booleans() | some.integers() | some.floats() | some.text()
    names = some.sampled_from(NAMES)
    values = some.recursive(
        scalars,
        lambda inner: some.lists(inner, max_size=3) | some.dictionaries(names, inner, max_size=5),
        max_leaves=12,
    )
    updates = some.dictionaries(names | some.text(max_size=5), values, max_size=4)
    near = some.builds(
        lambda kind, number, extra: {"update_id": number, kind: extra},
        some.sampled_from(["message", "edited_message", "callback_query", "my_chat_member", "novelty"]),
        some.integers(0, 2**63),
        values,
    )

    @settings(max_examples=cases, deadline=None, database=None)
    @given(some.binary(max_size=200) | (updates | near).map(msgspec.json.encode))
    def check(body: bytes) -> None:
        try:
            update = read(body)
        except NotAnUpdate:
            return
        assert isinstance(update, NewUpdate)
        assert update.keep == (update.lane == "")
        assert "\x00" not in update.lane + update.kind + (update.album or "")

    check()
