"""Where the desk may fetch from. A canary server on this machine must never hear from it."""

import asyncio
import gzip
import ipaddress
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpcore2
import httpx2
import pytest

from frontdesk.egress import Allowed, CheckedNetwork, Egress, is_public
from frontdesk.errors import AddressRefused, FrontdeskError, TooLarge, Unprocessable


class Canary:
    """A loopback server that counts who knocks and answers what the test says."""

    def __init__(self) -> None:
        self.hits = 0
        self.port = 0
        self.answers: dict[str, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.hits += 1
        request = await reader.readuntil(b"\r\n\r\n")
        path = request.split(b" ")[1].decode()
        writer.write(self.answers.get(path, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def canary() -> AsyncGenerator[Canary]:
    canary = Canary()
    server = await asyncio.start_server(canary.serve, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    async with server:
        yield canary


def answer(body: bytes, *, kind: str = "text/html; charset=utf-8", extra: str = "") -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{extra}\r\n"
    return head.encode() + body


def redirect(target: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def names(**table: str) -> Any:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return [table[host.replace(".", "_")]]

    return lookup


INNER = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.1:{port}/",
    "http://017700000001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://localhost:{port}/",
    "http://localhost.:{port}/",
    "http://LOCALHOST:{port}/",
    "http://desk.localhost:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25lo]:{port}/",
    "http://127.0.0.1:{port}\\@1.1.1.1/",
    "http://1.1.1.1 &@127.0.0.1:{port}# @3.3.3.3/",
    "http://user:word@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http:\\\\127.0.0.1:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "//127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "file:///etc/passwd",
    "unix:///run/docker.sock",
    "http://127.0.0.1:{port}/\r\nHost: example.com",
    "",
    "http://",
    "http://[::1",
]


@pytest.mark.proves("abuse-6")
@pytest.mark.parametrize("pattern", INNER)
async def test_no_spelling_of_an_inner_address_reaches_it(pattern: str, canary: Canary) -> None:
    with pytest.raises(AddressRefused):
        await Egress().fetch(pattern.format(port=canary.port))
    assert canary.hits == 0


@pytest.mark.proves("abuse-6")
@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "0.0.0.0",
        "192.0.0.8",
        "192.0.2.1",
        "198.18.0.1",
        "192.88.99.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "::10.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::a00:1",
        "2002:a00:1::1",
        "2001:0:a00:1::1",
        "2001:db8::1",
        "100::1",
        "5f00::1",
        "fe80::1%eth0",
    ],
)
def test_an_address_that_is_or_may_lead_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450::1"])
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.proves("abuse-6")
@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/inner", "//localhost:{port}/inner", "http://[::1]:{port}/", "file:///etc/passwd"],
)
async def test_a_redirect_to_an_inner_address_is_not_followed(target: str, canary: Canary) -> None:
    front = Canary()
    front.answers["/"] = redirect(target.format(port=canary.port))
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    egress = Egress(allow=[f"public.example:{port}"], lookup=names(public_example="127.0.0.1", localhost="127.0.0.1"))
    async with server:
        with pytest.raises(AddressRefused):
            await egress.fetch(f"http://public.example:{port}/")
    assert front.hits == 1
    assert canary.hits == 0


@pytest.mark.proves("abuse-6")
async def test_a_name_that_answers_differently_the_second_time_gains_nothing(canary: Canary) -> None:
    answers = iter(["1.1.1.1", "127.0.0.1", "127.0.0.1"])

    async def lookup(host: str, port: int) -> Sequence[str]:
        return [next(answers)]

    egress = Egress(lookup=lookup)
    await egress.check(f"http://rebinding.example:{canary.port}/")
    with pytest.raises(AddressRefused):
        await egress.fetch(f"http://rebinding.example:{canary.port}/")
    assert canary.hits == 0


@pytest.mark.proves("abuse-6")
async def test_a_name_with_one_inner_address_among_public_ones_is_refused(canary: Canary) -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        return ["1.1.1.1", "127.0.0.1"]

    with pytest.raises(AddressRefused):
        await Egress(lookup=lookup).fetch(f"http://mixed.example:{canary.port}/")
    assert canary.hits == 0


async def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    reached: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["1.1.1.1"]

    async def connect(self: object, host: str, *rest: object) -> httpcore2.AsyncNetworkStream:
        reached.append(host)
        raise httpcore2.ConnectError("nobody there")

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    network = CheckedNetwork(Allowed(), lookup)
    with pytest.raises(httpcore2.ConnectError):
        await network.connect_tcp("site.example", 443)
    assert (asked, reached) == (["site.example"], ["1.1.1.1"])


@pytest.mark.proves("abuse-6")
async def test_a_proxy_of_the_environment_is_not_used(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{canary.port}")
    with pytest.raises(AddressRefused):
        await Egress(lookup=names(inner_example="10.0.0.1")).fetch("http://inner.example/")
    assert canary.hits == 0


async def test_an_allowed_host_is_fetched_with_its_type_and_charset(canary: Canary) -> None:
    canary.answers["/page"] = answer(b"<p>hello", kind="Text/HTML; charset=latin-1")
    page = await Egress(allow=[f"127.0.0.1:{canary.port}"]).fetch(f"http://127.0.0.1:{canary.port}/page")
    assert (page.data, page.media_type, page.charset) == (b"<p>hello", "text/html", "latin-1")


async def test_an_allowed_network_is_fetched_and_redirects_lead_to_the_last_address(canary: Canary) -> None:
    canary.answers["/old"] = redirect("/new")
    canary.answers["/new"] = answer(b"here")
    page = await Egress(allow=["127.0.0.0/8"]).fetch(f"http://127.0.0.1:{canary.port}/old")
    assert (page.url, page.data) == (f"http://127.0.0.1:{canary.port}/new", b"here")


async def test_permission_for_one_port_is_none_for_another(canary: Canary) -> None:
    with pytest.raises(AddressRefused):
        await Egress(allow=["127.0.0.1:1"]).fetch(f"http://127.0.0.1:{canary.port}/")
    assert canary.hits == 0


async def test_a_ring_of_redirects_ends(canary: Canary) -> None:
    canary.answers["/"] = redirect("/")
    with pytest.raises(Unprocessable, match="redirects"):
        await Egress(allow=["127.0.0.1"], redirects=3).fetch(f"http://127.0.0.1:{canary.port}/")
    assert canary.hits == 4


@pytest.mark.parametrize("packed", [False, True])
async def test_a_page_that_is_too_large_also_when_unpacked_is_given_up(packed: bool, canary: Canary) -> None:
    body = b"x" * 3_000_000
    extra = "Content-Encoding: gzip\r\n" if packed else ""
    canary.answers["/"] = answer(gzip.compress(body) if packed else body, extra=extra)
    with pytest.raises(TooLarge):
        await Egress(allow=["127.0.0.1"], largest=1_000_000).fetch(f"http://127.0.0.1:{canary.port}/")


async def test_a_packing_that_was_not_asked_for_is_refused(canary: Canary) -> None:
    canary.answers["/"] = answer(b"\x00", extra="Content-Encoding: br\r\n")
    with pytest.raises(Unprocessable):
        await Egress(allow=["127.0.0.1"]).fetch(f"http://127.0.0.1:{canary.port}/")


async def test_a_server_that_hangs_is_given_up() -> None:
    released = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(Unprocessable):
            await Egress(allow=["127.0.0.1"], seconds=0.05).fetch(f"http://127.0.0.1:{port}/")
        released.set()


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "204 No Content"])
async def test_a_page_that_is_not_there_says_its_status(status: str, canary: Canary) -> None:
    canary.answers["/"] = f"HTTP/1.1 {status}\r\nConnection: close\r\n\r\n".encode()
    with pytest.raises(Unprocessable, match=status[:3]):
        await Egress(allow=["127.0.0.1"]).fetch(f"http://127.0.0.1:{canary.port}/")


async def test_an_unknown_host_and_a_closed_port_are_plain_errors() -> None:
    async def lookup(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(FrontdeskError) as unknown:
        await Egress(lookup=lookup).fetch("http://nowhere.example/")
    assert unknown.value.status == 422
    with pytest.raises(Unprocessable):
        await Egress(allow=["127.0.0.1"]).fetch("http://127.0.0.1:1/")


async def test_a_client_for_other_rooms_is_checked_too(canary: Canary) -> None:
    async with Egress().client() as client:
        with pytest.raises(AddressRefused):
            await client.post(f"http://127.0.0.1:{canary.port}/", content=b"{}")
    async with Egress(allow=["127.0.0.1"]).client() as client:
        response = await client.post(f"http://127.0.0.1:{canary.port}/", content=b"{}")
    assert (response.text, canary.hits) == ("hi", 1)
    assert isinstance(response, httpx2.Response)
