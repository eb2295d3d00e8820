"""All models of the desk as one: picks, asks again, falls back, and goes on where another model broke off.

Before the first word a failing model leaves no trace in the answer. After it, the next model is asked to go on from the
text that the reader has seen; the reader is told (`ModelChanged`), and no text stands twice.
"""

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from frontdesk.errors import (
    BadSetting,
    BudgetSpent,
    FrontdeskError,
    MissingExtra,
    ModelUnavailable,
    UnknownModel,
    Unprocessable,
)
from frontdesk.messages import (
    ImagePart,
    ModelChanged,
    ModelDone,
    ModelEvent,
    ModelFacts,
    ModelHealth,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from frontdesk.models.accounting import added, likely_tokens
from frontdesk.models.attempt import Attempt
from frontdesk.models.failures import CallFailed
from frontdesk.models.member import Member
from frontdesk.models.options import Retry
from frontdesk.models.stitch import Stitch
from frontdesk.ports import Budget, Clock, Ledger, Model

PASSED_OVER = (CallFailed, BudgetSpent, MissingExtra, BadSetting)  # what stops one model and not the next


class Router:
    """A `ports.Models`. Safe to ask from many tasks at once.

    `members` are asked in their order; `others` can be had by name alone; `aliases` are further names.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        clock: Clock,
        others: Sequence[Member] = (),
        aliases: Mapping[str, str] | None = None,
        retry: Retry | None = None,
        budget: Budget | None = None,
        ledger: Ledger | None = None,
        largest: int = 1_000_000,
        chance: random.Random | None = None,
        name: str = "router",
    ) -> None:
        self._members = tuple(members)
        self._others = tuple(others)
        self._aliases = dict(aliases or {})
        self._clock = clock
        self._retry = retry or Retry()
        self._budget = budget
        self._ledger = ledger
        self._largest = largest
        self._chance = chance or random.Random()  # noqa: S311 (spreads retries, guards nothing)
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    @property
    def facts(self) -> ModelFacts:
        """Those of the model that would be asked now."""
        ready = [member for member in self._members if member.circuit.state != "open"]
        return (ready or self._members)[0].facts

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in (*self._members, *self._others))

    def model(self, name: str) -> Model:
        """The model `name`, with retries, circuit and accounts, but without another to fall back to."""
        every = (*self._members, *self._others)
        for wanted in (name, self._aliases.get(name, name)):
            for member in every:
                if wanted in (member.name, member.model_id):
                    return Router(
                        (member,),
                        clock=self._clock,
                        retry=self._retry,
                        budget=self._budget,
                        ledger=self._ledger,
                        largest=self._largest,
                        chance=self._chance,
                        name=member.name,
                    )
        raise UnknownModel(f"There is no model {name!r} at this desk", where=name)

    def health(self) -> tuple[ModelHealth, ...]:
        return tuple(member.health() for member in (*self._members, *self._others))

    async def close(self) -> None:
        for member in (*self._members, *self._others):
            await member.model.close()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """See `ports.Model`. `ModelDone.usage` is the sum of all calls that this answer took.

        Raises `ModelUnavailable` when every model that can take the request failed, `Unprocessable` when none can,
        `BudgetSpent`, `MissingExtra` or `BadSetting` when that is all that stands in the way.
        """
        answer = _Answer(request)
        candidates = self._candidates(request)
        problems: list[_Problem] = []
        for position, member in enumerate(candidates):
            if answer.has_text and not _can_go_on(member):
                continue
            others_can_go_on = any(_can_go_on(other) for other in candidates[position + 1 :])
            for number in range(self._retry.tries):
                if not member.circuit.admits():
                    problems.append(_Problem(member, _resting(member)))
                    break
                said = answer.pieces
                try:
                    async with aclosing(self._ask(member, answer, problems)) as events:
                        async for event in events:
                            yield event
                    return
                except PASSED_OVER as error:
                    problem = _Problem(member, error)
                    problems.append(problem)
                spoke = answer.pieces > said
                if answer.size > self._largest // 2:  # no second model could finish that within the bound
                    raise _summary(problems)
                wait = self._wait(problem.error, number)
                if wait is None or (spoke and others_can_go_on):
                    break
                if number + 1 < self._retry.tries:
                    await self._clock.sleep(wait)
        raise _summary(problems)

    async def _ask(
        self, member: Member, answer: "_Answer", problems: Sequence["_Problem"]
    ) -> AsyncGenerator[ModelEvent]:
        """One attempt; what it says is added to `answer`. Tool calls are handed on whole, when the model is done."""
        request = answer.request_for(member)
        attempt = Attempt(
            member,
            request,
            clock=self._clock,
            budget=self._budget,
            ledger=self._ledger,
            largest=self._largest,
        )
        stitch = Stitch(request.continue_from)
        calls: list[ToolCallDelta] = []
        try:
            async with aclosing(attempt.events()) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        text, done = stitch.feed(event.text), None
                    elif isinstance(event, ToolCallDelta):
                        calls.append(event)
                        continue
                    elif isinstance(event, ModelDone):
                        text, done = stitch.end(), event
                    else:
                        continue
                    if (text or done) and (change := answer.speaker(member, problems)):
                        yield change
                    if text:
                        yield answer.add(text)
                    if done:
                        for call in calls:
                            yield call
                        usage = added(answer.usage, done.usage)
                        yield ModelDone(reason=done.reason, model=member.name, usage=usage)
        finally:
            answer.usage = added(answer.usage, attempt.usage)

    def _wait(self, problem: FrontdeskError, number: int) -> float | None:
        """Seconds until the same model may be asked again, or None when it should not be."""
        if not (isinstance(problem, CallFailed) and problem.again):
            return None
        wait = self._retry.first_wait * 2**number * self._chance.uniform(0.5, 1)
        wait = max(min(wait, self._retry.longest_wait), problem.retry_after or 0)
        return wait if wait <= self._retry.longest_wait else None

    def _candidates(self, request: ModelRequest) -> tuple[Member, ...]:
        """Who can take the request, in order; last come those who would have to leave the offered tools aside, and
        small models where there are sources: they invent when they paraphrase, and quoting serves better.
        """
        able = [member for member in self._members if not _lacks(member.facts, request)]
        if not able:
            lacks = sorted({lack for member in self._members for lack in _lacks(member.facts, request)})
            raise Unprocessable(
                f"No model here can take this request; missing: {', '.join(lacks) or 'a model'}",
                hint="Ask without it, or add a model that can under `models` in the system file.",
            )
        return tuple(sorted(able, key=lambda member: _reluctance(member.facts, request)))


class _Problem(NamedTuple):
    """What went wrong with whom."""

    member: Member
    error: FrontdeskError

    @property
    def reason(self) -> str:
        return self.error.reason if isinstance(self.error, CallFailed) else self.error.code


class _Answer:
    """What the reader has seen, from whom, and what it cost."""

    def __init__(self, request: ModelRequest) -> None:
        self.usage = Usage()
        self._speaker: Member | None = None
        self._request = request
        self._text: list[str] = []
        self.size = 0

    @property
    def pieces(self) -> int:
        return len(self._text)

    @property
    def has_text(self) -> bool:
        return bool(self._text)

    @property
    def text(self) -> str:
        return "".join(self._text)

    def add(self, text: str) -> TextDelta:
        self._text.append(text)
        self.size += len(text)
        return TextDelta(text=text)

    def speaker(self, member: Member, problems: Sequence[_Problem]) -> ModelChanged | None:
        """`member` speaks now: what the reader must be told about that."""
        before, self._speaker = self._speaker, member
        if before is None or before is member or not self._text:
            return None
        reason = problems[-1].reason if problems else "unavailable"
        return ModelChanged(from_model=before.name, to_model=member.name, reason=reason, after_text=True)

    def request_for(self, member: Member) -> ModelRequest:
        """The request as `member` can take it, going on from what was said."""
        request = self._request
        if request.tools and not member.facts.tools:
            request = msgspec.structs.replace(request, tools=(), tool_choice="none")
        if self._text:
            request = msgspec.structs.replace(request, continue_from=request.continue_from + self.text)
        return request


def _lacks(facts: ModelFacts, request: ModelRequest) -> list[str]:
    """What the request needs and the model has not."""
    lacks: list[str] = []
    if not facts.images and any(isinstance(part, ImagePart) for prompt in request.messages for part in prompt.parts):
        lacks.append("images")
    if not facts.tools and (
        request.tool_choice not in ("auto", "none") or any(prompt.role == "tool" for prompt in request.messages)
    ):
        lacks.append("tools")
    if not facts.json_schema and (request.response_schema is not None or request.response_json):
        lacks.append("JSON")
    if facts.strength == "extractive" and (not request.passages or request.continue_from):
        lacks.append("words of its own")
    if request.strong_only and facts.strength != "strong":
        lacks.append("strength")
    if likely_tokens(request, "").prompt_tokens > facts.context_tokens:
        lacks.append("context")
    return lacks


def _reluctance(facts: ModelFacts, request: ModelRequest) -> tuple[bool, bool]:
    return (facts.strength == "small" and bool(request.passages), bool(request.tools) and not facts.tools)


def _can_go_on(member: Member) -> bool:
    """Whether `member` can finish another model's text."""
    return member.facts.strength != "extractive"


def _resting(member: Member) -> CallFailed:
    wait = member.circuit.tries_in
    text = f"The model is left alone for {wait:.0f} seconds after repeated failures"
    return CallFailed(text, reason="unavailable", where=member.name, retry_after=wait)


def _summary(problems: Sequence[_Problem]) -> FrontdeskError:
    """One error for all: how each model failed last, or what stood in the way where none was even called."""
    if problems and not any(isinstance(problem.error, CallFailed) for problem in problems):
        return problems[-1].error
    reasons = {problem.member.name: problem.reason.replace("_", " ") for problem in problems}
    waits = [problem.error.retry_after for problem in problems if problem.error.retry_after]
    return ModelUnavailable(
        "No model can answer at the moment",
        where="; ".join(f"{name}: {reason}" for name, reason in reasons.items()) or None,
        retry_after=min(waits) if waits else None,
    )
