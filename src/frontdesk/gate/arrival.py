"""A request as it reached the desk: the headers that the gate looks at, and the network facts that can be believed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip"}
)
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(slots=True)
class Arrival:
    """What the gate knows before it knows the caller. `headers` are those of the request, by lower-case name."""

    method: str
    path: str
    headers: dict[bytes, bytes]
    address: str
    scheme: str
    host: str
    direct: bool

    @property
    def origin(self) -> str:
        """The desk's own origin, as this caller reached it."""
        return f"{self.scheme}://{self.host}"

    @property
    def is_safe(self) -> bool:
        """Whether the method promises to change nothing."""
        return self.method in SAFE

    def text(self, name: bytes) -> str:
        """A header's text, or nothing."""
        return self.headers.get(name, b"").decode("latin-1")


class Arrivals:
    """Reads requests. What forwarding headers say counts from trusted proxies alone; from others they are removed."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        self._networks = [ip_network(network) for network in trusted_proxies]
        self._trusts = lru_cache(1024)(self._is_trusted)

    def read(self, scope: Scope) -> Arrival:
        """The request in `scope`, whose client, scheme and headers become those that can be believed."""
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(pairs)
        peer: str = scope["client"][0] if scope.get("client") else ""
        scheme: str = scope["scheme"]
        arrival = Arrival(
            method=scope.get("method", "ws"),
            path=scope["path"],
            headers=headers,
            address=peer,
            scheme={"ws": "http", "wss": "https"}.get(scheme, scheme),
            host=_host(headers.get(b"host", b"").decode("latin-1")),
            direct=True,
        )
        if not FORWARDED.isdisjoint(headers):
            self._believe(arrival, peer)
            scope["client"] = (arrival.address, 0)
            scope["scheme"] = arrival.scheme
            scope["headers"] = _rewritten(pairs, arrival.host)
        return arrival

    def _believe(self, arrival: Arrival, peer: str) -> None:
        arrival.direct = False
        if not self._trusts(peer):
            return
        for hop in reversed(arrival.text(b"x-forwarded-for").split(",")):
            if not hop.strip():
                continue
            arrival.address = hop.strip()
            if not self._trusts(arrival.address):
                break
        proto = arrival.text(b"x-forwarded-proto").rpartition(",")[2].strip().lower()
        if proto in ("http", "https"):
            arrival.scheme = proto
        arrival.host = _host(arrival.text(b"x-forwarded-host").rpartition(",")[2].strip()) or arrival.host

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


@lru_cache(4096)
def limit_key(address: str) -> str:
    """What a signed-out caller is counted by: the IPv4 address, or the /64 that an IPv6 address is drawn from."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "address:unknown"
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False)
    return f"address:{parsed}"


INSIDE = tuple(
    ip_network(network)
    for network in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
)


@lru_cache(1024)
def is_inside(address: str) -> bool:
    """Whether the address lies in a private network (RFC 1918, RFC 4193, link-local) or on this machine."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    plain = (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed
    return any(plain in network for network in INSIDE)


def _host(text: str) -> str:
    """The host and port of a header, or nothing if it is not of their form."""
    return text.lower() if HOST.fullmatch(text) else ""


def _rewritten(pairs: list[tuple[bytes, bytes]], host: str) -> list[tuple[bytes, bytes]]:
    """The headers without forwarding ones, and with the host that can be believed."""
    kept = [(name, value) for name, value in pairs if name not in FORWARDED and name != b"host"]
    return [(b"host", host.encode("latin-1")), *kept]
