"""HTTP to MCP servers: one call's trouble stays that call's, and answers are bounded.

The MCP client reads a raised network error as the end of the whole connection, with all calls in flight. So what goes
wrong with one request becomes a JSON-RPC error that answers this request alone. Addresses come from the deployment, so
inner networks are fine; redirects never leave the server's origin (the MCP client sees to that).
"""

from collections.abc import AsyncIterator

import httpx2
import msgspec

# JSON-RPC error codes of our own, in the range that the specification leaves to implementations.
NOT_SENT = -32080  # the server was not reached: the call did not happen
REFUSED = -32081  # the server does not take our token: the call did not happen
SESSION_GONE = -32082  # the server has forgotten our session: the call did not happen
BROKEN = -32083  # the connection broke: whether the call happened is not known
UNREADABLE = -32084  # the answer came in a form that we do not read

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def http_client(*, token: str | None, parallel: int, connect_seconds: float, answer_bytes: int) -> httpx2.AsyncClient:
    """A client that sends `token` as bearer token and never uses a proxy."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "frontdesk"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    limits = httpx2.Limits(max_connections=parallel + 4, max_keepalive_connections=parallel + 4)
    return httpx2.AsyncClient(
        headers=headers,
        timeout=httpx2.Timeout(connect_seconds, read=300, pool=connect_seconds),
        transport=ContainedTransport(httpx2.AsyncHTTPTransport(limits=limits), answer_bytes),
    )


class ContainedTransport(httpx2.AsyncBaseTransport):
    """Turns failures of a POST into JSON-RPC errors that answer it, and bounds what is read."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, answer_bytes: int) -> None:
        self._inner = inner
        self._limit = answer_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST":
            return await self._inner.handle_async_request(request)
        try:
            response = await self._inner.handle_async_request(request)
        except _NEVER_SENT as error:
            return _error(request, NOT_SENT, f"The server cannot be reached ({type(error).__name__})")
        except httpx2.TransportError as error:
            return _error(request, BROKEN, f"The connection broke ({type(error).__name__})")
        code, text = _verdict(request, response)
        if code:
            await response.aclose()
            return _error(request, code, text)
        if not isinstance(response.stream, httpx2.AsyncByteStream):
            return response
        is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        limit = None if is_stream else self._limit  # the client bounds each event of a stream itself
        body = _Bounded(response.stream, limit)
        return httpx2.Response(
            response.status_code, headers=response.headers, stream=body, extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends in `StreamError`, which the MCP client contains, where it breaks or grows too large."""

    def __init__(self, inner: httpx2.AsyncByteStream, limit: int | None) -> None:
        self._inner = inner
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for chunk in self._inner:
                size += len(chunk)
                if self._limit is not None and size > self._limit:
                    raise httpx2.StreamError(f"the answer is larger than {self._limit} bytes")
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"the connection broke ({type(error).__name__})") from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def _verdict(request: httpx2.Request, response: httpx2.Response) -> tuple[int, str]:
    status = response.status_code
    if status in (401, 403):
        return REFUSED, f"The server does not take the desk's service token ({status})"
    if status == 404 and "mcp-session-id" in request.headers:
        return SESSION_GONE, "The server has forgotten the session"
    if response.headers.get("content-encoding", "identity") != "identity":
        return UNREADABLE, "The server packs its answers though it was asked not to"
    return 0, ""


def _error(request: httpx2.Request, code: int, text: str) -> httpx2.Response:
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": text}})
    return httpx2.Response(502, headers={"content-type": "application/json"}, content=body, request=request)
