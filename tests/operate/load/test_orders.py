"""A load run is told plainly, goes to servers of one's own alone, and is followed message by message."""

import pytest

from frontdesk.errors import Usage
from frontdesk.operate.load.locust import locustfile
from frontdesk.operate.load.orders import Orders, Script, checked, span
from frontdesk.operate.load.shapes import SHAPES
from frontdesk.operate.load.tally import Percentiles, Tally
from frontdesk.outgoing import Rhythm

ORDERS = Orders(people=200, least=10, most=30, seconds=600)


@pytest.mark.parametrize(("text", "seconds"), [("10-30", (10, 30)), ("5", (5, 5)), ("0.5-1", (0.5, 1))])
def test_a_stretch_of_seconds_is_read(text: str, seconds: tuple[float, float]) -> None:
    assert span(text) == seconds


@pytest.mark.parametrize("text", ["", "30-10", "0", "-1", "a-b", "1-"])
def test_what_is_no_stretch_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Usage) as refused:
        span(text)
    assert "10-30" in refused.value.hint


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000/", "http://localhost:8000", "http://[::1]:8000"])
def test_this_machine_may_be_loaded(address: str) -> None:
    assert checked(address, owned=False) == address.rstrip("/")


@pytest.mark.parametrize("address", ["https://desk.example", "http://10.0.0.5:8000", "http://localhost.evil.example"])
def test_another_server_must_be_ones_own(address: str) -> None:
    with pytest.raises(Usage) as refused:
        checked(address, owned=False)
    assert "--yes-i-own-this-server" in refused.value.hint
    assert checked(address, owned=True) == address


@pytest.mark.parametrize("address", ["desk.example", "ftp://127.0.0.1", "http://"])
def test_an_address_is_a_web_address(address: str) -> None:
    with pytest.raises(Usage):
        checked(address, owned=True)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_share_all_the_way(name: str) -> None:
    shares = [SHAPES[name](step / 100) for step in range(100)]
    assert all(0 <= share <= 1 for share in shares)
    assert max(shares) >= 0.95, "everybody writes at some time"


# --- the tally ------------------------------------------------------------------


def test_every_message_is_answered_lost_refused_or_doubled() -> None:
    tally = Tally(Script())
    for number in range(1, 6):
        tally.said(number, 0)
    tally.replied("n:1 Hello", 2)
    tally.replied("n:2 Hello", 1)
    tally.replied("n:2 Hello", 3)
    tally.failed(3, "status_503")
    tally.replied("n:4 n:5 both at once", 4)
    tally.replied("n:99 nobody asked", 4)
    tally.said(6, 4)
    report = tally.report(people=6, seconds=10)
    assert (report.messages, report.answered, report.errors, report.lost, report.doubled) == (6, 4, 1, 1, 1)
    assert report.error_kinds == {"status_503": 1}
    assert (report.most_open, tally.open) == (5, 1)
    assert report.latency.most == 4
    assert not report.is_good


def test_what_the_desk_adds_is_without_model_and_typing() -> None:
    script = Script(first_delay=1, words_per_second=2, rhythm=Rhythm(per_second=10, least=1, most=8, renew=4))
    tally = Tally(script)
    tally.said(1, 100)
    tally.began(1, 101.25)
    tally.replied("n:1 one two", 102.5)  # three words: 1 s and two halves; 11 letters: 1.1 s of typing meanwhile
    tally.said(2, 200)
    tally.replied("n:2 " + "x" * 36, 204.5)  # 40 letters: 4 s of typing, two words: 1.5 s
    report = tally.report(people=1, seconds=10)
    assert report.added.p50 == pytest.approx(0.5)
    assert report.added.most == pytest.approx(0.5)
    assert report.added_first.most == pytest.approx(0.25)
    assert report.is_good


def test_a_reply_to_several_messages_says_nothing_of_what_the_desk_adds() -> None:
    tally = Tally(Script())
    tally.said(1, 0)
    tally.said(2, 5)
    tally.replied("n:1 n:2 Hello", 6)
    report = tally.report(people=1, seconds=10)
    assert report.answered == 2
    assert report.added == Percentiles()


def test_percentiles_go_by_the_nearest_rank() -> None:
    assert Percentiles.of(range(1, 101)) == Percentiles(p50=50, p95=95, p99=99, most=100)
    assert Percentiles.of([7]) == Percentiles(p50=7, p95=7, p99=7, most=7)


# --- Locust -------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["web", "telegram"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_locust_file_is_python_and_says_how_to_run_it(channel: str, shape: str) -> None:
    orders = Orders(people=200, least=10, most=30, seconds=600, shape=shape)
    text = locustfile(orders, channel, "http://127.0.0.1:8000", "load.py")
    compile(text, "load.py", "exec")
    assert "locust -f load.py --headless --host http://127.0.0.1:8000" in text
    assert "between(10, 30)" in text
    assert ("LoadTestShape" in text) == (shape != "steady")
