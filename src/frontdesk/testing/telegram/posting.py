"""How updates leave Telegram: posted to the webhook, again until it says 2xx, or fetched by long polling."""

import asyncio
import contextlib
import random
import re
from collections import deque
from collections.abc import Coroutine, Sequence

import aiohttp
import msgspec

from frontdesk.testing.telegram.methods import Asked
from frontdesk.testing.telegram.world import Json, Refused, World

PATIENCE = 60.0  # seconds that Telegram waits for a webhook's answer
AGAIN = (0.1, 60.0)  # seconds before the first repetition of a post, and the most; each further one waits twice as long
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 a name, no secret
PORTS = ("443", "80", "88", "8443")


class Posting:
    """Updates on their way. Those of a chat leave in order; other chats do not wait for them.

    `held` keeps them until `release`, as when the desk was away; `strict` refuses webhooks that are not on https.
    """

    def __init__(self, world: World, *, strict: bool = False) -> None:
        self._world = world
        self._strict = strict
        self._ids = 100_000
        self.pending: dict[int, tuple[int, bytes]] = {}  # update id → chat, body
        self.bodies: dict[int, bytes] = {}  # every update that there ever was
        self.delivered: dict[int, int] = {}  # update id → how often the webhook said 2xx
        self.answers: list[tuple[int, int, float]] = []  # update id, status (0: none), seconds
        self.held = False
        self.url = ""
        self.secret = ""
        self.last_error = ""
        self.polls = 0
        self._lines: dict[int, deque[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(40)
        self._session: aiohttp.ClientSession | None = None
        self._polling: asyncio.Future[None] | None = None
        self._arrived = asyncio.Event()

    def put(self, chat: int, content: Json, *, update_id: int | None = None) -> int:
        """Send an update on its way; its id."""
        self._ids += 1
        number = self._ids if update_id is None else update_id
        body = self.bodies[number] = msgspec.json.encode({"update_id": number, **content})
        self.pending[number] = (chat, body)
        self._arrived.set()
        if self.url and not self.held:
            self._line_up(number)
        return number

    def repeat(self, update_id: int) -> None:
        """Post the update once more, at the same time as before, as Telegram does when an answer was lost."""
        if self.url:
            self._start(self._post_until_taken(update_id, self.bodies[update_id]))

    async def release(self, chance: random.Random | None = None, *, copies: int = 1) -> None:
        """Deliver what was held. With `chance`: shuffled, each 1 to `copies` times, regardless of chats."""
        self.held = False
        numbers = sorted(self.pending)
        if chance is None:
            for number in numbers:
                self._line_up(number)
            return
        many = [number for number in numbers for _ in range(chance.randint(1, copies))]
        chance.shuffle(many)
        bodies = {number: self.pending[number][1] for number in numbers}
        async with asyncio.TaskGroup() as group:
            for number in many:
                group.create_task(self._post_until_taken(number, bodies[number]))

    async def post(self, body: bytes, *, secret: str | None = None, url: str = "") -> int:
        """Post any bytes to the webhook (or another instance's) once, as a forger may; the status."""
        headers = {"Content-Type": "application/json", SECRET_HEADER: self.secret if secret is None else secret}
        async with self._client().post(url or self.url, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status

    def set_webhook(self, asked: Asked) -> bool:
        """`setWebhook`."""
        url, secret = asked.text("url"), asked.text("secret_token")
        if secret and not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", secret):
            raise Refused(400, "Bad Request: secret token contains unallowed characters")
        if url and not url.startswith(
            "https://" if self._strict else ("https://", "http://127.0.0.1", "http://localhost")
        ):
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        port = re.match(r"https://[^/:]+:(\d+)", url)
        if port and port[1] not in PORTS:
            raise Refused(400, "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
        self.url, self.secret = url, secret
        self._connections = asyncio.Semaphore(asked.number("max_connections") or 40)
        self._end_poll()
        if asked.values.get("drop_pending_updates"):
            self.pending.clear()
        if url and not self.held:
            for number in sorted(self.pending):
                self._line_up(number)
        return True

    def delete_webhook(self, asked: Asked) -> bool:
        """`deleteWebhook`."""
        return self.set_webhook(Asked({"drop_pending_updates": asked.values.get("drop_pending_updates")}))

    def webhook_info(self) -> Json:
        """`getWebhookInfo`."""
        info: Json = {
            "url": self.url,
            "has_custom_certificate": False,
            "pending_update_count": len(self.pending),
            "max_connections": 40,
        }
        return info | ({"last_error_message": self.last_error} if self.last_error else {})

    async def get_updates(self, asked: Asked) -> Sequence[msgspec.Raw]:
        """`getUpdates`: confirms what lies before `offset` and waits up to `timeout` seconds for more."""
        if self.url:
            words = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise Refused(409, f"Conflict: {words}")
        self._end_poll()
        self.polls += 1
        mine = self._polling = asyncio.get_running_loop().create_future()
        offset, limit = asked.number("offset") or 0, asked.number("limit") or 100
        for number in [number for number in self.pending if number < offset]:
            del self.pending[number]
            self.delivered[number] = self.delivered.get(number, 0) + 1
        self._world.tell(0, "polled", {})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(asked.number("timeout") or 0, 50)):
                while (self.held or not self.pending) and not mine.done():
                    self._arrived.clear()
                    await self._arrived.wait()
        if mine.done():
            words = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise Refused(409, f"Conflict: {words}")
        numbers = [] if self.held else sorted(self.pending)[:limit]
        return [msgspec.Raw(self.pending[number][1]) for number in numbers]

    async def close(self) -> None:
        """Deliver no more."""
        self._end_poll()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _end_poll(self) -> None:
        if self._polling is not None and not self._polling.done():
            self._polling.set_result(None)
            self._arrived.set()

    def _line_up(self, number: int) -> None:
        chat, _ = self.pending[number]
        if chat in self._lines:
            self._lines[chat].append(number)
            return
        self._lines[chat] = deque([number])
        self._start(self._drain(chat))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _drain(self, chat: int) -> None:
        line = self._lines[chat]
        try:
            while line:
                number = line.popleft()
                if number in self.pending:
                    await self._post_until_taken(number, self.pending[number][1])
        finally:
            del self._lines[chat]

    async def _post_until_taken(self, number: int, body: bytes) -> None:
        wait, most = AGAIN
        while self.url and not self.held:
            if 200 <= await self._post_once(number, body) < 300:
                self.pending.pop(number, None)
                self.delivered[number] = self.delivered.get(number, 0) + 1
                self._world.tell(0, "delivered", {"update_id": number})
                return
            await asyncio.sleep(wait)
            wait = min(most, wait * 2)

    async def _post_once(self, number: int, body: bytes) -> int:
        loop = asyncio.get_running_loop()
        status, begun = 0, loop.time()
        async with self._connections:
            begun = loop.time()
            try:
                async with asyncio.timeout(PATIENCE):
                    status = await self.post(body)
                self.last_error = "" if status < 300 else f"Wrong response from the webhook: {status}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.last_error = f"Connection failed: {type(error).__name__}"
        self.answers.append((number, status, loop.time() - begun))
        self._world.tell(0, "posted", {"update_id": number, "status": status})
        return status

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self._session
