"""People who write by a stand-in for Telegram, which runs as a process of its own and is steered over HTTP.

`python -m frontdesk.testing.telegram` runs it; its module `loading` describes what is asked of it here.
"""

import asyncio

import aiohttp
import msgspec

from frontdesk.errors import NotFound
from frontdesk.operate.load.tally import NUMBER, Tally

FIRST_CHAT = 1_000_000


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    text: str
    at: float


class _Webhook(msgspec.Struct, frozen=True, kw_only=True):
    seconds: list[float]


class TelegramPeople:
    """A `Channel`. Each person has a chat of their own with the bot."""

    def __init__(self, address: str, tally: Tally) -> None:
        self._address = address
        self._tally = tally
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._events: aiohttp.ClientResponse | None = None
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        try:
            self._events = await self._http.get(
                f"{self._address}/load/events", timeout=aiohttp.ClientTimeout(total=None, connect=5)
            )
            self._events.raise_for_status()
        except aiohttp.ClientError:
            await self.close()
            hint = "`python -m frontdesk.testing.telegram` starts it, and prints what to set for the desk."
            raise NotFound("No stand-in for Telegram answers there", where=self._address, hint=hint) from None
        self._listening = asyncio.create_task(self._listen(self._events), name="load-telegram")

    async def say(self, person: int, number: int, text: str) -> None:
        body = msgspec.json.encode({"messages": [{"chat": FIRST_CHAT + person, "text": text}]})
        async with self._http.post(f"{self._address}/load/say", data=body) as answer:
            answer.raise_for_status()

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            async with self._http.get(f"{self._address}/load/webhook") as answer:
                self._tally.webhook = msgspec.json.decode(await answer.read(), type=_Webhook).seconds
        if self._events is not None:
            self._events.close()
        await self._http.close()

    async def _listen(self, events: aiohttp.ClientResponse) -> None:
        decoder = msgspec.json.Decoder(_Event)
        async for line in events.content:
            event = decoder.decode(line)
            if event.kind == "said" and (found := NUMBER.search(event.text)):
                self._tally.said(int(found[1]), event.at)
            elif event.kind == "sent":
                self._tally.replied(event.text, event.at)
