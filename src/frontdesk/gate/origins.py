"""Which pages may call the desk: its own and those of listed origins (CORS). What browsers may do with its answers."""

import re
from collections.abc import Sequence

from frontdesk.gate.arrival import HOST, Arrival
from frontdesk.gate.refusals import ForgeryRefused, Headers, OriginRefused

NOT_FRAMED = "frame-ancestors 'none'"
PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        NOT_FRAMED,
    )
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox"

EVERYWHERE: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
]
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
EXPOSED = (
    b"RateLimit, RateLimit-Policy, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, X-Request-Id"
)
HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,1000}")
MINUTES_OF_PREFLIGHT = 10


def security_headers(path: str, *, production: bool) -> Headers:
    """The headers of every answer under `path`: strict enough that stored script finds nothing to run in."""
    is_data = path.startswith(("/api/", "/v1/"))
    headers = [*EVERYWHERE, (b"content-security-policy", (DATA_POLICY if is_data else PAGE_POLICY).encode())]
    if is_data:
        headers.append((b"cache-control", b"no-store"))
    if production:
        headers.append(STRICT_TRANSPORT)
    return headers


def framed_headers(origins: Sequence[str]) -> dict[str, str]:
    """The headers of a page that pages of exactly these origins may show in a frame, isolated ones among them."""
    ancestors = " ".join(origins) or "'none'"
    return {
        "content-security-policy": PAGE_POLICY.replace(NOT_FRAMED, f"frame-ancestors {ancestors}"),
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "cross-origin",
    }


def framing_headers() -> dict[str, str]:
    """The headers of a page that shows pages of its own origin in frames."""
    return {"content-security-policy": f"{PAGE_POLICY}; frame-src 'self'"}


def exact_origin(origin: str) -> str:
    """The origin in lower case. Raises `ValueError` for anything that is not exactly `scheme://host[:port]`."""
    scheme, _, host = origin.partition("://")
    if scheme not in ("http", "https") or not HOST.fullmatch(host):
        raise ValueError(f"{origin!r} is not an origin: write scheme://host[:port], without a path or *")
    return origin.lower()


class Origins:
    """The listed origins."""

    def __init__(self, allowed: Sequence[str], public_url: str) -> None:
        self._allowed = frozenset(allowed)
        self._public_url = public_url.lower()

    def check(self, arrival: Arrival) -> Headers:
        """The CORS headers of the answer. Raises `OriginRefused` for a page of any other origin."""
        if b"origin" not in arrival.headers:
            return []
        origin = arrival.text(b"origin").lower()
        if origin in (arrival.origin, self._public_url):
            return []
        if origin not in self._allowed:
            raise OriginRefused(f"Pages of {origin[:200]} may not call this desk", where="Origin")
        return [
            (b"access-control-allow-origin", arrival.headers[b"origin"]),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", EXPOSED),
            (b"vary", b"Origin"),
        ]

    def check_forgery(self, arrival: Arrival) -> None:
        """Raise `ForgeryRefused` for an unsafe call with a cookie that another site's page could have made.

        The header cannot be set across origins without a preflight, which only listed origins pass.
        """
        if arrival.is_safe:
            return
        site = arrival.text(b"sec-fetch-site")
        if arrival.headers.get(b"x-frontdesk") != b"1":
            raise ForgeryRefused("A call with a cookie must come from the desk's own pages", where="X-Frontdesk")
        if b"origin" not in arrival.headers and site not in ("", "same-origin", "none"):
            raise ForgeryRefused("Another site's page made this call", where="Sec-Fetch-Site")


def is_preflight(arrival: Arrival) -> bool:
    """Whether a browser asks if a page may call (Fetch standard, CORS-preflight request)."""
    return (
        arrival.method == "OPTIONS"
        and b"origin" in arrival.headers
        and b"access-control-request-method" in arrival.headers
    )


def preflight_headers(arrival: Arrival, methods: Sequence[str]) -> Headers:
    """What an allowed page may send."""
    wanted = arrival.text(b"access-control-request-headers")
    return [
        (b"access-control-allow-methods", ", ".join(methods).encode()),
        (b"access-control-allow-headers", wanted.encode() if HEADER_NAMES.fullmatch(wanted) else b""),
        (b"access-control-max-age", str(MINUTES_OF_PREFLIGHT * 60).encode()),
    ]
