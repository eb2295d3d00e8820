"""Scripted model providers on the loopback: real HTTP for tests of the wires, of the router and of the whole desk.

    async with Upstream(OpenAIWire(), [Reply(text="Hello."), Reply(status=429, retry_after=2)]) as upstream:
        ...  # base_url=upstream.url

Replies are used in order and the last one again and again. `upstream.received` holds the bodies that came.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from frontdesk.messages import ToolCall

Fault = Literal["hang", "cut", "malformed", "flood", "trickle", "error_event"]

FLOOD = b"x" * 65_536  # a flood is 160 of these: 10 MB


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One scripted answer.

    `pieces` is the text as it is streamed (default: word by word). `fault` strikes after `fault_after` pieces of a
    stream: `hang` sends no more and keeps the line open, `cut` closes it, `malformed` sends an event that is no JSON,
    `flood` sends 10 MB in one event, `trickle` sends single bytes for ever, `error_event` says within the stream that
    the provider failed. With another `status` than 200 an error body is sent. `delay` is seconds before each piece;
    `hold` keeps back the pieces after the first until it is set.
    """

    text: str = "Hello from upstream."
    pieces: tuple[str, ...] | None = None
    calls: tuple[ToolCall, ...] = ()
    finish: str | None = None
    status: int = 200
    retry_after: str | None = None
    error: str = "scripted error"
    fault: Fault | None = None
    fault_after: int = 0
    prompt_tokens: int = 10
    completion_tokens: int = 5
    thinking: str = ""
    delay: float = 0
    hold: asyncio.Event | None = None

    def said(self) -> tuple[str, ...]:
        """The text in its pieces."""
        if self.pieces is not None:
            return self.pieces
        first, *rest = self.text.split(" ")
        return (first, *(f" {word}" for word in rest))


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came: path, headers with names in lower case, body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])


class ProviderWire(Protocol):
    """How a provider writes a reply."""

    def whole(self, reply: Reply) -> bytes:
        """The body of an answer in one piece."""
        ...

    def head(self, reply: Reply) -> list[bytes]:
        """Events before the text."""
        ...

    def piece(self, text: str) -> bytes:
        """The event of a piece of text."""
        ...

    def tail(self, reply: Reply) -> list[bytes]:
        """Events after the text: tool calls, reason, usage, end."""
        ...

    def failure(self) -> bytes:
        """The event that tells of a failure within a stream."""
        ...


class Upstream:
    """A provider on a free port of 127.0.0.1, from `async with` until its end."""

    def __init__(self, wire: ProviderWire, replies: Sequence[Reply] | Callable[[Received], Reply] = ()) -> None:
        self.received: list[Received] = []
        self.open_streams = 0
        self._wire = wire
        self._replies = replies or (Reply(),)
        self._server: asyncio.Server | None = None
        self._closing = asyncio.Event()
        self._lines: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> "Upstream":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.close()
        for line in list(self._lines):
            line.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._lines.discard(writer)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the line stays open."""
        received = await _read(reader)
        self.received.append(received)
        reply = self._next(received)
        if reply.status != 200:
            await _send(writer, reply.status, _error(reply), retry_after=reply.retry_after)
            return True
        if received.json().get("stream"):
            self.open_streams += 1
            try:
                return await self._stream(writer, reply)
            finally:
                self.open_streams -= 1
        if reply.fault is not None:
            return await self._fault(writer, reply.fault, in_stream=False)
        if reply.delay:
            await self._pause(reply.delay)
        await _send(writer, 200, self._wire.whole(reply))
        return True

    def _next(self, received: Received) -> Reply:
        if callable(self._replies):
            return self._replies(received)
        return self._replies[min(len(self.received), len(self._replies)) - 1]

    async def _stream(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        if reply.fault is not None and reply.fault_after == 0:
            return await self._fault(writer, reply.fault)
        for event in self._wire.head(reply):
            await _chunk(writer, event)
        for number, text in enumerate(reply.said(), start=1):
            if reply.delay:
                await self._pause(reply.delay)
            if reply.hold is not None and number > 1:
                await reply.hold.wait()
            await _chunk(writer, self._wire.piece(text))
            if reply.fault is not None and number == reply.fault_after:
                return await self._fault(writer, reply.fault)
        for event in self._wire.tail(reply):
            await _chunk(writer, event)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _fault(self, writer: asyncio.StreamWriter, fault: Fault, *, in_stream: bool = True) -> bool:
        if not in_stream and fault not in ("hang", "cut"):
            body = {"malformed": b'{"oops', "flood": FLOOD * 160, "trickle": b"{", "error_event": b"{}"}[fault]
            await _send(writer, 200, body)
        elif fault == "malformed":
            await _chunk(writer, b'data: {"oops\n\n')
        elif fault == "flood":
            for _ in range(160):
                await _chunk(writer, FLOOD)
        elif fault == "error_event":
            await _chunk(writer, self._wire.failure())
        elif fault == "trickle":
            while not self._closing.is_set() and not writer.is_closing():
                await _chunk(writer, b":")
                await self._pause(0.005)
        elif fault == "hang":
            await writer.drain()
            await self._closing.wait()
        return False

    async def _pause(self, seconds: float) -> None:
        """Let time pass, but not beyond the end of the test."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(path=first.split(" ")[1], headers=headers, body=body)


async def _send(writer: asyncio.StreamWriter, status: int, body: bytes, *, retry_after: str | None = None) -> None:
    patience = f"retry-after: {retry_after}\r\n" if retry_after is not None else ""
    head = (
        f"HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\n{patience}content-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    await writer.drain()


async def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()


def _error(reply: Reply) -> bytes:
    return msgspec.json.encode({"error": {"message": reply.error, "type": "scripted"}})


def _event(data: object, name: str | None = None) -> bytes:
    prefix = f"event: {name}\n".encode() if name else b""
    return prefix + b"data: " + msgspec.json.encode(data) + b"\n\n"


class OpenAIWire:
    """The OpenAI chat-completions format; calls come in fragments, as from the real one."""

    def whole(self, reply: Reply) -> bytes:
        message: dict[str, object] = {"role": "assistant", "content": "".join(reply.said())}
        if reply.calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in reply.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": self._finish(reply)}
        return msgspec.json.encode(self._frame("chat.completion") | {"choices": [choice], "usage": self._usage(reply)})

    def head(self, reply: Reply) -> list[bytes]:
        return [self._delta({"role": "assistant", "content": ""})]

    def piece(self, text: str) -> bytes:
        return self._delta({"content": text})

    def tail(self, reply: Reply) -> list[bytes]:
        events: list[bytes] = []
        for index, call in enumerate(reply.calls):
            half = len(call.arguments) // 2
            first = {
                "index": index,
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": ""},
            }
            events.append(self._delta({"tool_calls": [first]}))
            for piece in (call.arguments[:half], call.arguments[half:]):
                events.append(self._delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}))
        events.append(self._delta({}, finish=self._finish(reply)))
        events.append(_event(self._frame("chat.completion.chunk") | {"choices": (), "usage": self._usage(reply)}))
        return [*events, b"data: [DONE]\n\n"]

    def failure(self) -> bytes:
        return _event({"error": {"message": "scripted error", "type": "server_error"}})

    def _delta(self, delta: dict[str, object], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _event(self._frame("chat.completion.chunk") | {"choices": [choice]})

    def _finish(self, reply: Reply) -> str:
        return reply.finish or ("tool_calls" if reply.calls else "stop")

    def _frame(self, kind: str) -> dict[str, object]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": "scripted"}

    def _usage(self, reply: Reply) -> dict[str, int]:
        total = reply.prompt_tokens + reply.completion_tokens
        return {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": total,
        }


class AnthropicWire:
    """The Anthropic messages format; `thinking` comes as a block of its own before the text."""

    def whole(self, reply: Reply) -> bytes:
        content: list[Mapping[str, object]] = []
        if reply.thinking:
            content.append({"type": "thinking", "thinking": reply.thinking, "signature": "s"})
        if text := "".join(reply.said()):
            content.append({"type": "text", "text": text})
        for call in reply.calls:
            block = {
                "type": "tool_use",
                "id": call.id,
                "name": call.name,
                "input": msgspec.Raw(call.arguments.encode()),
            }
            content.append(block)
        usage = {"input_tokens": reply.prompt_tokens, "output_tokens": reply.completion_tokens}
        return msgspec.json.encode(
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "content": content,
                "stop_reason": self._stop(reply),
                "usage": usage,
            }
        )

    def head(self, reply: Reply) -> list[bytes]:
        usage = {"input_tokens": reply.prompt_tokens, "output_tokens": 1}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "content": (), "usage": usage}
        events = [
            _event({"type": "message_start", "message": message}, "message_start"),
            _event({"type": "ping"}, "ping"),
        ]
        if reply.thinking:
            events += self._block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "Hm"})
        start = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}
        return [*events, _event(start, "content_block_start")]

    def piece(self, text: str) -> bytes:
        delta = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": text}}
        return _event(delta, "content_block_delta")

    def tail(self, reply: Reply) -> list[bytes]:
        events = [_event({"type": "content_block_stop", "index": 1}, "content_block_stop")]
        for index, call in enumerate(reply.calls, start=2):
            half = len(call.arguments) // 2
            start: dict[str, object] = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
            pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", call.arguments[:half])]
            rest: dict[str, object] = {"type": "input_json_delta", "partial_json": call.arguments[half:]}
            events += self._block(index, start, *pieces, rest)
        delta = {"stop_reason": self._stop(reply), "stop_sequence": None}
        usage = {"output_tokens": reply.completion_tokens}
        events.append(_event({"type": "message_delta", "delta": delta, "usage": usage}, "message_delta"))
        return [*events, _event({"type": "message_stop"}, "message_stop")]

    def failure(self) -> bytes:
        return _event({"type": "error", "error": {"type": "overloaded_error", "message": "scripted error"}}, "error")

    def _block(self, index: int, start: Mapping[str, object], *deltas: Mapping[str, object]) -> list[bytes]:
        opening = {"type": "content_block_start", "index": index, "content_block": start}
        return [
            _event(opening, "content_block_start"),
            *(_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas),
            _event({"type": "content_block_stop", "index": index}, "content_block_stop"),
        ]

    def _stop(self, reply: Reply) -> str:
        return reply.finish or ("tool_use" if reply.calls else "end_turn")
