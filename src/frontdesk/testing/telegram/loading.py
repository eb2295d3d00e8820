"""The stand-in's door for load runs: many people write, and all that arrives is told on one line.

POST /load/say          {"messages": [{"chat": 7, "text": "Hello"}, …]}: these people write this
GET  /load/events       one JSON line for each `Event`, from now on
GET  /load/webhook      how long the desk took to answer each post of an update: {"seconds": [0.004, …]}
"""

import asyncio

import msgspec
from aiohttp import web

from frontdesk.testing.telegram.fake import FakeTelegram
from frontdesk.testing.telegram.world import Json

KINDS = {"said": "said", "message": "sent", "typing": "typing"}  # what the stand-in calls it, what the stream does


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody is to write, in the chat of their own."""

    chat: int
    text: str


class Say(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `/load/say`."""

    messages: tuple[Message, ...]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody `said` something, the bot has `sent` a message, or shows `typing`; `at` is in seconds, of one clock."""

    kind: str
    chat: int
    text: str
    at: float


def loading(telegram: FakeTelegram) -> tuple[web.RouteDef, ...]:
    """The routes; hand them to `FakeTelegram.start`."""

    async def say(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=Say)
        for message in asked.messages:
            telegram.say(message.chat, message.text)
        return web.Response(status=204)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        waiting: asyncio.Queue[Event] = asyncio.Queue()

        def listen(chat: int, kind: str, what: Json) -> None:
            if kind in KINDS:
                text = str(what.get("text", ""))
                waiting.put_nowait(Event(kind=KINDS[kind], chat=chat, text=text, at=telegram.world.clock.monotonic()))

        telegram.world.listeners.append(listen)
        try:
            while True:
                batch = [await waiting.get()]
                while not waiting.empty():
                    batch.append(waiting.get_nowait())
                await response.write(b"".join(msgspec.json.encode(event) + b"\n" for event in batch))
        finally:
            telegram.world.listeners.remove(listen)

    async def webhook(_: web.Request) -> web.Response:
        seconds = [taken for _, status, taken in telegram.posting.answers if status]
        return web.Response(body=msgspec.json.encode({"seconds": seconds}), content_type="application/json")

    return (
        web.post("/load/say", say),
        web.get("/load/events", events),
        web.get("/load/webhook", webhook),
    )
