"""The scripted model provider that all gateways are measured against: `python -m benchmarks.upstream PORT`.

It speaks chat completions without a key, and spends next to nothing on it: answers are bytes made beforehand. A stream
has 50 chunks, each written by itself, other connections in between.
"""

import asyncio
import json
import sys

import httptools
import uvloop

WORDS = [f"w{number:02d} " for number in range(50)]
TEXT = "".join(WORDS)
USAGE = {"prompt_tokens": 12, "completion_tokens": 50, "total_tokens": 62}


def _event(value: object) -> bytes:
    data = b"data: " + json.dumps(value).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    heading = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
    return _event(heading | {"choices": [choice]})


def _whole() -> bytes:
    message = {"role": "assistant", "content": TEXT, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    heading = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted"}
    body = json.dumps(heading | {"choices": [choice], "usage": USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


WHOLE = _whole()
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": []}
CHUNKS = [
    HEAD + _chunk({"role": "assistant", "content": ""}),
    *(_chunk({"content": word}) for word in WORDS),
    _chunk({}, "stop"),
    _event(LAST | {"usage": USAGE}) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
]
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if not self._url.endswith(b"/chat/completions"):
            self._transport.write(NOT_FOUND)
        elif b'"stream":true' in self._body.replace(b" ", b""):
            self._say(0)
        else:
            self._transport.write(WHOLE)

    def _say(self, number: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(CHUNKS[number])
        if number + 1 < len(CHUNKS):
            self._loop.call_soon(self._say, number + 1)


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
