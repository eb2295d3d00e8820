"""A load run of decisions is judged by the desk's own targets, and says which of them held."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontdesk.operate.load.deciding import MANY, ONE, Asking, Count, Orders
from frontdesk.operate.load.desk import Answer, DecidingDesk
from frontdesk.operate.load.tally import Percentiles
from frontdesk.operate.load.verdict import Found, Targets, Verdict, judge

TARGETS = Targets(p95_ms=100, per_second=10_000, error_share=0.001)
GOOD = Found(seconds=10, decisions=100_000, answered=100_000, latency=Percentiles(p50=0.02, p95=0.1, p99=0.4, most=1))


def by_name(verdicts: tuple[Verdict, ...]) -> dict[str, Verdict]:
    return {each.what: each for each in verdicts}


def words(found: Found, targets: Targets = TARGETS, rate: float | None = None) -> list[str]:
    return [each.verdict for each in judge(found, targets, rate=rate, together=32)]


@pytest.mark.proves("engagement-13")
def test_what_meets_each_target_exactly_passes() -> None:
    assert words(GOOD) == ["pass", "pass", "pass"]
    found = by_name(judge(GOOD, TARGETS))
    assert (found["p95 decision time"].value, found["p95 decision time"].target) == (100, 100)
    assert (found["throughput"].value, found["throughput"].target) == (10_000, 10_000)


@pytest.mark.proves("engagement-13")
@pytest.mark.parametrize(
    ("found", "missed"),
    [
        (Found(seconds=10, decisions=100_000, answered=100_000, latency=Percentiles(p95=0.1001)), "p95 decision time"),
        (Found(seconds=10, decisions=100_000, answered=99_999, latency=Percentiles(p95=0.1)), "throughput"),
        (
            Found(
                seconds=10,
                decisions=100_000,
                answered=100_000,
                latency=Percentiles(p95=0.1),
                error_kinds={"unknown_customer": 100, "TimeoutError": 1},
            ),
            "share of errors",
        ),
    ],
)
def test_what_misses_one_target_fails_by_that_alone(found: Found, missed: str) -> None:
    assert [each.what for each in judge(found, TARGETS) if each.verdict == "fail"] == [missed]


def test_where_nothing_was_decided_nothing_passes() -> None:
    nothing = Found(seconds=10, decisions=0, answered=0, latency=Percentiles())
    assert words(nothing) == ["fail", "fail", "fail"]
    assert [each.value for each in judge(nothing, TARGETS)] == [None, None, None]


# --- a planned rate ---------------------------------------------------------------


def planned(answered: int) -> Found:
    return Found(seconds=10, decisions=answered, answered=answered, latency=Percentiles(p95=0.01))


def test_a_planned_rate_below_the_target_is_what_throughput_is_held_against() -> None:
    reached = by_name(judge(planned(5000), TARGETS, rate=500))["throughput"]
    assert (reached.verdict, reached.target) == ("pass", 495)
    assert "--rate 500" in reached.against
    assert "10,000" in reached.against, "the target is told all the same"


def test_a_planned_rate_above_the_target_changes_nothing() -> None:
    reached = by_name(judge(planned(100_000), TARGETS, rate=20_000))["throughput"]
    assert (reached.verdict, reached.target) == ("pass", 10_000)
    assert "throughput_target" in reached.against


def test_without_a_planned_rate_a_slow_run_misses_the_target() -> None:
    assert words(planned(5000)) == ["pass", "fail", "pass"]


def test_of_a_planned_rate_a_hundredth_may_be_missing_or_the_request_at_the_end() -> None:
    assert words(planned(4950), rate=500) == ["pass", "pass", "pass"]
    assert words(planned(4949), rate=500) == ["pass", "fail", "pass"]
    assert words(planned(320 - 32), rate=32) == ["pass", "pass", "pass"]
    assert words(planned(320 - 64), rate=32) == ["pass", "fail", "pass"]


@given(
    p95=st.floats(0.0001, 10),
    answered=st.integers(1, 10**6),
    errors=st.integers(0, 10**6),
    rate=st.none() | st.floats(1, 10**6),
)
def test_better_figures_never_lose_a_pass(p95: float, answered: int, errors: int, rate: float | None) -> None:
    def run(p95: float, answered: int, errors: int) -> list[str]:
        latency, kinds = Percentiles(p95=p95), {"x": errors}
        found = Found(seconds=10, decisions=answered, answered=answered, latency=latency, error_kinds=kinds)
        return words(found, rate=rate)

    before, after = run(p95, answered, errors), run(p95 / 2, answered + 1, errors // 2)
    assert all(then == "pass" or now == "fail" for now, then in zip(before, after, strict=True))


# --- what is counted --------------------------------------------------------------


def test_only_what_is_asked_in_the_counted_time_counts_and_is_followed_beyond_it() -> None:
    count = Count(10, 20)
    count.note(9, 9.5, Answer(4), 4)  # warm-up
    count.note(9.5, 10.5, Answer(4), 4)  # asked before: answered in time, and its latency is the warm-up's
    count.note(11, 12, Answer(4), 4)
    count.note(19, 25, Answer(4), 4)  # asked in time: its latency counts, the throughput has ended
    found = count.found()
    assert (found.decisions, found.answered) == (8, 8)
    assert (found.latency.p50, found.latency.most) == (1, 6)
    assert found.per_second == pytest.approx(0.8)


def test_a_failed_request_is_an_error_for_each_of_its_questions() -> None:
    count = Count(0, 10)
    count.note(1, 2, Answer(0, ("TimeoutError",)), 32)
    count.note(1, 2, Answer(30, ("unknown_customer", "unknown_customer")), 32)
    found = count.found()
    assert found.error_kinds == {"TimeoutError": 32, "unknown_customer": 2}
    assert (found.decisions, found.errors) == (30, 34)
    assert found.latency.most == 1


def test_what_was_planned_and_never_asked_is_told() -> None:
    count = Count(5, 10)
    count.missed(4, 32)
    count.missed(6, 32)
    assert count.found().unsent == 32


async def test_a_desk_that_falls_behind_a_planned_rate_is_charged_for_the_waiting() -> None:
    answered = asyncio.Event()
    asyncio.get_running_loop().call_later(0.15, answered.set)

    async def decide(path: str, body: bytes) -> Answer:
        assert path == ONE
        assert msgspec.json.decode(body) == {"customer_id": "ann"}
        await answered.wait()
        return Answer(1)

    orders = Orders(seconds=0.1, warm_up=0, connections=2, together=1, rate=100)
    report = await Asking(decide, orders, ["ann"]).run(TARGETS, lambda share, count: None)
    assert (report.decisions, report.unsent) == (2, 8)
    assert report.latency.p50 >= 0.13, "from when it was planned, not from when it was sent"
    assert (report.per_second, report.passed) == (0, False)


async def test_the_same_seed_asks_about_the_same_customers() -> None:
    async def asked(seed: int) -> list[bytes]:
        bodies: list[bytes] = []

        async def decide(path: str, body: bytes) -> Answer:
            assert path == MANY
            bodies.append(body)
            await asyncio.sleep(0)
            return Answer(3)

        orders = Orders(seconds=0.05, warm_up=0, connections=1, together=3, rate=200, seed=seed, dry=True)
        await Asking(decide, orders, [f"c-{number}" for number in range(50)]).run(TARGETS, lambda share, count: None)
        return bodies

    first, again, other = [(await asked(seed))[:2] for seed in (1, 1, 2)]
    assert first == again != other
    assert all(ask["dry"] for ask in msgspec.json.decode(first[0])["asks"])


async def test_a_desk_that_goes_away_meanwhile_is_counted_not_raised(unused_tcp_port: int) -> None:
    async with DecidingDesk(f"http://127.0.0.1:{unused_tcp_port}", None) as desk:
        assert await desk.decide(ONE, b"{}") == Answer(0, ("ClientConnectorError",))
