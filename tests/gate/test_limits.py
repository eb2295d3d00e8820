"""The limiter's contract, in process and in Valkey, and what callers see of it."""

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frontdesk.errors import RateLimited, StoreUnavailable
from frontdesk.gate.limits import RETRY_SECONDS, LocalLimiter, RedisLimiter, SteadyLimiter, Window, connect, limiter
from frontdesk.messages import Role
from frontdesk.ports import Limiter
from frontdesk.testing.clock import FakeClock
from tests.gate.conftest import Open

WINDOWS = [Window(3, 60), Window(5, 3600)]


@pytest.fixture(params=["local", "valkey"])
async def counted(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncGenerator[Limiter]:
    if request.param == "local":
        yield LocalLimiter(WINDOWS, clock)
        return
    redis = connect(request.getfixturevalue("valkey_url"))
    yield RedisLimiter(redis, WINDOWS, clock, prefix="test:")
    await redis.aclose()


async def test_a_window_takes_its_limit_and_no_more(counted: Limiter, clock: FakeClock) -> None:
    assert [(await counted.hit("ann")).remaining for _ in range(3)] == [2, 1, 0]
    clock.advance(20)
    with pytest.raises(RateLimited) as refused:
        await counted.hit("ann")
    assert refused.value.retry_after == pytest.approx(40, abs=0.01)
    assert (await counted.hit("ben")).remaining == 2


async def test_the_window_slides(counted: Limiter, clock: FakeClock) -> None:
    for wait in (0, 30, 20):
        clock.advance(wait)
        await counted.hit("ann")
    clock.advance(10)  # the first one is a minute old
    await counted.hit("ann")
    with pytest.raises(RateLimited) as refused:
        await counted.hit("ann")
    assert refused.value.retry_after == pytest.approx(30, abs=0.01)


async def test_the_longer_window_holds_too_and_a_refusal_does_not_count(counted: Limiter, clock: FakeClock) -> None:
    for _ in range(5):
        await counted.hit("ann")
        clock.advance(30)
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            await counted.hit("ann")
    assert refused.value.retry_after == pytest.approx(3600 - 150, abs=0.01)
    clock.advance(3600 - 150)
    assert (await counted.hit("ann")).remaining == 0


async def test_a_call_may_cost_more_than_one(counted: Limiter) -> None:
    assert (await counted.hit("ann", cost=2)).remaining == 1
    with pytest.raises(RateLimited):
        await counted.hit("ann", cost=2)
    assert (await counted.hit("ann")).remaining == 0


async def test_the_state_tells_the_tightest_window(counted: Limiter, clock: FakeClock) -> None:
    state = await counted.hit("ann")
    assert (state.limit, state.remaining) == (3, 2)
    assert state.reset == pytest.approx(60, abs=0.01)
    await counted.hit("ann")
    clock.advance(61)
    await counted.hit("ann")
    state = await counted.hit("ann")
    assert (state.limit, state.remaining) == (3, 1)


@settings(max_examples=60, deadline=None)
@given(waits=st.lists(st.integers(0, 40), min_size=1, max_size=60))
async def test_no_stretch_of_time_holds_more_than_its_limit(waits: list[int]) -> None:
    clock, taken = FakeClock(), list[float]()
    counted = LocalLimiter(WINDOWS, clock)
    for wait in waits:
        clock.advance(wait)
        try:
            await counted.hit("ann")
        except RateLimited:
            full = [w for w in WINDOWS if sum(at > clock.monotonic() - w.seconds for at in taken) >= w.limit]
            assert full, "refused although every window had room"
        else:
            taken.append(clock.monotonic())
        for window in WINDOWS:
            assert sum(at > clock.monotonic() - window.seconds for at in taken) <= window.limit


async def test_processes_share_one_count(valkey_url: str, clock: FakeClock) -> None:
    redis = connect(valkey_url)
    first, second = (limiter(WINDOWS, clock, redis=redis, prefix="x:") for _ in range(2))
    assert (await first.hit("ann")).remaining == 2
    assert (await second.hit("ann")).remaining == 1
    await redis.aclose()


@pytest.mark.proves("promise-8")
async def test_without_redis_each_process_counts_alone_and_readiness_says_so(valkey_url: str, clock: FakeClock) -> None:
    gone = connect("redis://127.0.0.1:9/0")
    steady = SteadyLimiter(RedisLimiter(gone, WINDOWS, clock, prefix="x:"), LocalLimiter(WINDOWS, clock), clock)
    with pytest.raises(StoreUnavailable):
        await steady.ping()
    for _ in range(3):
        await steady.hit("ann")
    with pytest.raises(RateLimited):
        await steady.hit("ann")
    back = connect(valkey_url)
    steady._shared = RedisLimiter(back, WINDOWS, clock, prefix="x:")  # Redis is there again
    await steady.ping()
    clock.advance(RETRY_SECONDS)
    assert (await steady.hit("ann")).remaining == 2
    await gone.aclose()
    await back.aclose()


@pytest.mark.proves("assistant-6")
async def test_the_61st_call_in_a_minute_is_refused_and_another_user_is_unaffected(
    open_gate: Open, clock: FakeClock
) -> None:
    desk = open_gate()
    ann, ben = {"x-api-key": await desk.key(await desk.person())}, {"x-api-key": await desk.key(await desk.person())}
    async with desk.client(headers=ann) as client, desk.client(headers=ben) as other:
        for call in range(60):
            answer = await client.post("/api/v1/chat", json={})
            assert answer.status_code == 200
            assert int(answer.headers["ratelimit-remaining"]) == 59 - call
        answer = await client.post("/api/v1/chat", json={})
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate_limited")
        assert (answer.headers["retry-after"], answer.headers["ratelimit-remaining"]) == ("60", "0")
        assert (await other.post("/api/v1/chat", json={})).status_code == 200
        assert (await client.get("/api/v1/conversations")).status_code == 200, "looking does not count"
        openai = await client.post("/v1/chat/completions", json={})
        assert (openai.status_code, openai.json()["error"]["type"]) == (429, "rate_limit_error")
        clock.advance(60)
        assert (await client.post("/api/v1/chat", json={})).status_code == 200


@pytest.mark.proves("assistant-6")
async def test_the_1001st_call_in_an_hour_is_refused_and_another_user_is_unaffected(
    open_gate: Open, clock: FakeClock
) -> None:
    desk = open_gate()
    ann, ben = {"x-api-key": await desk.key(await desk.person())}, {"x-api-key": await desk.key(await desk.person())}
    async with desk.client(headers=ann) as client, desk.client(headers=ben) as other:
        for _ in range(1000):
            clock.advance(1.5)
            assert (await client.get("/v1/models")).status_code == 200
        clock.advance(1.5)
        answer = await client.get("/v1/models")
        assert (answer.status_code, answer.headers["ratelimit-limit"]) == (429, "1000")
        assert answer.headers["retry-after"] == str(3600 - 1500)
        assert (await other.get("/v1/models")).status_code == 200


async def test_signed_out_callers_are_counted_by_address_and_visitors_cannot_shed_their_count(
    open_gate: Open,
) -> None:
    desk = open_gate(visitors=True, rate_limit_per_minute=2)
    statuses: list[int] = []
    for address in ("203.0.113.7", "203.0.113.7", "203.0.113.7", "203.0.113.8", "2001:db8::1", "2001:db8::2"):
        async with desk.client(address) as browser:  # a new cookie jar each time
            statuses.append((await browser.post("/api/v1/chat", json={})).status_code)
    assert statuses == [200, 200, 429, 200, 200, 200]
    async with desk.client("2001:db8::3") as browser:
        assert (await browser.post("/api/v1/chat", json={})).status_code == 429, "one /64 is one address"


async def test_limits_can_be_switched_off(open_gate: Open) -> None:
    desk = open_gate(rate_limit_enabled=False, rate_limit_per_minute=1)
    async with desk.client(headers={"x-api-key": await desk.key(await desk.person())}) as client:
        answers = [await client.post("/api/v1/chat", json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert "ratelimit-limit" not in answers[0].headers


async def test_tries_of_one_account_are_limited_whatever_the_address(open_gate: Open) -> None:
    desk = open_gate()
    await desk.person(Role.OWNER, email="ann@example.com")
    statuses: list[int] = []
    for n in range(6):
        async with desk.client(f"203.0.113.{n}") as client:
            body = {"email": "Ann@example.com", "password": "a wrong guess"}
            statuses.append((await client.post("/api/v1/auth/sign-in", json=body)).status_code)
    assert statuses == [401, 401, 401, 401, 401, 429]
