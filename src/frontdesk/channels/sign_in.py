"""Signing in and out over HTTP, and what people may do with their own account.

The session lives in two cookies that scripts cannot read: `fd_session` (the access token, minutes) and `fd_refresh`
(days, sent to the sign-in routes alone). Tabs of one browser must not refresh at once: a refresh token counts once.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.responses import JSONResponse, RedirectResponse

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, Text, View, Who
from frontdesk.errors import FrontdeskError, NotFound, NotSignedIn
from frontdesk.gate.caller import maybe_caller_of, note_subject, origin_of
from frontdesk.gate.identity import REFRESH_COOKIE, SESSION_COOKIE, VISITOR_COOKIE, Identity
from frontdesk.gate.passwords import LONGEST
from frontdesk.gate.providers import Flow, Provider
from frontdesk.gate.sign_in import SignedIn, SignIn
from frontdesk.gate.signing import Signer
from frontdesk.messages import Caller, Role
from frontdesk.ports import Clock, Ids
from frontdesk.store.people import People

FLOW_COOKIE = "fd_flow"
AUTH = "/api/v1/auth"

Export = Callable[[str], Awaitable[object]]  # a person's id → what one room keeps of them, fit for JSON


class LinkBody(Body):
    """A one-time token, as the fragment of a sign-in link has it."""

    token: Annotated[Text, Field(max_length=200)]


class PasswordBody(Body):
    """An address and its password."""

    email: Annotated[Text, Field(min_length=3, max_length=320)]
    password: Annotated[Text, Field(min_length=1, max_length=LONGEST)]


class NewPasswordBody(Body):
    """A new password, and the one that stands if there is one."""

    password: Annotated[Text, Field(max_length=LONGEST)]
    current: Annotated[Text, Field(max_length=LONGEST)] = ""


class NameBody(Body):
    """What the person is called."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]


class PersonView(View):
    """Somebody at the desk."""

    id: str
    name: str
    role: Role
    email: str | None


class SignedInView(View):
    """Who has signed in. The session itself is in the cookies."""

    person: PersonView
    expires_in: int = Field(description="Seconds until the access token has to be refreshed.")


class MeView(View):
    """The caller, and what the credential of this call may do."""

    person: PersonView
    credential: Literal["session", "key", "visitor", "widget", "system"]
    scopes: list[str]


class Cookies:
    """Sets and clears the session's cookies. `secure` keeps them to HTTPS even where a request came without it."""

    def __init__(self, access: Signer, flows: Signer, clock: Clock, *, secure: bool) -> None:
        self._access = access
        self._flows = flows
        self._clock = clock
        self._secure = secure

    def write(self, request: Request, response: Response, signed_in: SignedIn) -> None:
        """The cookies of a session; a visitor's one goes."""
        left = int((signed_in.session.expires_at - self._clock.now()).total_seconds())
        self._set(request, response, SESSION_COOKIE, signed_in.access_token, left, "/")
        self._set(request, response, REFRESH_COOKIE, signed_in.session.refresh_token, left, AUTH)
        if VISITOR_COOKIE in request.cookies:
            response.delete_cookie(VISITOR_COOKIE, path="/")

    def begin_flow(self, request: Request, response: Response, state: str) -> None:
        """The cookie of a sign-in under way. It must survive the way back from the provider's site, so it is lax."""
        lifetime = int(self._flows.lifetime.total_seconds())
        self._set(request, response, FLOW_COOKIE, state, lifetime, AUTH, lax=True)

    def clear(self, response: Response) -> None:
        """No session any more."""
        for name, path in ((SESSION_COOKIE, "/"), (REFRESH_COOKIE, AUTH), (FLOW_COOKIE, AUTH), (VISITOR_COOKIE, "/")):
            response.delete_cookie(name, path=path)

    @property
    def access_seconds(self) -> int:
        """How long an access token is good."""
        return int(self._access.lifetime.total_seconds())

    def _set(
        self, request: Request, response: Response, name: str, value: str, seconds: int, path: str, *, lax: bool = False
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            httponly=True,
            secure=self._secure or request.url.scheme == "https",
            samesite="lax" if lax else "strict",
        )


def router(sign_in: SignIn, cookies: Cookies) -> APIRouter:
    """Links, passwords, refresh and sign-out."""
    routes = APIRouter(prefix=AUTH, tags=["sign-in"], responses=COMMON)

    def signed(request: Request, response: Response, who: SignedIn) -> SignedInView:
        note_subject(request, who.person.id)
        cookies.write(request, response, who)
        return SignedInView(person=PersonView.model_validate(who.person), expires_in=cookies.access_seconds)

    @routes.post("/link")
    async def link(request: Request, response: Response, body: LinkBody) -> SignedInView:
        """Sign in with a one-time link's token."""
        caller = maybe_caller_of(request)
        return signed(request, response, await sign_in.by_link(body.token, instead_of=caller))

    @routes.post("/sign-in")
    async def password(request: Request, response: Response, body: PasswordBody) -> SignedInView:
        """Sign in with an e-mail address and a password."""
        caller = maybe_caller_of(request)
        return signed(request, response, await sign_in.by_password(body.email, body.password, instead_of=caller))

    @routes.post("/refresh")
    async def refresh(request: Request, response: Response) -> SignedInView:
        """Trade the refresh cookie for the next one and a fresh access token. One that was used before ends all."""
        token = _cookie(request, REFRESH_COOKIE)
        if not token:
            raise NotSignedIn("There is no session to continue", hint="Sign in.")
        return signed(request, response, await sign_in.refresh(token))

    @routes.post("/sign-out", status_code=204)
    async def sign_out(request: Request, response: Response) -> None:
        """End this session; its tokens are refused from now on."""
        caller = maybe_caller_of(request)
        if caller is not None:
            await sign_in.sign_out(caller)
        elif token := _cookie(request, REFRESH_COOKIE):
            await sign_in.abandon(token)
        cookies.clear(response)

    return routes


def provider_router(
    sign_in: SignIn, cookies: Cookies, providers: Mapping[str, Provider], flows: Signer, ids: Ids
) -> APIRouter:
    """The way to another site and back. Both ends are pages of a browser, so they answer with redirects."""
    routes = APIRouter(prefix=AUTH, tags=["sign-in"], responses=COMMON)

    def redirect_uri(request: Request, provider: str) -> str:
        return f"{origin_of(request)}{AUTH}/callback/{quote(provider)}"

    @routes.get("/start/{provider}", status_code=303, response_class=Response, responses=described(404))
    async def start(
        request: Request,
        provider: PathId,
        next: Annotated[Text, Query(max_length=2000)] = "/",
        link: Annotated[bool, Query(description="Connect the provider to the account that is signed in.")] = False,
    ) -> Response:
        """Go to the provider's site."""
        if provider not in providers:
            raise NotFound("This desk has no such provider", where=provider)
        caller = maybe_caller_of(request)
        flow = Flow(
            redirect_uri=redirect_uri(request, provider),
            state=ids.secret(),
            nonce=ids.secret(),
            verifier=ids.secret(48),
        )
        state = flows.issue(
            provider=provider,
            state=flow.state,
            nonce=flow.nonce,
            verifier=flow.verifier,
            next=_local(next),
            link=caller.person.id if link and caller is not None and caller.credential == "session" else "",
        )
        response = RedirectResponse(await providers[provider].start(flow), status_code=303)
        cookies.begin_flow(request, response, state)
        return response

    @routes.get("/callback/{provider}", status_code=303, response_class=Response)
    async def callback(
        request: Request,
        provider: PathId,
        code: Annotated[Text, Query(max_length=4000)] = "",
        state: Annotated[Text, Query(max_length=200)] = "",
    ) -> Response:
        """Come back from the provider's site."""
        begun = flows.read(request.cookies.get(FLOW_COOKIE, "")) or {}
        try:
            if (
                not code
                or provider not in providers
                or (begun.get("provider"), begun.get("state")) != (provider, state)
            ):
                raise NotSignedIn("This sign-in was not begun here, or took too long", hint="Begin again.")
            flow = Flow(
                redirect_uri=redirect_uri(request, provider),
                state=state,
                nonce=begun["nonce"],
                verifier=begun["verifier"],
            )
            vouched = await providers[provider].finish(flow, code)
            caller = maybe_caller_of(request)
            who = await sign_in.by_provider(vouched, link_to=begun["link"], instead_of=caller)
        except FrontdeskError as error:
            return RedirectResponse(f"/sign-in#{urlencode({'error': error.code})}", status_code=303)
        response = RedirectResponse(begun["next"], status_code=303)
        note_subject(request, who.person.id)
        cookies.write(request, response, who)
        response.delete_cookie(FLOW_COOKIE, path=AUTH)
        return response

    return routes


def me_router(
    sign_in: SignIn, people: People, identity: Identity, cookies: Cookies, exports: Mapping[str, Export]
) -> APIRouter:
    """The caller's own account. `exports` gathers what the rooms keep of a person, by name."""
    routes = APIRouter(prefix="/api/v1/me", tags=["me"], responses=COMMON)

    @routes.get("")
    async def me(who: Who) -> MeView:
        """Who I am here."""
        return _me(who)

    @routes.patch("")
    async def rename(who: Who, body: NameBody) -> MeView:
        """Change my name."""
        row = await people.change(who.person.id, name=body.name)
        identity.forget_person(row.id)
        return _me(msgspec.structs.replace(who, person=row.person))

    @routes.put("/password", status_code=204)
    async def set_password(who: Who, body: NewPasswordBody) -> None:
        """Set my password; my other sessions end."""
        await sign_in.set_password(who, body.password, body.current)

    @routes.get("/export", response_class=Response)
    async def export(who: Who) -> Response:
        """Everything that the desk keeps of me, as one JSON document."""
        gathered = {name: await give(who.person.id) for name, give in exports.items()}
        person = PersonView.model_validate(who.person).model_dump(mode="json")
        return JSONResponse(
            {"person": person, **gathered}, headers={"Content-Disposition": 'attachment; filename="my-data.json"'}
        )

    @routes.delete("", status_code=204, responses=described(409))
    async def erase(who: Who, response: Response) -> None:
        """Erase me and everything of mine. There is no way back."""
        await people.erase(who.person.id)
        identity.forget_person(who.person.id)
        cookies.clear(response)

    return routes


def _me(who: Caller) -> MeView:
    return MeView(person=PersonView.model_validate(who.person), credential=who.credential, scopes=list(who.scopes))


def _local(address: str) -> str:
    """The address if it leads to a page of this desk, else its start: never another site's."""
    plain = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain and address.isprintable() and "\\" not in address else "/"


def _cookie(request: Request, name: str) -> str:
    return request.cookies.get(name, "")
