"""Where an answer comes from: the desk itself, or one of its models.

Both give the same pieces: text, tool calls, citations, and `ModelDone` at the end.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec

from frontdesk.channels.openai_api.faults import unsupported
from frontdesk.errors import (
    BadRequest,
    Conflict,
    FrontdeskError,
    ModelRefused,
    ModelUnavailable,
    NotFound,
    ShuttingDown,
)
from frontdesk.events import Cited, Failed, Finished, Inbound, PersonAnswers, Started, TextAdded
from frontdesk.messages import (
    Caller,
    Citation,
    ImagePart,
    ModelChanged,
    ModelDone,
    ModelRequest,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from frontdesk.ports import Converse, Ids, Models
from frontdesk.store.calls import account
from frontdesk.store.conversations import Conversations, Message
from frontdesk.store.files import Files
from frontdesk.store.requests import Requests, State

DESK = "frontdesk"
CHANNEL = "openai"
RESPONSE = "resp_"  # and the id of the message that holds the answer

Piece = Started | TextDelta | ToolCallDelta | Cited | ModelDone


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A question: of whom, by whom. `previous` is the id of the Responses answer that it goes on from."""

    model: str
    request: ModelRequest
    caller: Caller
    idempotency_key: str | None = None
    previous: str | None = None


class Answers:
    """Answers of the desk (`frontdesk`) and of its models, by name."""

    def __init__(
        self,
        models: Models,
        converse: Converse,
        conversations: Conversations,
        requests: Requests,
        files: Files,
        ids: Ids,
    ) -> None:
        self._models = models
        self._conversations = conversations
        self._converse = converse
        self._requests = requests
        self._files = files
        self._ids = ids

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that can be asked for."""
        return (DESK, *self._models.names)

    def ask(self, asked: Asked) -> AsyncGenerator[Piece]:
        """The answer's pieces, `Started` first where the desk keeps it. Raises with the first one."""
        return self._of_the_desk(asked) if asked.model == DESK else self._of_a_model(asked)

    async def _of_a_model(self, asked: Asked) -> AsyncGenerator[Piece]:
        if asked.previous is not None:
            raise BadRequest("Only answers of the desk itself are kept", where="previous_response_id")
        model = self._models.model(asked.model)
        person_id = asked.caller.person.id
        request_id = await self._requests.accept(person_id, model.name)
        request = msgspec.structs.replace(asked.request, account=account(CHANNEL, person_id, request_id))
        state: State = "left"
        usage = Usage()
        try:
            async with aclosing(model.stream(request)) as events:
                async for event in events:
                    if isinstance(event, ModelDone):
                        state, usage = "done", event.usage
                        await self._requests.settle(request_id, state, usage)
                    if not isinstance(event, ModelChanged):
                        yield event
        except Exception:
            state = "failed"
            raise
        finally:
            if state != "done":
                await self._requests.settle(request_id, state, usage)

    async def _of_the_desk(self, asked: Asked) -> AsyncGenerator[Piece]:
        request = asked.request
        if request.tools:
            raise unsupported("tools", "the desk calls its own tools; ask one of its models to use yours")
        if request.response_schema is not None or request.response_json:
            raise unsupported("response_format", "the desk answers in prose; ask one of its models for JSON")
        accepted = await self._converse.accept(await self._inbound(asked))
        started: Started | None = None
        async for numbered in self._converse.follow(accepted.turn_id):
            if started is not None and isinstance(numbered.event, TextAdded | Cited | Finished):
                yield started  # held back until there is an answer, so that a turn which fails at once is an error
                started = None
            match numbered.event:
                case Started() as started:
                    pass
                case TextAdded(text=text):
                    yield TextDelta(text=text)
                case Cited() as cited:
                    yield cited
                case Finished(reason=reason, model=model, usage=usage):
                    yield ModelDone(reason="stop" if reason == "stopped" else reason, model=model, usage=usage)
                case Failed() as failed:
                    raise _error(failed)
                case PersonAnswers(name=name):
                    raise Conflict(f"{name or 'A person of the team'} has this conversation, and answers there")
                case _:
                    pass

    async def _inbound(self, asked: Asked) -> Inbound:
        messages, key = asked.request.messages, asked.idempotency_key
        last = messages[-1]
        if last.role != "user" or not last.text.strip():
            raise BadRequest("The last message is the user's, and holds text", where="messages")
        if any("\0" in prompt.text for prompt in messages):
            raise BadRequest("The character NUL cannot be stored", where="messages")
        person_id = asked.caller.person.id
        before = await self._answer(asked.previous, person_id) if asked.previous else None
        images = [part for part in last.parts if isinstance(part, ImagePart)]
        files = [
            await self._files.add(person_id, f"image-{number}", part.media_type, part.data)
            for number, part in enumerate(images, 1)
        ]
        return Inbound(
            channel=CHANNEL,
            external_id=f"{person_id}:{key}" if key else self._ids.new("in"),
            person_id=person_id,
            text=last.text,
            file_ids=tuple(file.id for file in files),
            conversation_id=before.conversation_id if before else None,
            parent_id=before.id if before else None,
            context=messages[:-1],
        )

    async def _answer(self, response_id: str, person_id: str) -> Message:
        """The answer that a Responses id names. Raises `NotFound`, also for somebody else's."""
        message_id = response_id.removeprefix(RESPONSE)
        if message_id == response_id or "\0" in response_id:
            raise NotFound("There is no such response", where="previous_response_id")
        return await self._conversations.message(message_id, person_id)


def places(text: str, citations: tuple[Citation, ...]) -> list[tuple[Citation, int, int]]:
    """Each citation with the place of its mark in the text, or of the text's end where it has none."""
    found: list[tuple[Citation, int, int]] = []
    for citation in citations:
        mark = f"[{citation.number}]"
        start = text.find(mark)
        found.append((citation, start, start + len(mark)) if start >= 0 else (citation, len(text), len(text)))
    return found


def _error(failed: Failed) -> FrontdeskError:
    """The error behind a failed turn; what cannot be told apart counts as a model that is away."""
    kinds = {kind.code: kind for kind in (ModelUnavailable, ModelRefused, ShuttingDown)}
    return kinds.get(failed.code, ModelUnavailable)(failed.message, hint=failed.hint)
