"""One turn, from message to reply."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

import msgspec

from frontdesk.conversation import words
from frontdesk.conversation.grounding import ABOUT_THE_DESK, ASKS, TOUCHES, Grounds, choose, cited, to_write_from
from frontdesk.conversation.guardrails import Guards, OutgoingText, Refusal
from frontdesk.conversation.log import Log
from frontdesk.conversation.memory import CLOSE, PersonMemory, Recalled, about_the_asker
from frontdesk.conversation.options import ConversationOptions
from frontdesk.conversation.prompt import PromptWriter, tool_answer, window
from frontdesk.conversation.summary import LONGEST_GAP, Summaries
from frontdesk.errors import BudgetSpent, ModelUnavailable, ToolUnavailable
from frontdesk.events import ApprovalAsked, Cited, ModelSwitched, Started, TextAdded, ToolCalled, ToolReturned, Working
from frontdesk.messages import (
    Citation,
    Found,
    Grounding,
    ModelChanged,
    ModelDone,
    ModelRequest,
    Passage,
    Prompt,
    TextDelta,
    TextPart,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from frontdesk.ports import Approvals, Model, Models, Search, Toolbox
from frontdesk.store.calls import account
from frontdesk.store.conversations import Conversations, Message, ToolUse
from frontdesk.store.inbox import Inbox
from frontdesk.store.turns import Outcome, Turns

SMALL_WINDOW = 6  # messages that a small model can keep in mind
FOLLOW_UP = 5  # so few words may lean on the question before


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnParts:
    """What a turn works with."""

    models: Models
    quote: Model
    search: Search
    toolbox: Toolbox
    approvals: Approvals
    memory: PersonMemory
    prompts: PromptWriter
    summaries: Summaries
    guards: Guards
    conversations: Conversations
    inbox: Inbox
    turns: Turns
    options: ConversationOptions


class Turn:
    """The making of one reply. What it says goes to the log as it comes; `answer` gives what remains of it.

    Its cost is booked on the person whose turn it is, or on `payer`.
    """

    def __init__(self, parts: TurnParts, log: Log, *, payer: str | None = None) -> None:
        self._parts = parts
        self._log = log
        self._lease = log.lease
        self._inbound = log.lease.inbound
        self._citations: tuple[Citation, ...] = ()
        self._tools: dict[str, ToolUse] = {}
        self._segment = ""  # text since the last tool call: what a model goes on from
        self._model = "desk"
        self._usage = Usage()
        self._reason: Literal["stop", "length", "stopped", "content_filter"] = "stop"
        self._account = account(self._inbound.channel, payer or self._lease.person_id, self._lease.turn_id)

    @property
    def model(self) -> str:
        """The model that wrote last."""
        return self._model

    @property
    def usage(self) -> Usage:
        """Tokens and cost so far."""
        return self._usage

    @property
    def reason(self) -> Literal["stop", "length", "stopped", "content_filter"]:
        """Why the text ends."""
        return self._reason

    def outcome(self, state: Literal["complete", "stopped", "failed"], grounding: Grounding | None) -> Outcome:
        """What the reply holds now."""
        return Outcome(
            text=self._log.text,
            state=state,
            grounding=grounding,
            model=self._model,
            citations=self._citations,
            tools=tuple(self._tools.values()),
            can_leave_message=grounding is Grounding.UNKNOWN or (grounding is Grounding.UNSOURCED and self._asks_us()),
        )

    async def answer(self) -> Grounding:
        """Make the reply and say what it stands on. Raises `ModelUnavailable`, `ModelRefused`, `LostLease`."""
        await self._begin()
        verdict = self._parts.guards.incoming(self._text)
        if isinstance(verdict, Refusal):
            return self._notice(verdict.reply)
        history = await self._history()
        fact = await self._remember(history[-1])
        found = await self._look_up(history)
        recalled = await self._recall(verdict)
        strong = self._writer().facts.strength == "strong"
        if strong:
            try:
                return await self._write(history, to_write_from(found), recalled)
            except (ModelUnavailable, BudgetSpent) as error:
                if self._log.text or self._tools:
                    raise
                self._log.put(ModelSwitched(from_model=self._writer().name, to_model="quote", reason=error.what))
        if fact is not None and not ASKS.search(self._text):
            return self._notice(words.REMEMBERED.format(fact=fact))
        return await self._answer_modestly(history, found, recalled)

    async def _answer_modestly(self, history: list[Message], found: Found, recalled: list[Recalled]) -> Grounding:
        near = [fact for fact in recalled if fact.closeness >= CLOSE] if about_the_asker(self._text) else []
        grounds = choose(
            self._text,
            found,
            quote_from=self._parts.options.quote_confidence,
            remembers=bool(near),
        )
        match grounds.way:
            case "recall":
                self._say(words.TOLD_ME.format(fact=near[0].text))
                return Grounding.QUOTED
            case "quote":
                return await self._quote(grounds)
            case "unknown":
                self._say(f"{words.UNKNOWN} {words.UNKNOWN_OFFER}")
                return Grounding.UNKNOWN
            case "converse":
                return await self._converse(history)

    # --- ways to answer -----------------------------------------------------

    async def _write(
        self, history: list[Message], passages: tuple[Passage, ...], recalled: list[Recalled]
    ) -> Grounding:
        model = self._writer()
        older, recent = window(history, self._parts.options.history_messages)
        summary, unsummed = await self._summary(older)
        prompts = self._parts.prompts.instructions(self._parts.options.instructions, recalled, summary)
        prompts += self._inbound.context
        prompts += await self._parts.prompts.history(
            self._lease.person_id, [*unsummed, *recent], images=model.facts.images
        )
        prompts += self._done_before()
        tools = self._parts.toolbox.specs() if model.facts.tools else ()
        for rounds_left in range(self._parts.options.tool_rounds, -1, -1):
            self._log.put(Working(activity="thinking"))
            request = ModelRequest(
                messages=tuple(prompts),
                tools=tools if rounds_left else (),
                passages=passages,
                continue_from=self._segment,
                account=self._account,
                strong_only=True,
            )
            calls = await self._stream(model, request, passages)
            if not calls:
                break
            prompts.append(Prompt(role="assistant", parts=_parts_of(self._segment), tool_calls=tuple(calls)))
            self._segment = ""
            for call in calls:
                result = await self._call(call, tools)
                prompts.append(tool_answer(call.id, result.text))
        sourced = self._citations or any(not use.is_error for use in self._tools.values())
        return Grounding.SOURCED if sourced else Grounding.UNSOURCED

    async def _summary(self, older: Sequence[Message]) -> tuple[str, Sequence[Message]]:
        if not older:
            return "", ()
        conversation = await self._parts.conversations.get(self._lease.conversation_id, self._lease.person_id)
        return await self._parts.summaries.of(conversation, older, self._account)

    async def _quote(self, grounds: Grounds) -> Grounding:
        request = ModelRequest(messages=(_asked(self._text),), passages=grounds.passages, continue_from=self._log.text)
        await self._stream(self._parts.quote, request, grounds.passages)
        if not self._log.text:
            self._say(f"{words.UNKNOWN} {words.UNKNOWN_OFFER}")
            return Grounding.UNKNOWN
        return Grounding.QUOTED

    async def _converse(self, history: list[Message]) -> Grounding:
        self._log.put(Working(activity="thinking"))
        recent = await self._parts.prompts.history(self._lease.person_id, history[-SMALL_WINDOW:], images=False)
        role = Prompt(role="system", parts=(TextPart(text=words.SMALL_MODEL),))
        request = ModelRequest(
            messages=(role, *recent), continue_from=self._log.text, max_tokens=200, account=self._account
        )
        try:
            await self._stream(self._writer(), request, ())
        except ModelUnavailable:
            if self._log.text:
                raise
            self._say(f"{words.UNKNOWN} {words.UNKNOWN_OFFER}")
            return Grounding.UNKNOWN
        return Grounding.UNSOURCED

    def _notice(self, text: str) -> Grounding:
        self._say(text)
        return Grounding.NOTICE

    # --- steps ----------------------------------------------------------------

    async def _begin(self) -> None:
        if self._lease.last_seq == 0:
            self._log.put(
                Started(
                    turn_id=self._lease.turn_id,
                    conversation_id=self._lease.conversation_id,
                    message_id=self._lease.message_id,
                    reply_id=self._lease.reply_id,
                )
            )
            return
        for item in await self._parts.turns.events(self._lease.turn_id):
            match item.event:
                case TextAdded(text=text):
                    self._log.text += text
                    self._segment += text
                case ToolCalled(call=call, server=server):
                    self._tools[call.id] = _use(call, server)
                    self._segment = ""
                case ToolReturned(result=result):
                    self._returned(result)
                case Cited(citations=citations):
                    self._citations = citations
                case _:
                    pass
        self._log.put(Working(activity="resuming"))

    @property
    def _text(self) -> str:
        return self._inbound.text

    async def _history(self) -> list[Message]:
        depth = self._parts.options.history_messages + LONGEST_GAP
        whole = await self._parts.conversations.path(self._lease.message_id, depth)
        path = [message for message in whole if message.role != "notice"]
        unanswered = [message.text for message in takewhile(lambda each: each.role == "user", reversed(path))]
        self._inbound = msgspec.structs.replace(self._inbound, text="\n".join(reversed(unanswered)))
        return path

    async def _remember(self, message: Message) -> str | None:
        if not self._parts.options.remember_people or self._inbound.context or self._inbound.regenerate:
            return None
        fact = self._parts.memory.notice(message.text)
        if fact is not None:
            await self._parts.memory.keep(self._lease.person_id, fact, message.id)
        return fact

    async def _recall(self, question: str) -> list[Recalled]:
        if not self._parts.options.remember_people:
            return []
        return await self._parts.memory.recall(self._lease.person_id, question)

    async def _look_up(self, history: list[Message]) -> Found:
        self._log.put(Working(activity="searching"))
        found = await self._parts.search.search(self._text)
        before = [message.text for message in history[:-1] if message.role == "user"]
        if found.confidence < TOUCHES and before and len(self._text.split()) <= FOLLOW_UP:
            wider = await self._parts.search.search(f"{before[-1]} {self._text}")
            found = max(found, wider, key=lambda each: each.confidence)
        return found

    def _done_before(self) -> list[Prompt]:
        """What an earlier run of this turn had its tools do; a call whose end it did not see is said to be unknown."""
        prompts: list[Prompt] = []
        for use in list(self._tools.values()):
            if use.result is None:
                text = "The desk was restarted during this call. Its outcome is unknown; do not repeat it unasked."
                result = ToolResult(call_id=use.call_id, name=use.name, text=text, is_error=True)
                self._log.put(ToolReturned(result=result))
                self._returned(result)
            use = self._tools[use.call_id]
            call = ToolCall(id=use.call_id, name=use.name, arguments=use.arguments)
            prompts += [Prompt(role="assistant", tool_calls=(call,)), tool_answer(use.call_id, use.result or "")]
        return prompts

    async def _stream(self, model: Model, request: ModelRequest, passages: tuple[Passage, ...]) -> list[ToolCall]:
        outgoing = OutgoingText(self._parts.guards)
        calls: dict[int, ToolCall] = {}
        async with aclosing(model.stream(request)) as events:
            async for event in events:
                match event:
                    case TextDelta(text=text):
                        self._say(outgoing.add(text), passages)
                    case ModelChanged() as change:
                        calls.clear()
                        if change.after_text:
                            self._log.put(
                                ModelSwitched(
                                    from_model=change.from_model, to_model=change.to_model, reason=change.reason
                                )
                            )
                    case ModelDone() as done:
                        self._done(done)
                    case piece:
                        before = calls.get(piece.index, ToolCall(id="", name="", arguments=""))
                        calls[piece.index] = ToolCall(
                            id=piece.id or before.id,
                            name=piece.name or before.name,
                            arguments=before.arguments + piece.arguments,
                        )
        self._say(outgoing.end(), passages)
        return [calls[index] for index in sorted(calls)]

    def _say(self, text: str, passages: tuple[Passage, ...] = ()) -> None:
        if not text:
            return
        self._log.put(TextAdded(text=text))
        self._segment += text
        citations = cited(self._log.text, passages) if "]" in text else ()  # which ends a mark
        if len(citations) > len(self._citations):
            self._citations = citations
            self._log.put(Cited(citations=citations))

    def _done(self, done: ModelDone) -> None:
        self._model = done.model
        self._usage = Usage(
            prompt_tokens=self._usage.prompt_tokens + done.usage.prompt_tokens,
            completion_tokens=self._usage.completion_tokens + done.usage.completion_tokens,
            cost=self._usage.cost + done.usage.cost,
        )
        self._reason = "stop" if done.reason == "tool_calls" else done.reason

    # --- tools ------------------------------------------------------------------

    async def _call(self, call: ToolCall, specs: tuple[ToolSpec, ...]) -> ToolResult:
        spec = next((spec for spec in specs if spec.name == call.name), None)
        refusal = await self._refusal(call, spec)
        self._tools[call.id] = _use(call, spec.server if spec else "")
        self._log.put(ToolCalled(call=call, server=spec.server if spec else ""))
        if refusal is None:
            await self._log.flushed()  # the call stands in the history before it can have an effect
            self._log.put(Working(activity="calling", detail=call.name))
        result = await self._run(call) if refusal is None else _failed(call, refusal)
        self._log.put(ToolReturned(result=result))
        self._returned(result)
        return result

    async def _run(self, call: ToolCall) -> ToolResult:
        try:
            return await self._parts.toolbox.call(call, person_id=self._lease.person_id)
        except ToolUnavailable as error:
            return _failed(call, error.what)

    async def _refusal(self, call: ToolCall, spec: ToolSpec | None) -> str | None:
        """Why the call may not run, or None. A call that needs approval waits here for a person."""
        if spec is None:
            return f"There is no tool {call.name}."
        if not spec.needs_approval:
            return None
        approval = await self._parts.approvals.ask(self._lease.turn_id, self._lease.person_id, call)
        self._log.put(ApprovalAsked(approval_id=approval.id, call=call))
        self._log.put(Working(activity="waiting_for_approval", detail=call.name))
        decided = await self._parts.approvals.wait(approval.id)
        if decided.state == "approved" and await self._parts.approvals.consume(approval.id, approval.digest):
            return None
        return words.APPROVAL_DENIED if decided.state == "denied" else words.APPROVAL_EXPIRED

    def _returned(self, result: ToolResult) -> None:
        use = self._tools[result.call_id]
        self._tools[result.call_id] = msgspec.structs.replace(use, result=result.text, is_error=result.is_error)

    # --- small questions ----------------------------------------------------------

    def _writer(self) -> Model:
        return self._parts.models.model(self._inbound.model) if self._inbound.model else self._parts.models

    def _asks_us(self) -> bool:
        return bool(ASKS.search(self._text) and ABOUT_THE_DESK.search(self._text))


def _use(call: ToolCall, server: str) -> ToolUse:
    return ToolUse(call_id=call.id, name=call.name, server=server, arguments=call.arguments)


def _failed(call: ToolCall, text: str) -> ToolResult:
    return ToolResult(call_id=call.id, name=call.name, text=text, is_error=True)


def _asked(text: str) -> Prompt:
    return Prompt(role="user", parts=(TextPart(text=text),))


def _parts_of(text: str) -> tuple[TextPart, ...]:
    return (TextPart(text=text),) if text else ()
