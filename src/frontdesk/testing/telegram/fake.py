"""The stand-in as a server: the Bot API on a loopback port, and people who write to the bot."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
import msgspec
from aiohttp import web

from frontdesk.clock import SystemClock
from frontdesk.ports import Clock
from frontdesk.testing.telegram.methods import Asked, Methods
from frontdesk.testing.telegram.people import People
from frontdesk.testing.telegram.posting import Posting
from frontdesk.testing.telegram.world import Call, Fault, Json, Limits, Refused, Sent, World

TOKEN = "110201543:stand-in-for-tests"  # noqa: S105 no secret: the stand-in takes no other


class FakeTelegram(People):
    """Telegram for one bot. `start` it, give the desk `url` and `token`, then let people write.

    `sent` holds the bot's messages, `typing` its typing signals, `calls` every call; `until` waits for something to
    happen. `faults` and `limits` make it as unkind as the real one. `posting` delivers updates, and can hold them back.
    """

    def __init__(self, *, token: str = TOKEN, username: str = "desk_bot", clock: Clock | None = None) -> None:
        self.token = token
        self.world = World(clock or SystemClock())
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Desk",
            "username": username,
        }
        self.posting = Posting(self.world)
        super().__init__(self.world, self.posting, self.bot)
        self._methods = Methods(self.world, self.bot)
        self._url = ""
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address to use instead of `https://api.telegram.org`."""
        return self._url

    @property
    def sent(self) -> list[Sent]:
        """The bot's messages, in the order in which they arrived."""
        return self.world.sent

    @property
    def calls(self) -> list[Call]:
        """Every call of the Bot API, refused ones too."""
        return self.world.calls

    @property
    def typing(self) -> list[tuple[int, str, float]]:
        """Typing signals: chat, action, when."""
        return self.world.typing

    def to(self, chat: int) -> list[Sent]:
        """The bot's messages in this chat."""
        return [sent for sent in self.world.sent if sent.chat == chat]

    def texts(self, chat: int) -> list[str]:
        """Their texts."""
        return [sent.text for sent in self.to(chat)]

    def fail(self, fault: Fault) -> None:
        """Let a call go wrong: `fail(Fault(status=429, retry_after=2))`, `fail(Fault(hang=True, taken=True))`."""
        self.world.faults.append(fault)

    def limit(self, limits: Limits | None = Limits()) -> None:  # noqa: B008 a frozen value
        """Hold the bot to Telegram's rates (None: no more)."""
        self.world.limits = limits

    async def until(self, true: Callable[[], bool], seconds: float = 10) -> None:
        """Return as soon as `true()`; raises `TimeoutError` after so many real seconds."""
        await self.world.until(true, seconds)

    async def replies(self, chat: int, count: int, seconds: float = 10) -> list[str]:
        """The texts of the bot's messages in this chat, as soon as there are `count`."""
        await self.until(lambda: len(self.to(chat)) >= count, seconds)
        return self.texts(chat)

    async def start(self, host: str = "127.0.0.1", port: int = 0, routes: tuple[web.RouteDef, ...] = ()) -> str:
        """Listen (0: on any free port), also for `routes`; the address."""
        app = web.Application(client_max_size=60 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.add_routes(routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound = cast("tuple[str, int]", self._runner.addresses[0])
        self._url = f"http://{bound[0]}:{bound[1]}"
        return self._url

    async def close(self) -> None:
        """Deliver and answer no more."""
        await self.posting.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if request.match_info["token"] != self.token:
            return _refusal(Refused(401, "Unauthorized"))
        asked = await _asked(request)
        fault = self.world.fault(method, asked.chat)
        try:
            if fault is not None and not fault.taken:
                await self._befall(fault, request)
            result = await self._answer(method, asked)
            if fault is not None:
                await self._befall(fault, request)
        except Refused as refused:
            self._note(method, asked, refused.status)
            return _refusal(refused)
        self._note(method, asked, 200)
        return _json({"ok": True, "result": result})

    async def _answer(self, method: str, asked: Asked) -> object:
        if method == "getUpdates":
            return await self.posting.get_updates(asked)
        if method == "setWebhook":
            return self.posting.set_webhook(asked)
        if method == "deleteWebhook":
            return self.posting.delete_webhook(asked)
        if method == "getWebhookInfo":
            return self.posting.webhook_info()
        known = self._methods.by_name.get(method)
        if known is None:
            raise Refused(404, "Not Found")
        return known(asked)

    async def _befall(self, fault: Fault, request: web.Request) -> None:
        if fault.status:
            extra: Json | None = None if fault.retry_after is None else {"retry_after": fault.retry_after}
            words = fault.description
            if fault.status == 429:
                words = f"Too Many Requests: retry after {fault.retry_after}"
            raise Refused(fault.status, words, extra)
        if fault.cut and request.transport is not None:
            request.transport.abort()
        if fault.cut or fault.hang:
            self.world.tell(0, "fault", {})
            await self._hung(request)

    async def _hung(self, request: web.Request) -> None:
        """Nothing more is said on this line; over when the client or the stand-in goes."""
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110 no event for it
            await asyncio.sleep(0.02)
        raise Refused(500, "The line is gone")

    def _note(self, method: str, asked: Asked, status: int) -> None:
        now = self.world.clock.monotonic()
        self.world.calls.append(Call(method, asked.chat, asked.values, now, status))
        self.world.tell(asked.chat or 0, "called", {"method": method, "status": status})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["token"] == self.token:
            for path, data in self.world.files.values():
                if path == request.match_info["path"]:
                    return web.Response(body=data, content_type="application/octet-stream")
        return _refusal(Refused(404, "Not Found"))


@asynccontextmanager
async def running_telegram(*, clock: Clock | None = None) -> AsyncGenerator[FakeTelegram]:
    """The stand-in, listening on a free loopback port."""
    telegram = FakeTelegram(clock=clock)
    await telegram.start()
    try:
        yield telegram
    finally:
        await telegram.close()


async def _asked(request: web.Request) -> Asked:
    kind = request.content_type
    if kind == "application/json":
        return Asked(msgspec.json.decode(await request.read() or b"{}", type=dict[str, object]))
    values: dict[str, object] = dict(request.query)
    uploads: dict[str, tuple[str, bytes]] = {}
    if kind.startswith("multipart/"):
        async for part in await request.multipart():
            if isinstance(part, aiohttp.BodyPartReader) and part.name is not None:
                if part.filename:
                    uploads[part.name] = (part.filename, bytes(await part.read()))
                else:
                    values[part.name] = await part.text()
    elif kind == "application/x-www-form-urlencoded":
        values |= cast("Mapping[str, object]", await request.post())
    return Asked(values, uploads)


def _refusal(refused: Refused) -> web.Response:
    body: Json = {"ok": False, "error_code": refused.status, "description": refused.description}
    if refused.parameters is not None:
        body["parameters"] = refused.parameters
    return _json(body, refused.status)


def _json(body: Json, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")
