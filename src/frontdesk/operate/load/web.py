"""People who write on the web chat, as visitors, and read each answer as it streams in."""

import aiohttp
import msgspec

from frontdesk.errors import NotFound
from frontdesk.operate.load.tally import Tally, now

HEADERS = {"Accept": "text/event-stream", "Content-Type": "application/json", "X-Frontdesk": "1"}
SECONDS = 120.0  # for a whole answer


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class _Started(msgspec.Struct, frozen=True, kw_only=True):
    conversation_id: str


class _Failed(msgspec.Struct, frozen=True, kw_only=True):
    code: str


class _Person:
    """What a browser keeps: the visitor's cookie and the conversation that is open."""

    cookie: str = ""
    conversation_id: str = ""


class WebPeople:
    """A `Channel`. A person who still reads an answer writes nothing meanwhile."""

    def __init__(self, address: str, tally: Tally) -> None:
        self._address = address
        self._tally = tally
        self._people: dict[int, _Person] = {}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar(), read_bufsize=2**12
        )

    async def open(self) -> None:
        try:
            async with self._http.get(f"{self._address}/health", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError):
            await self._http.close()
            raise NotFound("No desk answers there", where=self._address, hint="Start it: frontdesk up") from None

    async def say(self, person: int, number: int, text: str) -> None:
        browser = self._people.setdefault(person, _Person())
        self._tally.said(number, now())
        try:
            await self._ask(browser, number, text)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._tally.failed(number, type(error).__name__)

    async def close(self) -> None:
        await self._http.close()

    async def _ask(self, browser: _Person, number: int, text: str) -> None:
        body = {"text": text} | ({"conversation_id": browser.conversation_id} if browser.conversation_id else {})
        headers = HEADERS | ({"Cookie": browser.cookie} if browser.cookie else {})
        async with self._http.post(
            f"{self._address}/api/v1/chat",
            data=msgspec.json.encode(body),
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=SECONDS),
        ) as answer:
            if answer.status != 200:
                self._tally.failed(number, f"status_{answer.status}")
                return
            if "fd_visitor" in answer.cookies:
                browser.cookie = f"fd_visitor={answer.cookies['fd_visitor'].value}"
            await self._read(browser, number, answer)

    async def _read(self, browser: _Person, number: int, answer: aiohttp.ClientResponse) -> None:
        said, rest = "", b""
        async for piece in answer.content.iter_any():
            *frames, rest = (rest + piece).split(b"\n\n")
            for frame in frames:
                tag, _, value = frame.partition(b"event: ")[2].partition(b"\ndata: ")
                if tag == b"text.added":
                    self._tally.began(number, now())
                    said += msgspec.json.decode(value, type=_Text).text
                elif tag == b"turn.started":
                    browser.conversation_id = msgspec.json.decode(value, type=_Started).conversation_id
                elif tag == b"turn.finished":
                    self._tally.replied(said, now())
                elif tag == b"turn.failed":
                    self._tally.failed(number, msgspec.json.decode(value, type=_Failed).code)
