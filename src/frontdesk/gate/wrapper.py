"""The gate: an ASGI application round the desk's. It decides who may do what; nothing behind it does.

In this order: is there such an address, does the body fit, may this page call, could the call be forged, who calls, are
they allowed, is there room in their limits. What passes is handed on with its caller (`gate.caller`). Acts that the
policy names are in the audit log before their answer leaves.
"""

import hmac
import math
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontdesk.errors import BadRequest, Forbidden, FrontdeskError, NotSignedIn
from frontdesk.gate.arrival import Arrival, Arrivals, is_inside, limit_key
from frontdesk.gate.body import BoundedBody, too_large
from frontdesk.gate.caller import ADDRESS, CALLER, ORIGIN, RULE, SUBJECT
from frontdesk.gate.identity import VISITOR_COOKIE, Identity, credential_of
from frontdesk.gate.limits import WindowFull
from frontdesk.gate.options import GateOptions
from frontdesk.gate.origins import Origins, is_preflight, preflight_headers, security_headers
from frontdesk.gate.policy import Policy, Rule, at_least
from frontdesk.gate.refusals import Headers, MethodNotAllowed, nothing_here, refuse
from frontdesk.messages import Caller, Role
from frontdesk.ports import Ids, Limiter, LimitState
from frontdesk.store.audit import Act, Audit

OWN_COOKIES = (b"fd_session=", b"fd_refresh=", b"fd_visitor=")
REPEATED = (b"set-cookie", b"vary")
VISITOR_SECONDS = 365 * 24 * 3600
FREE = ("visitor", "widget")  # anybody gets as many of these as they like: they are counted by address


@dataclass(slots=True)
class Pass:
    """What the gate has found out so far; `headers` go onto the answer, whatever it is."""

    headers: Headers = field(default_factory=list[tuple[bytes, bytes]])
    rule: Rule | None = None
    caller: Caller | None = None


class Gate:
    """Wraps an ASGI application. `limits` counts by the policy's limit names (`calls`, `sign_in`); empty: no limits.

    `address_key` keys the hashes of addresses in the audit log. In production cookies are secure and HTTPS is demanded.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        options: GateOptions,
        policy: Policy,
        identity: Identity,
        limits: dict[str, Limiter],
        audit: Audit,
        ids: Ids,
        address_key: bytes,
        production: bool,
    ) -> None:
        self._app = app
        self._options = options
        self._policy = policy
        self._identity = identity
        self._limits = limits
        self._audit = audit
        self._ids = ids
        self._address_key = address_key
        self._production = production
        self._arrivals = Arrivals(options.trusted_proxies)
        self._origins = Origins(options.allowed_origins, options.public_url)
        self._page_headers = security_headers("/", production=production)
        self._data_headers = security_headers("/api/", production=production)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        arrival = self._arrivals.read(scope)
        path = arrival.path
        found = Pass(headers=list(self._data_headers if path.startswith(("/api/", "/v1/")) else self._page_headers))
        try:
            answered = await self._admit(arrival, found, scope, send)
        except FrontdeskError as error:
            await self._refuse(error, arrival, found, scope, send)
            return
        if not answered:
            await self._hand_on(arrival, found, scope, receive, send)

    async def _admit(self, arrival: Arrival, found: Pass, scope: Scope, send: Send) -> bool:
        """Let the call pass, or raise why not. True when the gate has answered by itself."""
        rules = self._policy.find(arrival.path)
        rule = (rules or {}).get(arrival.method)
        if rule is not None and rule.who == "inside" and not (arrival.direct and is_inside(arrival.address)):
            rules = None
        if rules is None or not arrival.host:
            raise nothing_here() if rules is None else BadRequest("The Host header is missing or wrong", where="Host")
        found.rule = scope[RULE] = rule
        self._check_size(arrival, rule)
        found.headers += self._origins.check(arrival)
        if arrival.method == "OPTIONS" and rule is None:
            await self._answer_options(arrival, found, tuple(rules), send)
            return True
        if rule is None:
            found.headers.append((b"allow", ", ".join(rules).encode()))
            raise MethodNotAllowed("This address does not take that method", where=arrival.method)
        if rule.who not in ("public", "inside"):
            found.caller = await self._recognise(arrival, found, rule)
            self._check_rights(rule, found.caller)
        if rule.limit != "-":
            await self._count(rule.limit, arrival, found)
        if found.caller is not None and found.caller.credential in FREE and not arrival.is_safe:
            await self._identity.settle(found.caller)
        scope[CALLER], scope[ADDRESS], scope[ORIGIN] = found.caller, arrival.address, self._own_origin(arrival)
        return False

    def _check_size(self, arrival: Arrival, rule: Rule | None) -> None:
        length = arrival.headers.get(b"content-length")
        limit = self._limit_of(rule)
        if length is not None and (not length.isdigit() or int(length) > limit):
            raise too_large(limit)

    def _limit_of(self, rule: Rule | None) -> int:
        is_upload = rule is not None and rule.body == "upload"
        return self._options.max_upload_bytes if is_upload else self._options.max_body_bytes

    async def _recognise(self, arrival: Arrival, found: Pass, rule: Rule) -> Caller | None:
        credential = credential_of(arrival)
        if _shows_cookie(arrival):
            self._origins.check_forgery(arrival)
        if credential is not None:
            caller = await self._identity.caller(credential)
            if caller is not None:
                return caller
            if rule.needs_caller and credential.kind != "visitor":
                await self._count("calls", arrival, found)  # guessing is limited by address
                raise NotSignedIn("This credential is wrong, expired or withdrawn")
        if rule.needs_caller and at_least(Role.VISITOR, rule.who) and self._identity.takes_visitors:
            caller, cookie = self._identity.new_visitor(self._ids.new("per"))
            found.headers.append((b"set-cookie", self._visitor_cookie(cookie, arrival).encode()))
            return caller
        return None

    def _check_rights(self, rule: Rule, caller: Caller | None) -> None:
        if not rule.needs_caller:
            return
        if caller is None:
            raise NotSignedIn("This needs somebody who is signed in")
        if not at_least(caller.person.role, rule.who):
            raise Forbidden(f"This needs the role {rule.who}")
        if caller.credential == "widget" and rule.who != "widget":
            raise Forbidden("This cannot be done from the widget")
        if rule.scope == "session" and caller.credential == "key":
            raise Forbidden("No API key may do this", hint="Sign in, and do it there.")
        if rule.scope not in ("-", "session") and "*" not in caller.scopes and rule.scope not in caller.scopes:
            raise Forbidden(f"This API key lacks the scope {rule.scope}", hint="Make a key that has it.")

    async def _count(self, name: str, arrival: Arrival, found: Pass) -> None:
        limiter = self._limits.get(name)
        if limiter is None:
            return
        caller = found.caller
        known = caller is not None and caller.credential not in FREE and name == "calls"
        try:
            state = await limiter.hit(caller.person.id if caller and known else limit_key(arrival.address))
        except WindowFull as full:
            found.headers += _limit_headers(full.state, limiter)
            raise
        found.headers += _limit_headers(state, limiter)

    async def _answer_options(self, arrival: Arrival, found: Pass, methods: tuple[str, ...], send: Send) -> None:
        headers = [*found.headers, (b"allow", ", ".join(methods).encode())]
        if is_preflight(arrival):
            headers += preflight_headers(arrival, methods)
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _hand_on(self, arrival: Arrival, found: Pass, scope: Scope, receive: Receive, send: Send) -> None:
        rule = found.rule
        if rule is None:
            raise ValueError("Only a call with a rule is handed on")
        body: BoundedBody | None = None
        if scope["type"] == "http" and (not arrival.is_safe or _has_body(arrival)):
            body = BoundedBody(receive, limit=self._limit_of(rule), seconds=self._options.body_seconds)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if not started:
                if body is not None and body.refused is not None:
                    return  # the answer to half a body; the refusal is sent instead
                if message["type"] == "http.response.start":
                    if rule.act != "-":
                        await self._record(rule, arrival, found, scope, int(message["status"]))
                    message["headers"] = _merged(list(message.get("headers", ())), found.headers)
                    started = True
            await send(message)

        try:
            await self._app(scope, body or receive, sending)
        except Exception:
            if body is None or body.refused is None or started:
                raise
        if body is not None and body.refused is not None and not started:
            await self._refuse(body.refused, arrival, found, scope, send)

    async def _refuse(self, error: FrontdeskError, arrival: Arrival, found: Pass, scope: Scope, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": error.what})
            return
        if found.rule is not None and found.rule.act != "-" and found.caller is not None and error.status == 403:
            await self._record(found.rule, arrival, found, scope, error.status)
        closing: Headers = [(b"connection", b"close")] if _has_body(arrival) else []
        await refuse(error, scope, send, found.headers + closing)

    async def _record(self, rule: Rule, arrival: Arrival, found: Pass, scope: Scope, status: int) -> None:
        caller = found.caller
        origin = hmac.new(self._address_key, arrival.address.encode(), sha256).hexdigest()[:16]
        act = Act(
            act=rule.act,
            actor=caller.person.id if caller else "",
            credential=caller.credential_id if caller else "",
            subject=str(scope.get(SUBJECT) or rule.subject(arrival.path)),
            outcome=status,
            origin=origin,
        )
        if arrival.is_safe:
            await self._audit.append_reading(act)
        else:
            await self._audit.append(act)

    def _own_origin(self, arrival: Arrival) -> str:
        return self._options.public_url or arrival.origin

    def _visitor_cookie(self, text: str, arrival: Arrival) -> str:
        secure = "; Secure" if self._production or arrival.scheme == "https" else ""
        return f"{VISITOR_COOKIE}={text}; Path=/; Max-Age={VISITOR_SECONDS}; HttpOnly; SameSite=Lax{secure}"


def _shows_cookie(arrival: Arrival) -> bool:
    """Whether the browser's own cookies are all that the call shows."""
    if b"authorization" in arrival.headers or b"x-api-key" in arrival.headers:
        return False
    cookies = arrival.headers.get(b"cookie", b"")
    return any(name in cookies for name in OWN_COOKIES)


def _has_body(arrival: Arrival) -> bool:
    return arrival.headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in arrival.headers


def _merged(own: Headers, added: Headers) -> Headers:
    """The answer's headers and the gate's; where the answer has set a content or cache policy itself, that stands.

    Where its own policy says who may frame it, the older header that says nobody goes.
    """
    names = {name.lower() for name, _ in own}
    if any(name.lower() == b"content-security-policy" and b"frame-ancestors" in value for name, value in own):
        names.add(b"x-frame-options")
    return own + [pair for pair in added if pair[0] not in names or pair[0] in REPEATED]


def _limit_headers(state: LimitState, limiter: Limiter) -> Headers:
    """The tightest window as it stands, and all windows (draft-ietf-httpapi-ratelimit-headers-10).

    The three headers of the draft's first versions are told too: most clients read those.
    """
    left, reset = max(0, state.remaining), math.ceil(state.reset)
    return [
        (b"ratelimit", f'"{_window_name(state.seconds)}";r={left};t={reset}'.encode()),
        (b"ratelimit-policy", _policy(tuple(limiter.windows))),
        (b"ratelimit-limit", str(state.limit).encode()),
        (b"ratelimit-remaining", str(left).encode()),
        (b"ratelimit-reset", str(reset).encode()),
    ]


@lru_cache(64)
def _policy(windows: tuple[tuple[int, int], ...]) -> bytes:
    return ", ".join(f'"{_window_name(seconds)}";q={limit};w={seconds}' for limit, seconds in windows).encode()


def _window_name(seconds: int) -> str:
    return {60: "minute", 3600: "hour", 86_400: "day"}.get(seconds, f"{seconds}s")
