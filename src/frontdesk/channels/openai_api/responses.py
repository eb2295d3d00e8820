"""POST /v1/responses."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from frontdesk.api.errors import Internal
from frontdesk.api.sse import EventStream
from frontdesk.channels.openai_api.answers import Answers, Asked, Piece, places
from frontdesk.channels.openai_api.exchange import log, read, send_json
from frontdesk.channels.openai_api.responses_input import model_request
from frontdesk.channels.openai_api.responses_wire import (
    CallItem,
    Event,
    Incomplete,
    MessageItem,
    OutputItem,
    OutputText,
    Problem,
    Response,
    ResponsesBody,
    TextFormat,
    TextSettings,
    UrlCitation,
    Used,
)
from frontdesk.errors import FrontdeskError
from frontdesk.events import Cited, Started
from frontdesk.gate.caller import caller_of
from frontdesk.messages import Citation, ModelDone, TextDelta, ToolCallDelta, Usage
from frontdesk.ports import Clock, Ids

_body = msgspec.json.Decoder(ResponsesBody)
_encode = msgspec.json.Encoder().encode


class Responses:
    """An ASGI endpoint. Answers of the desk itself are kept, so `previous_response_id` can name them."""

    def __init__(self, answers: Answers, clock: Clock, ids: Ids) -> None:
        self._answers = answers
        self._clock = clock
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read(receive, _body)
        request = Request(scope)
        asked = Asked(
            model=body.model,
            request=model_request(body),
            caller=caller_of(request),
            idempotency_key=request.headers.get("idempotency-key"),
            previous=body.previous_response_id,
        )
        pieces = self._answers.ask(asked)
        async with aclosing(pieces):
            first = await anext(pieces)
            identity = first.reply_id if isinstance(first, Started) else self._ids.new("msg")
            writer = Writer(_begun(body, f"resp_{identity}", int(self._clock.now().timestamp())), identity)
            if body.stream:
                await EventStream(_frames(first, pieces, writer))(scope, receive, send)
                return
            for _ in writer.take(first):
                pass
            async for piece in pieces:
                for _ in writer.take(piece):
                    pass
            await send_json(send, writer.response)


async def _frames(first: Piece, pieces: AsyncGenerator[Piece], writer: "Writer") -> AsyncGenerator[bytes]:
    for event in writer.begin():
        yield _frame(event)
    piece: Piece | None = first
    try:
        while piece is not None:
            for event in writer.take(piece):
                yield _frame(event)
            piece = await anext(pieces, None)
    except FrontdeskError as error:
        yield _frame(writer.fail(error))
    except Exception:
        log.exception("stream_failed")
        yield _frame(writer.fail(Internal()))


def _frame(event: Event) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.type.encode(), _encode(event))


class Writer:
    """Grows a response piece by piece and tells each step as the events that clients follow it by."""

    def __init__(self, response: Response, message_id: str) -> None:
        self.response = response
        self._message_id = message_id
        self._number = 0
        self._text: list[str] = []
        self._citations: tuple[Citation, ...] = ()
        self._message_index: int | None = None
        self._calls: dict[int, tuple[int, CallItem]] = {}
        self._items = 0

    def begin(self) -> Iterator[Event]:
        """The events before the first piece."""
        yield self._event("response.created", response=self.response)
        yield self._event("response.in_progress", response=self.response)

    def take(self, piece: Piece) -> Iterator[Event]:
        """The events of one piece."""
        match piece:
            case TextDelta(text=text):
                yield from self._write(text)
            case ToolCallDelta():
                yield from self._call(piece)
            case Cited(citations=citations):
                self._citations = citations
            case ModelDone():
                yield from self._end(piece)
            case Started():
                return

    def fail(self, error: FrontdeskError) -> Event:
        """The event that ends a stream which went wrong."""
        problem = Problem(code=error.code, message=error.what)
        self.response = msgspec.structs.replace(self.response, status="failed", error=problem)
        return self._event("response.failed", response=self.response)

    def _write(self, text: str) -> Iterator[Event]:
        if self._message_index is None:
            self._message_index = self._next_index()
            empty = MessageItem(id=self._message_id, status="in_progress", content=[])
            yield self._event("response.output_item.added", item=empty, output_index=self._message_index)
            yield self._about_text("response.content_part.added", part=OutputText(text=""))
        self._text.append(text)
        yield self._about_text("response.output_text.delta", delta=text, logprobs=[])

    def _call(self, piece: ToolCallDelta) -> Iterator[Event]:
        if piece.index not in self._calls:
            identity = f"fc_{self._message_id}_{piece.index}"
            item = CallItem(
                id=identity, call_id=piece.id or identity, name=piece.name or "", arguments="", status="in_progress"
            )
            self._calls[piece.index] = (self._next_index(), item)
            yield self._event("response.output_item.added", item=item, output_index=self._calls[piece.index][0])
        index, item = self._calls[piece.index]
        if piece.arguments:
            item = msgspec.structs.replace(item, arguments=item.arguments + piece.arguments)
            self._calls[piece.index] = (index, item)
            kind = "response.function_call_arguments.delta"
            yield self._event(kind, item_id=item.id, output_index=index, delta=piece.arguments)

    def _end(self, done: ModelDone) -> Iterator[Event]:
        cut = done.reason in ("length", "content_filter")
        status = "incomplete" if cut else "completed"
        items: dict[int, OutputItem] = {}
        if self._message_index is not None:
            part = self._part()
            items[self._message_index] = MessageItem(id=self._message_id, status=status, content=[part])
            yield from self._end_text(part, items[self._message_index])
        for index, item in self._calls.values():
            whole = msgspec.structs.replace(item, status="completed")
            items[index] = whole
            kind = "response.function_call_arguments.done"
            yield self._event(
                kind, item_id=item.id, output_index=index, arguments=item.arguments or "{}", name=item.name
            )
            yield self._event("response.output_item.done", item=whole, output_index=index)
        why = "max_output_tokens" if done.reason == "length" else "content_filter"
        self.response = msgspec.structs.replace(
            self.response,
            status=status,
            output=[items[index] for index in sorted(items)],
            incomplete_details=Incomplete(why) if cut else None,
            usage=_used(done.usage),
        )
        yield self._event("response.incomplete" if cut else "response.completed", response=self.response)

    def _end_text(self, part: OutputText, item: OutputItem) -> Iterator[Event]:
        for number, annotation in enumerate(part.annotations):
            kind = "response.output_text.annotation.added"
            yield self._about_text(kind, annotation=annotation, annotation_index=number)
        yield self._about_text("response.output_text.done", text=part.text, logprobs=[])
        yield self._about_text("response.content_part.done", part=part)
        yield self._event("response.output_item.done", item=item, output_index=self._message_index)

    def _part(self) -> OutputText:
        text = "".join(self._text)
        return OutputText(
            text=text,
            annotations=[
                UrlCitation(start_index=start, end_index=end, title=citation.title, url=citation.source)
                for citation, start, end in places(text, self._citations)
            ],
        )

    def _about_text(
        self,
        type: str,
        *,
        part: OutputText | None = None,
        delta: str | None = None,
        text: str | None = None,
        annotation: UrlCitation | None = None,
        annotation_index: int | None = None,
        logprobs: list[str] | None = None,
    ) -> Event:
        self._number += 1
        return Event(
            type=type,
            sequence_number=self._number - 1,
            item_id=self._message_id,
            output_index=self._message_index,
            content_index=0,
            part=part,
            delta=delta,
            text=text,
            annotation=annotation,
            annotation_index=annotation_index,
            logprobs=logprobs,
        )

    def _event(
        self,
        type: str,
        *,
        response: Response | None = None,
        item: OutputItem | None = None,
        item_id: str | None = None,
        output_index: int | None = None,
        delta: str | None = None,
        arguments: str | None = None,
        name: str | None = None,
    ) -> Event:
        self._number += 1
        return Event(
            type=type,
            sequence_number=self._number - 1,
            response=response,
            item=item,
            item_id=item_id,
            output_index=output_index,
            delta=delta,
            arguments=arguments,
            name=name,
        )

    def _next_index(self) -> int:
        self._items += 1
        return self._items - 1


def _begun(body: ResponsesBody, identity: str, created: int) -> Response:
    return Response(
        id=identity,
        created_at=created,
        model=body.model,
        status="in_progress",
        instructions=body.instructions,
        metadata=body.metadata or {},
        previous_response_id=body.previous_response_id,
        temperature=body.temperature,
        top_p=body.top_p,
        max_output_tokens=body.max_output_tokens,
        tools=body.tools or [],
        tool_choice=body.tool_choice or "auto",
        text=body.text if body.text and body.text.format else TextSettings(TextFormat("text")),
    )


def _used(usage: Usage) -> Used:
    return Used(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )
