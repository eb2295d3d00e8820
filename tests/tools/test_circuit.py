"""The circuit of a server."""

from frontdesk.testing.clock import FakeClock
from frontdesk.tools.circuit import Circuit


def test_five_failures_in_thirty_seconds_open_it_and_one_success_closes_it(clock: FakeClock) -> None:
    circuit = Circuit(clock, failures=5, seconds=30)
    for _ in range(4):
        circuit.failed()
        clock.advance(1)
    assert circuit.admit()
    circuit.failed()
    assert circuit.is_open
    assert not circuit.admit()
    clock.advance(30)
    assert circuit.admit()
    assert not circuit.admit(), "a half-open circuit lets one call through"
    circuit.succeeded()
    assert circuit.admit()
    assert circuit.admit()


def test_failures_far_apart_do_not_open_it(clock: FakeClock) -> None:
    circuit = Circuit(clock, failures=5, seconds=30)
    for _ in range(20):
        circuit.failed()
        clock.advance(8)
    assert not circuit.is_open


def test_a_failed_trial_opens_it_again_and_an_abandoned_one_does_not(clock: FakeClock) -> None:
    circuit = Circuit(clock, failures=1, seconds=30)
    circuit.failed()
    clock.advance(30)
    assert circuit.admit()
    circuit.undecided()
    assert circuit.admit()
    circuit.failed()
    assert circuit.is_open
    assert circuit.retry_after == 30
