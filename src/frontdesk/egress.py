"""The one HTTP client for addresses that come from users or from content.

Names are looked up here, every address that they stand for is checked, and the connection is made to a checked address,
so that a name which answers differently the second time gains nothing. The check sits in the network layer and thus
holds for every hop of every redirect, whatever a URL parser made of the address. TLS still names the host.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urljoin

import httpcore2
import httpx2
import msgspec

from frontdesk.errors import AddressRefused, TooLarge, Unprocessable

T = TypeVar("T")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]

# What `is_global` of the standard library lets through, although it leads or may lead to inner networks.
_TUNNELS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96",  # NAT64, RFC 6052
        "64:ff9b:1::/48",  # local NAT64, RFC 8215
        "2002::/16",  # 6to4, RFC 3056
        "2001::/32",  # Teredo, RFC 4380
        "::/96",  # IPv4-compatible, RFC 4291
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated, RFC 2765
        "fec0::/10",  # site-local, RFC 3879
        "5f00::/16",  # segment routing, RFC 9602
        "192.0.0.0/24",  # protocol assignments, RFC 6890
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
    )
)
_FORBIDDEN_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_ODD_HOST = re.compile(r"(?:.*\.)?(?:0x[0-9a-f]*|\d+|localhost)")
_HEADERS = {"User-Agent": "Frontdesk", "Accept-Encoding": "gzip"}
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})  # a chunk of these swells a thousandfold at most
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What stood at an address. `url` is where the last redirect led."""

    url: str
    media_type: str
    charset: str | None
    data: bytes


def is_public(address: Address) -> bool:
    """Whether the desk may connect to this address: global unicast that is no tunnel to another one."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _TUNNELS)


class Allowed:
    """What an owner permits beyond public addresses: `host`, `host:port`, an address or a network (`10.0.0.0/8`)."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[Network] = []
        for entry in entries:
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(entry.lower())

    def host(self, host: str, port: int) -> bool:
        """Whether the name itself is permitted, wherever it leads."""
        return host in self._hosts or f"{host}:{port}" in self._hosts

    def address(self, address: Address) -> bool:
        """Whether the address is permitted."""
        return any(address.version == network.version and address in network for network in self._networks)


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, allowed: Allowed, lookup: Lookup) -> None:
        self._allowed = allowed
        self._lookup = lookup
        self._inner = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())  # untyped where anyio may lack

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses that `host` stands for. Raises `AddressRefused` when any of them is not to be visited."""
        name = host.strip("[]").lower().rstrip(".")
        if not _is_address(name) and _ODD_HOST.fullmatch(name) and not self._allowed.host(name, port):
            raise AddressRefused("A host written as a number, or of this machine, is not fetched", where=host)
        try:
            found = [name] if _is_address(name) else list(await self._lookup(name, port))
        except OSError as error:
            raise Unprocessable("No such host", where=host, hint="Check the address for typing errors.") from error
        if self._allowed.host(name, port):
            return found
        for text in found:
            address = ipaddress.ip_address(text)
            if not (is_public(address) or self._allowed.address(address)):
                raise AddressRefused("The address leads to an inner network", where=host)
        if not found:
            raise Unprocessable("No such host", where=host)
        return found

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of `host` that answers."""
        problem: Exception | None = None
        for address in await self.addresses(host, port):
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem or httpcore2.ConnectError("No address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 the signature is httpcore's
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Never."""
        raise AddressRefused("Sockets of this machine are not fetched", where=path)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class CheckedTransport(httpx2.AsyncBaseTransport):
    """The transport of every client made here."""

    def __init__(self, network: CheckedNetwork) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(), max_connections=20, keepalive_expiry=5, network_backend=network
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        check_url(str(request.url))
        if not isinstance(request.stream, httpx2.AsyncByteStream):
            raise TypeError("An asynchronous client sends asynchronous bodies")
        target = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        response = await _as_httpx(
            self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=target,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        )
        return httpx2.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=cast("Any", response).extensions,  # httpcore leaves its type open
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._response.aiter_stream()
        while True:
            try:
                chunk = await _as_httpx(anext(chunks))
            except StopAsyncIteration:
                return
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class Egress:
    """Fetches pages of the public web, bounded in bytes, seconds and redirects."""

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        seconds: float = 30,
        largest: int = 20_000_000,
        redirects: int = 5,
        lookup: Lookup | None = None,
    ) -> None:
        self._network = CheckedNetwork(Allowed(allow), lookup or look_up)
        self._seconds = seconds
        self._largest = largest
        self._redirects = redirects

    async def check(self, url: str) -> None:
        """Raise `AddressRefused` when `url` must not be visited, as far as its form and its name tell now."""
        parsed = check_url(url)
        await self._network.addresses(parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80))

    def client(
        self, *, headers: dict[str, str] | None = None, seconds: float | None = None, follow: bool = False
    ) -> httpx2.AsyncClient:
        """A client whose every connection is checked. It reads no proxy settings from the environment."""
        return httpx2.AsyncClient(
            transport=CheckedTransport(self._network),
            trust_env=False,
            headers=headers,
            timeout=seconds or self._seconds,
            follow_redirects=follow,
            max_redirects=self._redirects,
        )

    async def fetch(self, url: str) -> Page:
        """What stands at `url`.

        Raises `AddressRefused`, `TooLarge`, or `Unprocessable` when it does not answer as a page should.
        """
        check_url(url)
        try:
            async with asyncio.timeout(self._seconds), self.client() as client:
                return await self._follow(client, url)
        except TimeoutError as error:
            raise Unprocessable(f"No complete answer within {self._seconds:g} seconds", where=url) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            raise Unprocessable(f"It cannot be fetched: {error or type(error).__name__}", where=url) from error

    async def _follow(self, client: httpx2.AsyncClient, url: str) -> Page:
        for _ in range(self._redirects + 1):
            async with client.stream("GET", url, headers=_HEADERS) as response:
                if response.status_code in REDIRECTS and "location" in response.headers:
                    url = urljoin(url, response.headers["location"])
                    check_url(url)
                    continue
                if response.status_code != 200:
                    raise Unprocessable(f"The page answers with status {response.status_code}", where=url)
                if response.headers.get("content-encoding", "").strip().lower() not in _ENCODINGS:
                    raise Unprocessable("The page is packed in a way that was not asked for", where=url)
                media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                data = await self._read(response, url)
                return Page(url=url, media_type=media_type, charset=response.charset_encoding, data=data)
        raise Unprocessable(f"More than {self._redirects} redirects", where=url)

    async def _read(self, response: httpx2.Response, url: str) -> bytes:
        data = bytearray()
        async for chunk in response.aiter_bytes(65536):  # after decompression, so that a bomb is bounded too
            data += chunk
            if len(data) > self._largest:
                raise TooLarge(f"The page is larger than {self._largest // 1_000_000} MB", where=url)
        return bytes(data)


def check_url(url: str) -> httpx2.URL:
    """The address, if its form leaves no doubt about the host. Raises `AddressRefused`."""
    if _FORBIDDEN_IN_URL.search(url):
        raise AddressRefused("The address holds blanks or backslashes", where=url)
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise AddressRefused("This is not an address", where=url) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise AddressRefused("Only http and https addresses are fetched", where=url)
    if parsed.userinfo:
        raise AddressRefused("An address with a name or password in it is not fetched", where=url)
    return parsed


async def look_up(host: str, port: int) -> list[str]:
    """All addresses of a name, from the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


_ERRORS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (httpcore2.ConnectTimeout, httpx2.ConnectTimeout),
    (httpcore2.PoolTimeout, httpx2.PoolTimeout),
    (httpcore2.WriteTimeout, httpx2.WriteTimeout),
    (httpcore2.TimeoutException, httpx2.ReadTimeout),
    (httpcore2.ConnectError, httpx2.ConnectError),
    (httpcore2.NetworkError, httpx2.ReadError),
    (httpcore2.LocalProtocolError, httpx2.LocalProtocolError),
    (httpcore2.ProtocolError, httpx2.RemoteProtocolError),
)


async def _as_httpx(work: Awaitable[T]) -> T:
    try:
        return await work
    except tuple(inner for inner, _ in _ERRORS) as error:
        outer = next(outer for inner, outer in _ERRORS if isinstance(error, inner))
        raise outer(str(error) or type(error).__name__) from error
