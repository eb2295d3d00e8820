"""How a visitor comes in: what the panel must know of its site, and the token that it chats with."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Text, View
from frontdesk.gate.sites import Site
from frontdesk.gate.widget import BEARER, WidgetDoor
from frontdesk.system.options import DeskOptions

SiteId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", examples=["main"])]
Token = Annotated[Text, Field(max_length=4_000)]
Answer = Annotated[Text, Field(max_length=500)]


class IdentityBody(Body):
    """The word of the site's server."""

    token: Token


class SessionBody(Body):
    """Who comes in. Without anything but the site it is a new visitor."""

    site: SiteId
    identity: IdentityBody | None = Field(default=None, description="What the site's server signed for this visitor.")
    renewal: Token = Field(default="", description="`renewal` of the last answer: the same person goes on.")
    visit: Token = Field(default="", description="`visit` of the last answer, in the same session of the browser.")
    answers: dict[Annotated[str, Field(max_length=40)], Answer] | None = Field(
        default=None, max_length=8, description="Answers to the form, by the fields' names."
    )


class VisitorView(View):
    """Who chats."""

    id: str
    name: str


class SessionView(View):
    """A session of the widget. While `token` is empty, the form's required fields want an answer first."""

    person: VisitorView
    known: bool = Field(description="Whether the site's server vouches for this person.")
    token: str = Field(description="Bearer of the chat's calls.")
    expires_in: int = Field(description="Seconds for which the token is good.")
    renewal: str
    visit: str
    email: str
    conversation_id: str | None


class FieldView(View):
    """A field of the form."""

    name: str
    label: str
    kind: Literal["text", "email", "choice"]
    required: bool
    choices: tuple[str, ...]


class ConfigView(View):
    """How the panel looks on a site, and whose pages may talk to it."""

    name: str
    greeting: str
    accent: str
    on_accent: str
    position: Literal["left", "right"]
    label: str
    suggestions: tuple[str, ...]
    pre_chat: list[FieldView]
    origins: tuple[str, ...]


def router(door: WidgetDoor, desk: DeskOptions) -> APIRouter:
    """The routes of the panel's first two calls."""
    routes = APIRouter(prefix="/api/v1/widget", tags=["widget"], responses=COMMON | described(404))

    @routes.get("/config")
    async def config(site: Annotated[SiteId, Query()]) -> ConfigView:
        """How the panel looks on this site."""
        return _config(door.site(site), desk)

    @routes.post("/session")
    async def session(body: SessionBody) -> SessionView:
        """Come in as a visitor, as the person whom the site's server vouches for, or as before."""
        entered = await door.enter(
            body.site,
            identity=body.identity.token if body.identity else "",
            renewal=body.renewal,
            visit=body.visit,
            answers=body.answers,
        )
        return SessionView(
            person=VisitorView.model_validate(entered.person),
            known=entered.known,
            token=entered.token,
            expires_in=int(BEARER.total_seconds()),
            renewal=entered.renewal,
            visit=entered.visit,
            email=entered.email,
            conversation_id=entered.conversation_id,
        )

    return routes


def _config(site: Site, desk: DeskOptions) -> ConfigView:
    return ConfigView(
        name=site.name or desk.name,
        greeting=site.greeting or desk.greeting,
        accent=site.accent,
        on_accent=site.on_accent,
        position=site.position,
        label=site.label,
        suggestions=site.suggestions,
        pre_chat=[FieldView.model_validate(field) for field in site.pre_chat],
        origins=site.origins,
    )
