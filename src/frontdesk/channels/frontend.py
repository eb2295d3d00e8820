"""The pages as a service of their own: it serves them itself and hands everything else on to the desk behind it.

It knows no database, no key and no person. What it hands on stays as it is: bodies and answers flow through as they
come, cookies and the Host stay the caller's, and the desk's gate decides about every call.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator, Sequence

import httpx2
from starlette.routing import BaseRoute, Router
from starlette.types import Message, Receive, Scope, Send

from frontdesk.errors import BadRequest, FrontdeskError
from frontdesk.gate.arrival import FORWARDED, Arrival, Arrivals, is_inside
from frontdesk.gate.body import BoundedBody
from frontdesk.gate.refusals import Headers, nothing_here, refuse

CONNECT_SECONDS = 5.0
PAUSES = (0.05, 0.2, 0.5)  # seconds before it is tried again, where nothing can have been done yet
INSIDE = ("/metrics",)  # for direct callers on private addresses alone
EVENTS = b"text/event-stream"
HOP_BY_HOP = frozenset(  # RFC 9110, section 7.6.1, and what older software sends
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te"),
        *(b"trailer", b"transfer-encoding", b"upgrade"),
    }
)
OURS = frozenset({b"date", b"server"})  # the server of this process says them itself
KIND = "frontdesk.kind"  # in the scope: `page` or `upstream`, the label of metrics


class UpstreamUnavailable(FrontdeskError):
    """The pages are here, and the service that answers everything else is not. Nothing was taken."""

    code = "upstream_unavailable"
    status = 502
    default_hint = "Try again in a moment. Operators: start it, or correct ORCHESTRATOR_URL."


class UpstreamSilent(FrontdeskError):
    """The service behind the pages took the request and did not answer in time."""

    code = "upstream_silent"
    status = 504
    default_hint = "Look whether it was done before you try again."


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Frontend:
    """An ASGI application. `pages` are the addresses that it answers itself, to GET and HEAD.

    `page_headers` go onto these answers. Bodies are bounded by `largest` bytes and `body_seconds`; an upstream that is
    silent for `silence` seconds is given up.
    """

    def __init__(
        self,
        upstream: str,
        pages: Sequence[BaseRoute],
        *,
        trusted_proxies: Sequence[str],
        page_headers: Headers,
        largest: int,
        body_seconds: float,
        silence: float,
    ) -> None:
        self._upstream = httpx2.URL(upstream)
        self._router = Router(pages, default=self._hand_on)
        self._arrivals = Arrivals(trusted_proxies)
        self._page_headers = page_headers
        self._largest = largest
        self._body_seconds = body_seconds
        timeout = httpx2.Timeout(silence, connect=CONNECT_SECONDS)
        self._timeouts = {"timeout": timeout.as_dict()}
        self._kept = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=64))
        # A connection that was kept may be closed at its other end just now. What may be asked twice is asked again
        # then; what must not be gets a connection of its own.
        self._fresh = httpx2.AsyncHTTPTransport(limits=httpx2.Limits(max_keepalive_connections=0))
        self._listening: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._kept.aclose()
        await self._fresh.aclose()

    def end(self) -> None:
        """End the streams by which pages listen: they come back by themselves, where somebody serves."""
        for task in self._listening:
            task.cancel()

    async def check(self) -> None:
        """Whether the desk behind it is ready. Raises `UpstreamUnavailable`."""
        request = httpx2.Request("GET", self._upstream.copy_with(raw_path=b"/ready"), extensions=self._timeouts)
        try:
            response = await self._fresh.handle_async_request(request)
            await response.aclose()
        except httpx2.HTTPError as error:
            raise UpstreamUnavailable("The desk behind the pages is away") from error
        if response.status_code != 200:
            raise UpstreamUnavailable("The desk behind the pages is not ready")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        arrival = self._arrivals.read(scope)
        scope["frontdesk.arrival"] = arrival
        try:
            if arrival.path in INSIDE and not (arrival.direct and is_inside(arrival.address)):
                raise nothing_here()
            if scope["method"] in ("GET", "HEAD"):
                scope[KIND] = "page"
                await self._router(scope, receive, self._as_page(scope, send))
            else:
                await self._hand_on(scope, receive, send)
        except FrontdeskError as error:
            await refuse(error, scope, send, [*self._page_headers, (b"connection", b"close")])
        except ClientGone:
            pass

    def _as_page(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and scope[KIND] == "page":
                message["headers"] = [*message.get("headers", ()), *self._page_headers]
            await send(message)

        return sending

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[KIND] = "upstream"
        body = _Body(receive, limit=self._largest, seconds=self._body_seconds)
        passing = asyncio.create_task(self._pass(scope, body, send), name="pass")
        leaving = asyncio.create_task(body.left(), name="leave")
        try:
            await asyncio.wait([passing, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not passing.done():
                raise ClientGone
            await passing
        finally:
            passing.cancel()
            leaving.cancel()
            await asyncio.gather(passing, leaving, return_exceptions=True)

    async def _pass(self, scope: Scope, body: "_Body", send: Send) -> None:
        response = await self._asked(scope, body)
        try:
            headers = _end_to_end(response.headers.raw, OURS)
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            listens = scope["method"] == "GET" and EVENTS in response.headers.get("content-type", "").encode()
            with self._listens() if listens else contextlib.nullcontext():
                async for chunk in response.aiter_raw():
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await response.aclose()

    @contextlib.contextmanager
    def _listens(self) -> Generator[None]:
        """Whoever is cut off here by `end` gets a proper end of what came so far."""
        task = asyncio.current_task()
        assert task is not None
        self._listening.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task.uncancel() > 0:
                raise
        finally:
            self._listening.discard(task)

    async def _asked(self, scope: Scope, body: "_Body") -> httpx2.Response:
        """The upstream's answer, its body not yet read. Raises `UpstreamUnavailable`, `UpstreamSilent`, `TooLarge`."""
        repeatable = scope["method"] in ("GET", "HEAD", "OPTIONS") and not body.expected(scope)
        transport = self._kept if repeatable else self._fresh
        for pause in (*PAUSES, None):
            try:
                return await transport.handle_async_request(self._request(scope, body))
            except httpx2.ConnectError as error:  # nothing was sent
                if pause is None or body.begun:
                    raise UpstreamUnavailable("The desk behind the pages cannot be reached") from error
            except httpx2.ConnectTimeout as error:
                raise UpstreamUnavailable("The desk behind the pages cannot be reached") from error
            except httpx2.TimeoutException as error:
                raise UpstreamSilent("The desk behind the pages did not answer in time") from error
            except httpx2.TransportError as error:
                if pause is None or not repeatable:
                    raise UpstreamUnavailable("The desk behind the pages broke off before it answered") from error
            await asyncio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _request(self, scope: Scope, body: "_Body") -> httpx2.Request:
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if not path.startswith(b"/"):
            raise BadRequest("The address of the request is no path", where="path")
        query: bytes = scope["query_string"]
        url = self._upstream.copy_with(raw_path=path + (b"?" + query if query else b""))
        content = body.chunks() if body.expected(scope) else None
        headers = _end_to_end(scope["headers"], FORWARDED | {b"x-request-id"}) + _forwarded(scope)
        return httpx2.Request(scope["method"], url, headers=headers, content=content, extensions=self._timeouts)


class _Body:
    """The caller's body on its way through, and whether the caller is still there."""

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._bounded = BoundedBody(receive, limit=limit, seconds=seconds)
        self._complete = asyncio.Event()
        self.begun = False

    def expected(self, scope: Scope) -> bool:
        """Whether the request has a body."""
        names = dict(scope["headers"])
        has = names.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in names
        if not has:
            self._complete.set()
        return has

    async def chunks(self) -> AsyncGenerator[bytes]:
        """What arrives. Raises why it was refused, or `ClientGone`."""
        self.begun = True
        while not self._complete.is_set():
            message = await self._bounded()
            if message["type"] != "http.request":
                raise self._bounded.refused or ClientGone
            if not message.get("more_body", False):
                self._complete.set()
            if chunk := message.get("body", b""):
                yield chunk

    async def left(self) -> None:
        """Return when the caller has gone; while the body still comes, that is noticed there."""
        await self._complete.wait()
        while (await self._bounded())["type"] != "http.disconnect":
            pass


def _end_to_end(headers: Sequence[tuple[bytes, bytes]], without: frozenset[bytes]) -> Headers:
    """The headers that are meant for the other end."""
    named = [value for name, value in headers if name.lower() == b"connection"]
    dropped = HOP_BY_HOP | without | {each.strip().lower() for value in named for each in value.split(b",")}
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def _forwarded(scope: Scope) -> Headers:
    """Who called, as far as it can be believed, and the request's id."""
    arrival: Arrival = scope["frontdesk.arrival"]
    request_id: str = scope.get("state", {}).get("request_id", "")
    found = {
        b"x-forwarded-for": arrival.address,
        b"x-forwarded-proto": arrival.scheme,
        b"x-forwarded-host": arrival.host,
        b"x-request-id": request_id,
    }
    return [(name, value.encode("latin-1")) for name, value in found.items() if value]
