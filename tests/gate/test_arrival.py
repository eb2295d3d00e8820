"""What a request says about where it comes from, and how much of it is believed."""

import asyncio

import pytest

from frontdesk.gate.arrival import is_inside, limit_key
from frontdesk.messages import Role
from tests.gate.conftest import Open
from tests.gate.desk import GateDesk

CLAIMS = {
    "X-Forwarded-For": "198.51.100.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "Forwarded": "for=198.51.100.1;host=evil.example;proto=https",
    "X-Real-IP": "198.51.100.1",
}


@pytest.mark.proves("abuse-7")
async def test_forwarding_headers_of_a_stranger_are_neither_believed_nor_passed_on(open_gate: Open) -> None:
    desk = open_gate(trusted_proxies=["10.0.0.0/8"])
    async with desk.client("203.0.113.7", headers=CLAIMS) as client:
        seen = (await client.get("/health", headers={"x-api-key": ""})).json()
    assert (seen["address"], seen["origin"]) == ("203.0.113.7", "http://desk.test")
    assert (seen["forwarded"], seen["host"]) == ([], "desk.test")


async def test_a_trusted_proxy_is_believed_back_to_the_first_address_that_is_not_one(open_gate: Open) -> None:
    desk = open_gate(trusted_proxies=["10.0.0.0/8"])
    headers = {
        "X-Forwarded-For": "192.0.2.66, 198.51.100.1, 10.1.1.1",
        "X-Forwarded-Host": "desk.example",
        "X-Forwarded-Proto": "https",
    }
    async with desk.client("10.0.0.1", headers=headers) as client:
        seen = (await client.get("/health")).json()
    assert (seen["address"], seen["origin"], seen["host"]) == ("198.51.100.1", "https://desk.example", "desk.example")


@pytest.mark.proves("abuse-7")
async def test_a_link_bears_the_public_address_whatever_the_request_says(open_gate: Open) -> None:
    desk = open_gate(public_url="https://desk.example/", trusted_proxies=["10.0.0.0/8"])
    owner = await desk.token(await desk.person(Role.OWNER))
    async with desk.client("10.0.0.1", headers={**owner, "X-Forwarded-Host": "evil.example"}) as client:
        link = (await client.post("/api/v1/people", json={"name": "Ben"})).json()["link"]
    assert link.startswith("https://desk.example/sign-in#token=")


@pytest.mark.parametrize("host", ["", "desk.test/evil", "a b", 'x"><script>', "desk.test:999999", "@evil"])
async def test_a_host_that_is_none_is_refused(desk: GateDesk, host: str) -> None:
    async with desk.client() as client:
        assert (await client.get("/health", headers={"Host": host})).status_code == 400


async def test_metrics_are_read_from_inside_and_not_through_a_proxy(open_gate: Open) -> None:
    desk = open_gate(trusted_proxies=["10.0.0.0/8"])
    for address, headers, status in (
        ("127.0.0.1", {}, 200),
        ("10.0.0.9", {}, 200),
        ("203.0.113.7", {}, 404),
        ("10.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
    ):
        async with desk.client(address, headers=headers) as client:
            assert (await client.get("/metrics")).status_code == status, (address, headers)


def test_addresses_are_counted_as_what_one_party_holds() -> None:
    assert limit_key("::ffff:203.0.113.7") == limit_key("203.0.113.7") == "address:203.0.113.7"
    assert limit_key("2001:db8::1") == limit_key("2001:db8::ffff") != limit_key("2001:db8:0:1::1")
    assert limit_key("not an address") == "address:unknown"
    assert [is_inside(a) for a in ("::1", "::ffff:10.0.0.1", "8.8.8.8", "::ffff:8.8.8.8", "x")] == [
        *(True, True, False, False, False)
    ]


# --- bodies that stream in --------------------------------------------------


class Upload:
    """A caller that sends its body by and by, straight through ASGI."""

    def __init__(self, desk: GateDesk, key: str, chunks: list[bytes], *, ends: bool) -> None:
        self._desk = desk
        self._chunks = chunks
        self._ends = ends
        self.asked = 0
        self.sent: list[dict[str, object]] = []
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/api/v1/chat",
            "raw_path": b"/api/v1/chat",
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"desk.test"),
                (b"x-api-key", key.encode()),
                (b"transfer-encoding", b"chunked"),
            ],
            "client": ("203.0.113.7", 1),
        }

    async def run(self) -> int:
        """The answer's status."""
        await self._desk.asgi(self._scope, self._receive, self._send)  # type: ignore[arg-type]
        return int(str(self.sent[0]["status"]))

    async def _receive(self) -> dict[str, object]:
        if self.asked < len(self._chunks):
            self.asked += 1
            more = not (self._ends and self.asked == len(self._chunks))
            return {"type": "http.request", "body": self._chunks[self.asked - 1], "more_body": more}
        await asyncio.Event().wait()  # and then nothing more, for ever
        raise AssertionError

    async def _send(self, message: dict[str, object]) -> None:
        self.sent.append(message)


@pytest.mark.proves("abuse-8", "assistant-13")
async def test_a_body_that_grows_over_the_bound_is_refused_while_it_streams(open_gate: Open) -> None:
    desk = open_gate(max_body_bytes=4096)
    key = await desk.key(await desk.person())
    upload = Upload(desk, key, [b"x" * 1024] * 50, ends=True)
    assert await upload.run() == 413
    assert upload.asked == 5, "nothing is read beyond the bound"
    starts = [message for message in upload.sent if message["type"] == "http.response.start"]
    assert len(starts) == 1
    assert (b"connection", b"close") in starts[0]["headers"]  # type: ignore[operator]
    assert await Upload(desk, key, [b"x" * 1024] * 4, ends=True).run() == 200


@pytest.mark.proves("abuse-8")
async def test_a_body_that_does_not_arrive_is_given_up(open_gate: Open) -> None:
    desk = open_gate(body_seconds=0.05)
    upload = Upload(desk, await desk.key(await desk.person()), [b"{", b'"text"'], ends=False)
    async with asyncio.timeout(30):
        assert await upload.run() == 408
    assert b"slow_body" in upload.sent[1]["body"]  # type: ignore[operator]


@pytest.mark.proves("abuse-8")
async def test_a_body_is_not_read_before_its_sender_is_known(desk: GateDesk) -> None:
    upload = Upload(desk, "fd_wrong", [b"x" * 1024] * 10, ends=False)
    assert await upload.run() == 401
    assert upload.asked == 0
