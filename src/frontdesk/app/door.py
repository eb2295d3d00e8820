"""The gate's parts that more than one place needs: sign-in, identity, limits."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from frontdesk.app.outward import outward_client
from frontdesk.app.store import Store
from frontdesk.app.widget import widget_door
from frontdesk.channels.sign_in import Cookies
from frontdesk.gate.identity import Identity
from frontdesk.gate.limits import Window
from frontdesk.gate.options import GateOptions
from frontdesk.gate.passwords import Passwords
from frontdesk.gate.providers import Provider, providers_of
from frontdesk.gate.shared_limits import connect, limiter
from frontdesk.gate.sign_in import SignIn
from frontdesk.gate.signing import Signer
from frontdesk.gate.widget import WidgetDoor
from frontdesk.ports import Clock, Ids, Limiter
from frontdesk.system.options import RedisOptions
from frontdesk.system.system import System

if TYPE_CHECKING:
    from redis.asyncio import Redis

VISITOR_COOKIE = timedelta(days=365)
FLOW = timedelta(minutes=10)  # from a provider's button to the provider's answer
ATTEMPTS = (Window(5, 60), Window(50, 3600))  # at one account's password
SIGN_INS = (Window(20, 60), Window(200, 3600))  # from one address


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Ways in, and what is counted there. `redis` is None where this process counts alone."""

    identity: Identity
    sign_in: SignIn
    cookies: Cookies
    flows: Signer
    providers: Mapping[str, Provider]
    widget: WidgetDoor
    limits: dict[str, Limiter]
    redis: "Redis | None"
    clock: Clock

    def limiter(self, name: str, windows: Sequence[Window]) -> Limiter:
        """A limiter of its own name, counted by all processes together where there is a Redis.

        `door.limiter("telegram.person", [Window(20, 60)])`; its keys are the caller's to choose.
        """
        return limiter(name, windows, self.clock, redis=self.redis)


def open_door(
    system: System, store: Store, access_secret: bytes, clock: Clock, ids: Ids, stack: AsyncExitStack
) -> Door:
    """The door of a desk; `stack` closes its connections. Raises `MissingExtra` where Redis' package is absent."""
    options = system.section(GateOptions)
    shared = system.section(RedisOptions)
    redis = connect(shared.address, shared.max_connections) if shared.address else None
    if redis is not None:
        stack.push_async_callback(redis.aclose)
    http = outward_client(seconds=15)
    stack.push_async_callback(http.aclose)
    access = Signer(access_secret, "access", timedelta(minutes=options.access_minutes), clock, ids)
    flows = Signer(access_secret, "flow", FLOW, clock, ids)
    visitors = Signer(access_secret, "visitor", VISITOR_COOKIE, clock, ids) if options.visitors else None
    widget = widget_door(system, store.database, store.people, access_secret, clock, ids)
    identity = Identity(store.people, store.sessions, store.keys, access, visitors, clock, widget)
    attempts = limiter("attempts", ATTEMPTS, clock, redis=redis)
    calls = (Window(options.rate_limit_per_minute, 60), Window(options.rate_limit_per_hour, 3600))
    sign_in = SignIn(
        people=store.people,
        sessions=store.sessions,
        identity=identity,
        access=access,
        passwords=Passwords(),
        options=options,
        attempts=attempts,
        links=store.links,
    )
    return Door(
        identity=identity,
        sign_in=sign_in,
        cookies=Cookies(access, flows, clock, secure=system.environment == "production"),
        flows=flows,
        providers=providers_of(options, http, clock),
        widget=widget,
        limits={
            "calls": limiter("calls", calls, clock, redis=redis),
            "sign_in": limiter("sign_in", SIGN_INS, clock, redis=redis),
        }
        if options.rate_limit_enabled
        else {},
        redis=redis,
        clock=clock,
    )
