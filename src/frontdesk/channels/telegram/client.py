"""The Bot API over HTTP: one call, its answer, and failures told apart by what they mean for the caller.

The token is part of every address (https://core.telegram.org/bots/api#making-requests). So no error of the HTTP client,
which might quote the address, leaves this file: each becomes one of ours, which names the method alone.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from frontdesk.errors import TelegramTokenRefused
from frontdesk.telemetry import metrics

T = TypeVar("T")

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 15.0  # less than Telegram keeps an idle line open, so that no call is written into a closed one
LARGEST_ANSWER = 32 * 1024 * 1024  # bytes; a hundred updates stay far below
BLOCK = 65_536


class CallFailed(Exception):  # a client's report; who calls decides what becomes of it
    """A call of `method` did not succeed. `reason` is a name for logs and rows."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")
        self.method = method
        self.reason = reason


class Refused(CallFailed):
    """Telegram has refused this very call, and always will. `description` is its reason.

    `migrated_to` is the chat to use instead: its group has become a supergroup.
    """

    def __init__(self, method: str, status: int, description: str, migrated_to: int | None = None) -> None:
        super().__init__(method, f"status_{status}")
        self.status = status
        self.description = description
        self.migrated_to = migrated_to


class LimitReached(CallFailed):
    """Too many calls: Telegram takes none of this kind for `retry_after` seconds."""

    def __init__(self, method: str, retry_after: float) -> None:
        super().__init__(method, "rate_limited")
        self.retry_after = retry_after


class NotReached(CallFailed):
    """No connection came about, so Telegram knows nothing of the call."""


class Unclear(CallFailed):
    """The call was made and no answer came, or one that says nothing: it may have had its effect."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file to send along: `field` is the parameter that it fills."""

    field: str
    name: str
    media_type: str
    data: bytes


class _Parameters(msgspec.Struct, frozen=True, kw_only=True):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#making-requests"""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error_code: int = 0
    description: str = ""
    parameters: _Parameters = _Parameters()


class TelegramClient:
    """One bot at one Bot API server (`address`; Telegram's own is `https://api.telegram.org`).

    All calls raise `CallFailed`, or `TelegramTokenRefused`. `seconds` bounds each from its start to the end of its
    answer.
    """

    def __init__(self, token: str, address: str, *, seconds: float = 15, lines: int = 100) -> None:
        self._calls = f"{address.rstrip('/')}/bot{token}/"
        self._files = f"{address.rstrip('/')}/file/bot{token}/"
        self._seconds = seconds
        self._lines = lines
        self._proxy = _proxy_for(address)
        self._session: aiohttp.ClientSession | None = None
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(_Answer)

    async def call(
        self,
        method: str,
        parameters: msgspec.Struct | None,
        result: type[T],
        *,
        files: Sequence[File] = (),
        seconds: float | None = None,
    ) -> T:
        """Call `method` and read what it returns as a `result`."""
        body = self._encoder.encode({} if parameters is None else parameters)
        data = self._form(body, files) if files else body
        headers = {} if files else {"Content-Type": "application/json"}
        async with self._sent(method, "POST", self._calls + method, data, headers, seconds) as response:
            return self._result(method, response.status, await _whole(method, response, LARGEST_ANSWER), result)

    async def download(self, path: str, *, largest: int) -> bytes:
        """The content of a file (`path` as `getFile` tells it). Raises `Refused` when it is larger than `largest`."""
        async with self._sent("download", "GET", self._files + path, None, {}, None) as response:
            if response.status != 200:
                raise Refused("download", response.status, "the file is not there")
            return await _whole("download", response, largest)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _form(self, body: bytes, files: Sequence[File]) -> aiohttp.FormData:
        form = aiohttp.FormData()
        for name, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items():
            text = bytes(raw).decode()
            form.add_field(name, msgspec.json.decode(raw, type=str) if text.startswith('"') else text)
        for file in files:
            form.add_field(file.field, file.data, filename=file.name, content_type=file.media_type)
        return form

    @asynccontextmanager
    async def _sent(
        self,
        method: str,
        verb: str,
        url: str,
        data: bytes | aiohttp.FormData | None,
        headers: dict[str, str],
        seconds: float | None,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        timeout = aiohttp.ClientTimeout(total=seconds or self._seconds, connect=CONNECT_SECONDS)
        try:
            async with self._open().request(
                verb, url, data=data, headers=headers, timeout=timeout, proxy=self._proxy, allow_redirects=False
            ) as response:
                yield response
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise NotReached(method, type(error).__name__) from None
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unclear(method, type(error).__name__) from None

    def _result(self, method: str, status: int, body: bytes, result: type[T]) -> T:
        try:
            answer = self._decoder.decode(body)
        except msgspec.DecodeError:
            raise Unclear(method, f"status_{status}") from None
        if not answer.ok:
            raise self._failure(method, answer)
        try:
            return msgspec.json.decode(answer.result, type=result)
        except msgspec.DecodeError:
            raise Unclear(method, "unknown_answer") from None

    def _failure(self, method: str, answer: _Answer) -> Exception:
        status, parameters = answer.error_code, answer.parameters
        if status == 401 or (status == 404 and answer.description == "Not Found"):  # 404: no token has this form
            return TelegramTokenRefused("Telegram does not know this bot's token", where="TELEGRAM_BOT_TOKEN")
        if status == 429:
            metrics.telegram_limited.inc()
            return LimitReached(method, parameters.retry_after or 1.0)
        if status >= 500 or status < 400:
            return Unclear(method, f"status_{status}")
        return Refused(method, status, answer.description, parameters.migrate_to_chat_id)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._lines, keepalive_timeout=IDLE_SECONDS)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def _proxy_for(address: str) -> str | None:
    """What the environment names for this address (HTTPS_PROXY and the like). Looked up once: the client library would
    look for each call, and read `~/.netrc` besides."""
    try:
        where = urlsplit(address)
    except ValueError:  # no address: the first call says so
        return None
    return None if proxy_bypass(where.netloc) else getproxies().get(where.scheme)


async def _whole(method: str, response: aiohttp.ClientResponse, largest: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in response.content.iter_chunked(BLOCK):
        size += len(piece)
        if size > largest:
            raise Refused(method, 413, "larger than is taken")
        pieces.append(piece)
    return b"".join(pieces)
