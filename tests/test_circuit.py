"""The circuit breaker round models and tool servers."""

from frontdesk.circuit import Circuit
from frontdesk.testing.clock import FakeClock


def test_five_failures_in_thirty_seconds_open_it_and_one_success_closes_it(clock: FakeClock) -> None:
    told: list[bool] = []
    circuit = Circuit(clock, failures=5, window=30, pause=60, on_change=told.append)
    for _ in range(4):
        circuit.failed()
        clock.advance(1)
    assert circuit.admits()
    circuit.failed()
    assert (circuit.state, circuit.tries_in) == ("open", 60)
    assert not circuit.admits()
    clock.advance(60)
    assert circuit.state == "half_open"
    assert circuit.admits()
    assert not circuit.admits(), "a half-open circuit lets one call through"
    circuit.succeeded()
    assert circuit.state == "closed"
    assert circuit.admits()
    assert circuit.admits()
    assert told == [True, False]


def test_failures_far_apart_do_not_open_it(clock: FakeClock) -> None:
    circuit = Circuit(clock, failures=5, window=30, pause=30)
    for _ in range(20):
        circuit.failed()
        clock.advance(8)
    assert circuit.state == "closed"


def test_a_failed_trial_opens_it_again_and_an_abandoned_one_does_not(clock: FakeClock) -> None:
    circuit = Circuit(clock, failures=1, window=30, pause=30)
    circuit.failed()
    clock.advance(30)
    assert circuit.admits()
    circuit.abandoned()
    assert circuit.admits()
    circuit.failed()
    assert circuit.state == "open"
    assert circuit.tries_in == 30
