"""A model with what the router remembers about it."""

import statistics
from collections import deque

from frontdesk.circuit import Circuit
from frontdesk.messages import ModelFacts, ModelHealth
from frontdesk.models.options import CircuitOptions, TimeOuts
from frontdesk.ports import Clock, Model
from frontdesk.telemetry import metrics

REMEMBERED = 200  # calls from which the median is taken


class Member:
    """One model of the desk. `model_id` is what its provider calls it, `max_tokens` the bound of an answer."""

    def __init__(
        self,
        model: Model,
        *,
        clock: Clock,
        wire: str = "",
        model_id: str = "",
        max_tokens: int = 4096,
        time_outs: TimeOuts | None = None,
        circuit: CircuitOptions | None = None,
    ) -> None:
        self.model = model
        self.wire = wire
        self.model_id = model_id
        self.max_tokens = max_tokens
        self.time_outs = time_outs or TimeOuts()
        gauge = metrics.model_circuit_open.labels(model.name)
        gauge.set(0)
        limits = circuit or CircuitOptions()
        self.circuit = Circuit(
            clock, failures=limits.failures, window=limits.window, pause=limits.pause, on_change=gauge.set
        )
        self._calls = 0
        self._failures = 0
        self._first_words: deque[float] = deque(maxlen=REMEMBERED)
        self._last_error: str | None = None

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def facts(self) -> ModelFacts:
        return self.model.facts

    def called(self) -> None:
        self._calls += 1

    def spoke_after(self, seconds: float) -> None:
        self._first_words.append(seconds)
        metrics.model_first_token.labels(self.name).observe(seconds)

    def failed(self, reason: str, error: Exception) -> None:
        self._failures += 1
        self._last_error = str(error)
        metrics.model_failures.labels(self.name, reason).inc()

    def health(self) -> ModelHealth:
        return ModelHealth(
            name=self.name,
            wire=self.wire,
            model=self.model_id,
            state=self.circuit.state,
            calls=self._calls,
            failures=self._failures,
            p50_ms=statistics.median(self._first_words) * 1000 if self._first_words else None,
            last_error=self._last_error,
        )
