"""The console's people: who they are, inviting, changing and removing them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Limit, PathId, Text, View, Who, Words
from frontdesk.errors import Forbidden
from frontdesk.gate.caller import note_subject, origin_of
from frontdesk.gate.policy import may_manage
from frontdesk.gate.sign_in import SignIn
from frontdesk.messages import Caller, Role
from frontdesk.store.people import People, PersonRow

Name = Annotated[Text, Field(min_length=1, max_length=200)]
Email = Annotated[Text, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]
InvitableRole = Literal["owner", "operator", "member"]
AfterPerson = Annotated[str | None, Query(max_length=100, description="`next` of the page before.")]


class InviteBody(Body):
    """Somebody new."""

    name: Name
    email: Email | None = None
    role: InvitableRole = "member"


class ChangeBody(Body):
    """What to change; a new role or state ends the person's sessions."""

    name: Name | None = None
    role: InvitableRole | None = None
    state: Literal["active", "blocked"] | None = None


class PersonLine(View):
    """Somebody at the desk, as operators see them."""

    id: str
    name: str
    role: Role
    email: str | None
    state: str
    created_at: datetime
    signed_in_at: datetime | None


class PeoplePage(View):
    """A page of people in order of joining."""

    items: list[PersonLine]
    next: str | None


class Invited(View):
    """Somebody and the link that signs them in once."""

    person: PersonLine
    link: str


class Link(View):
    """A link that signs somebody in once."""

    link: str


def router(people: People, sign_in: SignIn) -> APIRouter:
    """The routes of people."""
    routes = APIRouter(prefix="/api/v1/people", tags=["people"], responses=COMMON)

    async def managed(who: Caller, person_id: str) -> PersonRow:
        row = await people.get(person_id)
        _check(who, row.role)
        return row

    @routes.get("")
    async def page(query: Words = "", cursor: AfterPerson = None, limit: Limit = 50) -> PeoplePage:
        """Everybody but visitors."""
        rows = await people.page(query=query, after=cursor, limit=limit + 1)
        more = rows[limit - 1].id if len(rows) > limit else None
        return PeoplePage(items=[PersonLine.model_validate(row) for row in rows[:limit]], next=more)

    @routes.post("", status_code=201, responses=described(409))
    async def invite(request: Request, who: Who, body: InviteBody) -> Invited:
        """Add somebody; hand them the link, which works once and for three days."""
        _check(who, Role(body.role))
        row = await people.add(name=body.name, role=Role(body.role), email=body.email)
        note_subject(request, row.id)
        link = _link(request, await sign_in.invite(row.id))
        return Invited(person=PersonLine.model_validate(row), link=link)

    @routes.post("/{id}/link", responses=described(404))
    async def link(request: Request, who: Who, id: PathId) -> Link:
        """A new link for somebody who lost theirs; an earlier one stops working."""
        row = await managed(who, id)
        return Link(link=_link(request, await sign_in.invite(row.id)))

    @routes.patch("/{id}", responses=described(404, 409))
    async def change(who: Who, id: PathId, body: ChangeBody) -> PersonLine:
        """Change somebody's name, role or state. The desk always keeps an owner."""
        await managed(who, id)
        if body.role is not None:
            _check(who, Role(body.role))
        role = Role(body.role) if body.role else None
        row = await people.change(id, name=body.name, role=role, state=body.state)
        if body.role is not None or body.state is not None:
            await sign_in.sign_out_everywhere(id)
        else:
            sign_in.forget(id)
        return PersonLine.model_validate(row)

    @routes.delete("/{id}", status_code=204, responses=described(404, 409))
    async def erase(who: Who, id: PathId) -> None:
        """Erase somebody and everything of theirs."""
        await managed(who, id)
        await people.erase(id)
        sign_in.forget(id)

    return routes


def _check(who: Caller, role: Role) -> None:
    if not may_manage(who.person.role, role):
        raise Forbidden(f"Only an owner may do this to somebody of the role {role}")


def _link(request: Request, token: str) -> str:
    return f"{origin_of(request)}/sign-in#token={token}"
