"""A desk for the gate's tests: the real gate, store and account routes, in front of an application that echoes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx2
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from frontdesk.api import errors as api_errors
from frontdesk.channels import sign_in as sign_in_routes
from frontdesk.clock import RandomIds
from frontdesk.console import audit as audit_routes
from frontdesk.console import keys as keys_routes
from frontdesk.console import people as people_routes
from frontdesk.gate.caller import address_of, maybe_caller_of, origin_of
from frontdesk.gate.identity import Identity
from frontdesk.gate.limits import LocalLimiter, Window
from frontdesk.gate.options import GateOptions
from frontdesk.gate.passwords import Passwords
from frontdesk.gate.policy import Policy
from frontdesk.gate.providers import Provider
from frontdesk.gate.sign_in import SignedIn, SignIn
from frontdesk.gate.signing import Signer, derived_key
from frontdesk.gate.wrapper import Gate
from frontdesk.messages import Role
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.store.keys import Keys
from frontdesk.store.links import Links
from frontdesk.store.people import People, PersonRow
from frontdesk.store.sessions import Sessions
from frontdesk.testing.clock import FakeClock

SECRET = b"a secret for tests alone, long enough"
SITE = "http://desk.test"
FROM_PAGE = {"X-Frontdesk": "1", "Origin": SITE, "Sec-Fetch-Site": "same-origin"}


class GateDesk:
    """Everything that the gate's tests touch, wired as `frontdesk.app` wires it."""

    def __init__(
        self,
        database: Database,
        clock: FakeClock,
        options: GateOptions,
        *,
        providers: Mapping[str, Provider] | None = None,
        production: bool = False,
    ) -> None:
        self.options, self.clock, self.database = options, clock, database
        self.ids = RandomIds()
        self.people = People(database, clock, self.ids)
        self.sessions = Sessions(database, clock, self.ids)
        self.keys = Keys(database, clock, self.ids)
        self.audit = Audit(database, clock, derived_key(SECRET, "audit"))
        self.policy = Policy()
        self.access = Signer(SECRET, "access", timedelta(minutes=15), clock, self.ids)
        self.flows = Signer(SECRET, "flow", timedelta(minutes=10), clock, self.ids)
        visitors = Signer(SECRET, "visitor", timedelta(days=365), clock, self.ids) if options.visitors else None
        self.identity = Identity(self.people, self.sessions, self.keys, self.access, visitors, clock)
        self.sign_in = SignIn(
            people=self.people,
            sessions=self.sessions,
            identity=self.identity,
            access=self.access,
            passwords=Passwords(),
            options=options,
            attempts=LocalLimiter([Window(5, 60)], clock),
            links=Links(database, clock, self.ids, self.audit),
        )
        cookies = sign_in_routes.Cookies(self.access, self.flows, clock, secure=production)
        self.app = FastAPI(openapi_url=None)
        self.app.include_router(sign_in_routes.router(self.sign_in, cookies))
        self.app.include_router(
            sign_in_routes.provider_router(self.sign_in, cookies, providers or {}, self.flows, self.ids)
        )
        self.app.include_router(
            sign_in_routes.me_router(self.sign_in, self.people, self.identity, cookies, {"note": self._note})
        )
        self.app.include_router(people_routes.router(self.people, self.sign_in))
        self.app.include_router(keys_routes.router(self.keys, self.people, self.identity, self.policy.scopes()))
        self.app.include_router(audit_routes.router(self.audit))
        api_errors.install(self.app)
        self.app.add_route("/{path:path}", echo, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        self.asgi = self.gate(self.app, production=production)

    def gate(self, app: ASGIApp, *, production: bool = False) -> Gate:
        """A gate round another application."""
        limits = {
            "calls": LocalLimiter(
                [Window(self.options.rate_limit_per_minute, 60), Window(self.options.rate_limit_per_hour, 3600)],
                self.clock,
            ),
            "sign_in": LocalLimiter([Window(20, 60), Window(200, 3600)], self.clock),
        }
        return Gate(
            app,
            options=self.options,
            policy=self.policy,
            identity=self.identity,
            limits=limits if self.options.rate_limit_enabled else {},
            audit=self.audit,
            ids=self.ids,
            address_key=derived_key(SECRET, "address"),
            production=production,
        )

    @asynccontextmanager
    async def client(self, address: str = "203.0.113.7", **options: object) -> AsyncGenerator[httpx2.AsyncClient]:
        """A browser or program at `address`, with a cookie jar of its own."""
        transport = httpx2.ASGITransport(self.asgi, client=(address, 50000), raise_app_exceptions=True)
        async with httpx2.AsyncClient(transport=transport, base_url=SITE, **options) as client:  # type: ignore[arg-type]
            yield client

    async def person(self, role: Role = Role.MEMBER, email: str | None = None, name: str = "Ann") -> PersonRow:
        """Somebody new."""
        return await self.people.add(name=name, role=role, email=email)

    async def session(self, row: PersonRow) -> SignedIn:
        """A session of that person."""
        return await self.sign_in.by_link(await self.sign_in.invite(row.id), instead_of=None)

    async def token(self, row: PersonRow) -> dict[str, str]:
        """The header of a session of that person."""
        return {"Authorization": f"Bearer {(await self.session(row)).access_token}"}

    async def key(self, row: PersonRow, *scopes: str) -> str:
        """A key of that person."""
        return (await self.keys.create(row.id, name="test", scopes=scopes or ("*",)))[1]

    async def _note(self, person_id: str) -> object:
        return {"of": person_id}


async def echo(request: Request) -> JSONResponse:
    """What the application behind the gate sees."""
    caller = maybe_caller_of(request)
    return JSONResponse(
        {
            "caller": caller.person.id if caller else None,
            "role": caller.person.role if caller else None,
            "credential": caller.credential if caller else None,
            "address": address_of(request),
            "origin": origin_of(request),
            "forwarded": [name for name in request.headers if "forwarded" in name],
            "host": request.headers.get("host"),
            "bytes": len(await request.body()),
        }
    )
