"""Asking a model in a test, and all that it said."""

from contextlib import aclosing

import msgspec

from frontdesk.clock import SystemClock
from frontdesk.errors import BudgetSpent
from frontdesk.messages import (
    ModelChanged,
    ModelDone,
    ModelRequest,
    Passage,
    Prompt,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolSpec,
    Usage,
)
from frontdesk.models.options import ModelOptions, TimeOuts
from frontdesk.models.wire import Parts
from frontdesk.ports import Model
from frontdesk.testing.clock import CountingIds

QUICK = TimeOuts(connect=0.5, first_token=0.25, between_tokens=0.25, one_piece=0.25, whole=2)

WEATHER = ToolSpec(
    name="weather", description="Tells the weather.", parameters=msgspec.Raw(b'{"type":"object"}'), server="sky"
)


class Said(msgspec.Struct, kw_only=True):
    text: str = ""
    calls: dict[int, list[str]] = {}
    changes: list[ModelChanged] = []
    done: ModelDone | None = None


class Book:
    """A ledger that can be read."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Usage]] = []

    def called(self, account: str, model: str, usage: Usage) -> None:
        self.calls.append((account, model, usage))


class Purse:
    """A budget that never begins anew."""

    def __init__(self, *, tokens: int = 10**9, cost: int = 10**9) -> None:
        self._left = Usage(prompt_tokens=tokens, cost=cost)
        self._reserved: list[Usage] = []

    async def reserve(self, account: str, tokens: int, cost: int) -> str:
        if tokens > self._left.prompt_tokens or cost > self._left.cost:
            raise BudgetSpent("The purse is empty")
        self._take(tokens, cost)
        self._reserved.append(Usage(prompt_tokens=tokens, cost=cost))
        return str(len(self._reserved) - 1)

    async def settle(self, reservation: str, usage: Usage) -> None:
        reserved = self._reserved[int(reservation)]
        used = usage.prompt_tokens + usage.completion_tokens
        self._take(used - reserved.prompt_tokens, usage.cost - reserved.cost)

    def _take(self, tokens: int, cost: int) -> None:
        self._left = Usage(prompt_tokens=self._left.prompt_tokens - tokens, cost=self._left.cost - cost)


def ask(text: str = "Hello?", **more: object) -> ModelRequest:
    return ModelRequest(messages=(Prompt(role="user", parts=(TextPart(text=text),)),), **more)


def passage(text: str, number: int = 1, *, title: str = "", heading: str = "") -> Passage:
    return Passage(
        id=f"p{number}", document_id="d", title=title, source="s", heading=heading, text=text, start=0, end=len(text)
    )


async def hear(model: Model, request: ModelRequest) -> Said:
    said = Said()
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            assert said.done is None, "nothing may follow the end"
            if isinstance(event, TextDelta):
                said.text += event.text
            elif isinstance(event, ToolCallDelta):
                pieces = said.calls.setdefault(event.index, [])
                pieces += [event.id or "", event.name or ""] if not pieces else []
                pieces.append(event.arguments)
            elif isinstance(event, ModelChanged):
                said.changes.append(event)
            else:
                said.done = event
    assert said.done is not None
    return said


def parts(**more: object) -> Parts:
    return Parts(
        **({"clock": SystemClock(), "ids": CountingIds(), "key": "k", "model": "m", "time_outs": QUICK} | more)
    )


def options(wire: str, url: str = "", *, name: str = "", **more: object) -> ModelOptions:
    return ModelOptions(name=name or wire, wire=wire, base_url=url or None, **more)
