"""One light look at many things, side by side, each in its own time."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

from frontdesk.operate.probe.fault import Fault, FaultKind, Faulty, of_network
from frontdesk.operate.probe.target import Kind, Target

SECONDS = 3.0  # for each target, unless said otherwise
State = Literal["healthy", "unhealthy", "time-out"]
Probe = Callable[[Target, float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a probe found. `address` holds no password; `seconds` is how long it took; `fault` what kind of trouble."""

    name: str
    address: str
    kind: Kind
    state: State
    seconds: float
    cause: str
    remedy: str = ""
    fault: FaultKind | None = None
    needed: bool = True

    @property
    def well(self) -> bool:
        """Whether it is healthy, or may be away."""
        return self.state == "healthy" or not self.needed

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def probe(targets: Sequence[Target], *, seconds: float = SECONDS) -> list[Result]:
    """Look at all targets at the same time; what has not answered after `seconds` is a time-out, whatever it does.

    Each runs in a thread that nothing waits for at the end: a name server that hangs, or a server that sends a byte a
    second, cannot be broken off.
    """
    done: queue.SimpleQueue[tuple[int, Result]] = queue.SimpleQueue()
    for number, target in enumerate(targets):
        threading.Thread(target=partial(_put, done, number, target, seconds), daemon=True).start()
    found: dict[int, Result] = {}
    deadline = time.monotonic() + seconds
    while len(found) < len(targets):
        try:
            number, result = done.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        found[number] = result
    return [found.get(number) or _late(target, seconds) for number, target in enumerate(targets)]


def exit_code(results: Sequence[Result]) -> int:
    """0 when all that is needed is healthy, 1 when something is not, 2 when the only trouble is that nothing came."""
    bad = {result.state for result in results if not result.well}
    return 0 if not bad else 2 if bad == {"time-out"} else 1


def _put(done: "queue.SimpleQueue[tuple[int, Result]]", number: int, target: Target, seconds: float) -> None:
    done.put((number, _probed(target, seconds)))


def _probed(target: Target, seconds: float) -> Result:
    ask = _asking(target.kind)
    begun = time.perf_counter()
    try:
        said = ask(target, seconds)
    except TimeoutError as error:
        return _result(target, "time-out", time.perf_counter() - begun, of_network(error, target.place))
    except Faulty as error:
        return _result(target, "unhealthy", time.perf_counter() - begun, error.fault)
    except Exception as error:  # of a foreign client: its words may hold an address with a password
        return _result(target, "unhealthy", time.perf_counter() - begun, of_network(error, target.place))
    return _result(target, "healthy", time.perf_counter() - begun, said)


def _asking(kind: Kind) -> Probe:
    """What asks this kind of thing; imported only now."""
    if kind in ("postgresql", "sqlite"):
        from frontdesk.operate.probe import sql

        return sql.postgresql if kind == "postgresql" else sql.sqlite
    if kind == "process":
        from frontdesk.operate.probe.process import process

        return process
    from frontdesk.operate.probe import network

    return network.http_get if kind == "http" else network.redis if kind == "redis" else network.tcp


def _late(target: Target, seconds: float) -> Result:
    return _result(target, "time-out", seconds, of_network(TimeoutError(), target.place))


def _result(target: Target, state: State, seconds: float, said: Fault | str) -> Result:
    fault = None if isinstance(said, str) else said
    return Result(
        name=target.name,
        address=target.shown,
        kind=target.kind,
        state=state,
        seconds=round(seconds, 4),
        cause=said if isinstance(said, str) else said.cause,
        remedy=fault.remedy if fault else "",
        fault=fault.kind if fault else None,
        needed=target.needed,
    )
