"""One call of one model: watched, bounded, and booked exactly once however it ends."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Literal

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode

from frontdesk.errors import FrontdeskError, ModelRefused, ModelUnavailable
from frontdesk.messages import ModelDone, ModelEvent, ModelRequest, TextDelta, ToolCallDelta, Usage
from frontdesk.models.accounting import likely_tokens, most_tokens, priced
from frontdesk.models.failures import CallFailed
from frontdesk.models.member import Member
from frontdesk.models.watch import TooLong, Watch
from frontdesk.ports import Budget, Clock, Ledger
from frontdesk.telemetry import metrics

tracer = trace.get_tracer("frontdesk")


class Attempt:
    """A call that has not begun yet. Afterwards `usage` tells what it used, nothing where the model said nothing."""

    def __init__(
        self,
        member: Member,
        request: ModelRequest,
        *,
        clock: Clock,
        budget: Budget | None,
        ledger: Ledger | None,
        largest: int,
    ) -> None:
        self.usage = Usage()
        self._member = member
        self._request = request
        self._clock = clock
        self._budget = budget
        self._ledger = ledger
        self._largest = largest
        self._said: list[str] = []  # all that came, fragments of tool calls too: they cost alike
        self._size = 0
        self._counted: Usage | None = None

    async def events(self) -> AsyncGenerator[ModelEvent]:
        """The model's events, the last one a `ModelDone` with the usage and its price.

        Raises `BudgetSpent` before anything is asked, `CallFailed` for all that goes wrong with the model, and
        `ModelRefused`, `MissingExtra` or `BadSetting` where it does.
        """
        reservation = await self._reserve()
        member, began = self._member, self._clock.monotonic()
        outcome: Literal["ok", "failed", "abandoned"] = "abandoned"
        span = _span(member)
        member.called()
        try:
            async with aclosing(self._watched(began)) as events:
                async for event in events:
                    if isinstance(event, ModelDone):
                        outcome = "ok"
                        member.circuit.succeeded()
                    yield event
        except FrontdeskError as error:
            outcome = "failed"
            self._tell(error)
            span.set_status(StatusCode.ERROR, error.code)
            raise
        finally:
            if outcome == "abandoned":
                member.circuit.abandoned()
            metrics.model_call_duration.labels(member.name, outcome).observe(self._clock.monotonic() - began)
            await self._book(reservation)
            span.set_attribute("gen_ai.usage.input_tokens", self.usage.prompt_tokens)
            span.set_attribute("gen_ai.usage.output_tokens", self.usage.completion_tokens)
            span.end()

    async def _watched(self, began: float) -> AsyncGenerator[ModelEvent]:
        limits = self._member.time_outs
        limit = limits.first_token if self._request.streamed else limits.one_piece
        watch = Watch(self._clock, shortest=min(limit, limits.between_tokens), whole=max(limit, limits.whole))
        items = aiter(self._member.model.stream(self._request))
        try:
            while True:
                event = await self._next(watch, items, limit)
                if isinstance(event, ModelDone):
                    self._counted = event.usage
                    yield ModelDone(reason=event.reason, model=event.model, usage=self._priced())
                    return
                if not isinstance(event, TextDelta) or event.text:  # an empty one is a sign of life only
                    if not self._said:
                        self._member.spoke_after(self._clock.monotonic() - began)
                        limit = limits.between_tokens
                    self._keep(event)
                    yield event
        finally:
            watch.stop()
            if isinstance(items, AsyncGenerator):
                await items.aclose()

    async def _next(self, watch: Watch, items: AsyncIterator[ModelEvent], limit: float) -> ModelEvent:
        where = self._member.name
        try:
            return await watch.next(items, limit)
        except StopAsyncIteration:
            raise CallFailed("The answer ended in the middle", reason="cut", where=where) from None
        except TooLong:
            text = f"The model said nothing for {limit:g} seconds"
            raise CallFailed(text, reason="time_out", where=where) from None
        except (CallFailed, ModelRefused):
            raise
        except ModelUnavailable as error:
            raise CallFailed(
                error.what, reason="unavailable", where=error.where or where, retry_after=error.retry_after
            ) from error
        except FrontdeskError:
            raise
        except Exception as error:  # a plug-in's mistake must not end the turn while other models could answer
            text = f"The model broke: {type(error).__name__}: {error}"
            raise CallFailed(text, reason="unavailable", where=where) from error

    def _keep(self, event: ModelEvent) -> None:
        if isinstance(event, TextDelta):
            piece = event.text
        elif isinstance(event, ToolCallDelta):
            piece = (event.name or "") + event.arguments
        else:
            return
        self._said.append(piece)
        self._size += len(piece)
        if self._size > self._largest:
            text = f"The answer is longer than {self._largest} characters"
            raise CallFailed(text, reason="too_large", where=self._member.name)

    def _tell(self, error: FrontdeskError) -> None:
        reason = error.reason if isinstance(error, CallFailed) else error.code
        self._member.failed(reason, error)
        if isinstance(error, CallFailed) and reason != "too_long":
            self._member.circuit.failed()
        else:  # the fault lies with the request
            self._member.circuit.abandoned()

    # --- money ---------------------------------------------------------------

    async def _reserve(self) -> str | None:
        if self._budget is None or self._member.facts.strength != "strong":
            return None
        most = priced(
            most_tokens(self._request, self._request.max_tokens or self._member.max_tokens), self._member.facts
        )
        try:
            return await self._budget.reserve(
                self._request.account, most.prompt_tokens + most.completion_tokens, most.cost
            )
        except FrontdeskError:
            self._member.circuit.abandoned()
            raise

    def _priced(self) -> Usage:
        counted = self._counted
        if counted is None or counted == Usage():
            estimated = bool(self._said) and self._member.facts.strength != "extractive"  # quoting takes no tokens
            counted = likely_tokens(self._request, "".join(self._said)) if estimated else Usage()
        return priced(counted, self._member.facts)

    async def _book(self, reservation: str | None) -> None:
        """A call counts from the first thing that it said: before that no provider charges anything that we know of."""
        name = self._member.name
        self.usage = self._priced()
        if self._budget is not None and reservation is not None:
            await self._budget.settle(reservation, self.usage)
        if self.usage != Usage():
            metrics.tokens_used.labels(name, "prompt").inc(self.usage.prompt_tokens)
            metrics.tokens_used.labels(name, "completion").inc(self.usage.completion_tokens)
            if self._ledger is not None:
                self._ledger.called(self._request.account, name, self.usage)


def _span(member: Member) -> Span:
    """Names after OpenTelemetry's semantic conventions for generative AI."""
    span = tracer.start_span(f"chat {member.name}", kind=SpanKind.CLIENT)
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.request.model", member.model_id or member.name)
    return span
