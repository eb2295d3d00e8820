"""A model that says what its script tells it: for tests, demonstrations and load runs. It costs no computing.

The delays run on the injected clock, so a test that owns the clock owns them too.
"""

import itertools
import re
from collections import deque
from collections.abc import AsyncGenerator, Sequence

import msgspec

from frontdesk.messages import (
    ModelDone,
    ModelEvent,
    ModelFacts,
    ModelRequest,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from frontdesk.models.accounting import likely_tokens
from frontdesk.models.failures import CallFailed, Reason
from frontdesk.models.options import ModelOptions, ScriptOptions
from frontdesk.models.wire import Parts
from frontdesk.ports import Clock


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What to do when the last prompt matches `pattern` (a regular expression, searched without regard to case).

    The answer is said in the pieces given, or word by word; what of the questions that are still unanswered fits `echo`
    (a regular expression too) stands before it. With `fails` the call fails that way after `fail_after`
    pieces (0: before the first); `calls` are tool calls made after the text. `first_delay` and `delay` are seconds
    before the first and before each further piece.
    """

    pattern: str = ""
    answer: str | tuple[str, ...] = ""
    echo: str = ""
    calls: tuple[ToolCall, ...] = ()
    fails: Reason | None = None
    fail_after: int = 0
    retry_after: float | None = None
    first_delay: float = 0
    delay: float = 0

    def pieces(self, request: ModelRequest) -> list[str]:
        """What is said to `request`, in pieces."""
        echoed = [f"{each} " for each in re.findall(self.echo, _unanswered(request))] if self.echo else []
        if isinstance(self.answer, tuple):
            return [*echoed, *self.answer]
        return [*echoed, *re.findall(r"\s*\S+\s*$|\s*\S+", self.answer)]


REMEMBERED = 100  # requests that tests can look at; a load run makes many more
SENTENCE = "This is the scripted model. It says the same to everything."
DEMONSTRATION = (Rule(answer=SENTENCE),)


class ScriptedModel:
    """The first rule that matches answers; a rule in `once` is used up by its first use and comes before the others."""

    def __init__(
        self,
        name: str = "scripted",
        rules: Sequence[Rule] = DEMONSTRATION,
        *,
        clock: Clock,
        once: Sequence[Rule] = (),
        facts: ModelFacts | None = None,
    ) -> None:
        self.asked: deque[ModelRequest] = deque(maxlen=REMEMBERED)
        self._name = name
        self._rules = tuple(rules)
        self._once = list(once)
        self._clock = clock
        self._facts = facts or ModelFacts(images=True)

    @classmethod
    def build(cls, options: ModelOptions, parts: Parts) -> "ScriptedModel":
        facts = options.facts.facts() if options.facts else None
        rules = (_rule(options.script),) if options.script else DEMONSTRATION
        return cls(options.name, rules, clock=parts.clock, facts=facts)

    @property
    def name(self) -> str:
        return self._name

    @property
    def facts(self) -> ModelFacts:
        return self._facts

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.asked.append(request)
        rule = self._rule(request.messages[-1].text if request.messages else "")
        said: list[str] = []
        for number, piece in enumerate(rule.pieces(request)):
            self._fail(rule, number)
            if wait := rule.delay if number else rule.first_delay:
                await self._clock.sleep(wait)
            said.append(piece)
            yield TextDelta(text=piece)
        self._fail(rule, len(said))
        for index, call in enumerate(rule.calls):
            yield ToolCallDelta(index=index, id=call.id, name=call.name)
            yield ToolCallDelta(index=index, arguments=call.arguments)
        usage = likely_tokens(request, "".join(said))
        yield ModelDone(reason="tool_calls" if rule.calls else "stop", model=self._name, usage=usage)

    async def close(self) -> None:
        """Nothing is held open."""

    def _rule(self, text: str) -> Rule:
        for rule in self._once:
            if re.search(rule.pattern, text, re.IGNORECASE):
                self._once.remove(rule)
                return rule
        for rule in self._rules:
            if re.search(rule.pattern, text, re.IGNORECASE):
                return rule
        return DEMONSTRATION[0]

    def _fail(self, rule: Rule, number: int) -> None:
        if rule.fails is not None and number >= rule.fail_after:
            raise CallFailed(
                f"The script says: {rule.fails}", reason=rule.fails, where=self._name, retry_after=rule.retry_after
            )


def _rule(script: ScriptOptions) -> Rule:
    words = itertools.cycle(SENTENCE.split())
    answer = SENTENCE if script.words is None else " ".join(itertools.islice(words, script.words))
    delay = 0 if script.words_per_second is None else script.words_at_once / script.words_per_second
    pieces = tuple(re.findall(rf"(?:\s*\S+){{1,{script.words_at_once}}}", answer))
    return Rule(answer=pieces, echo=script.echo, first_delay=script.first_delay, delay=delay)


def _unanswered(request: ModelRequest) -> str:
    """The messages since the last answer."""
    last = itertools.takewhile(lambda prompt: prompt.role == "user", reversed(request.messages))
    return "\n".join(prompt.text for prompt in reversed([*last]))
