"""The stand-in's own routes beside the Bot API: a page to chat on, and a door for load and chaos runs.

POST /people/{chat}/say      {"text", "sender"?, "copies"?}   somebody writes → {"message_id", "update_id"}
POST /people/{chat}/press    {"message_id", "button"}         somebody presses a button, by number
GET  /people/{chat}/feed     what happens in the chat, as server-sent events
GET  /sent?after=0           the bot's messages so far: chat, id, text, at
POST /faults                 {"method", "status", "retry_after", "hang", "cut", "taken", "times", "chat"}
POST /hold, POST /release    {"seed"?, "copies"?}             keep updates back, and let them go, shuffled
"""

import asyncio
import random
from collections.abc import Generator
from contextlib import contextmanager
from importlib.resources import files

import msgspec
from aiohttp import web

from frontdesk.testing.telegram.fake import FakeTelegram
from frontdesk.testing.telegram.world import Fault, Json

PING = 15.0  # seconds of silence on a feed before a comment keeps the line open


class _Say(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    sender: int | None = None
    copies: int = 1


class _Press(msgspec.Struct, frozen=True, kw_only=True):
    message_id: int
    button: int = 0
    sender: int | None = None


class _Release(msgspec.Struct, frozen=True, kw_only=True):
    seed: int | None = None
    copies: int = 1


class Control:
    """The routes, to be given to `FakeTelegram.start`."""

    def __init__(self, telegram: FakeTelegram) -> None:
        self._telegram = telegram

    def routes(self) -> tuple[web.RouteDef, ...]:
        """All of them."""
        return (
            web.get("/", self._page),
            web.post("/people/{chat:-?\\d+}/say", self._say),
            web.post("/people/{chat:-?\\d+}/press", self._press),
            web.get("/people/{chat:-?\\d+}/feed", self._feed),
            web.get("/sent", self._sent),
            web.post("/faults", self._fault),
            web.post("/hold", self._hold),
            web.post("/release", self._release),
        )

    async def _page(self, _: web.Request) -> web.Response:
        page = (files(__package__ or "") / "page.html").read_text(encoding="utf-8")
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _say(self, request: web.Request) -> web.Response:
        said = msgspec.json.decode(await request.read(), type=_Say)
        written = self._telegram.say(int(request.match_info["chat"]), said.text, sender=said.sender)
        for _ in range(said.copies - 1):
            self._telegram.posting.repeat(written.update_id)
        return _json({"message_id": written.message_id, "update_id": written.update_id})

    async def _press(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=_Press)
        chat = int(request.match_info["chat"])
        for sent in self._telegram.to(chat):
            if sent.id == asked.message_id and asked.button < len(sent.buttons):
                return _json({"query": self._telegram.press(sent, asked.button, sender=asked.sender)})
        raise web.HTTPNotFound

    async def _feed(self, request: web.Request) -> web.StreamResponse:
        chat = int(request.match_info["chat"])
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        with self._news() as news:
            while True:
                try:
                    where, kind, what = await asyncio.wait_for(news.get(), PING)
                except TimeoutError:
                    await answer.write(b": still here\n\n")
                    continue
                if where in (0, chat) and kind in ("message", "edited", "deleted", "draft", "typing", "answered"):
                    await answer.write(f"event: {kind}\ndata: ".encode() + msgspec.json.encode(what) + b"\n\n")

    @contextmanager
    def _news(self) -> Generator["asyncio.Queue[tuple[int, str, Json]]"]:
        queue: asyncio.Queue[tuple[int, str, Json]] = asyncio.Queue()

        def listen(chat: int, kind: str, what: Json) -> None:
            queue.put_nowait((chat, kind, what))

        self._telegram.world.listeners.append(listen)
        try:
            yield queue
        finally:
            self._telegram.world.listeners.remove(listen)

    async def _sent(self, request: web.Request) -> web.Response:
        after = int(request.query.get("after", "0"))
        told = [
            {"chat": sent.chat, "id": sent.id, "text": sent.text, "at": sent.at, "reply_to": sent.reply_to}
            for sent in self._telegram.sent[after:]
        ]
        return _json({"sent": told, "next": after + len(told)})

    async def _fault(self, request: web.Request) -> web.Response:
        self._telegram.fail(msgspec.json.decode(await request.read(), type=Fault))
        return _json({})

    async def _hold(self, _: web.Request) -> web.Response:
        self._telegram.posting.held = True
        return _json({})

    async def _release(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read() or b"{}", type=_Release)
        chance = None if asked.seed is None else random.Random(asked.seed)  # noqa: S311 no secret: a shuffle
        await self._telegram.posting.release(chance, copies=asked.copies)
        return _json({})


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
