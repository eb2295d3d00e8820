"""API keys: everybody's own; operators see and revoke those of people below them, owners all."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Limit, PathId, Text, View, Who
from frontdesk.errors import Forbidden, NotFound, Unprocessable
from frontdesk.gate.caller import note_subject
from frontdesk.gate.identity import Identity
from frontdesk.gate.policy import at_least, may_manage
from frontdesk.messages import Caller
from frontdesk.store.keys import ApiKey, Keys
from frontdesk.store.people import People


class NewKeyBody(Body):
    """A key to make. Its scopes can only be narrower than those of the call that makes it."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    scopes: Annotated[list[str], Field(min_length=1, max_length=20)] = Field(default=["chat"])
    expires_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class KeyView(View):
    """A key without its secret; `prefix` is how it begins."""

    id: str
    person_id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewKeyView(KeyView):
    """A new key. `key` is its secret and is shown this once."""

    key: str


class KeysPage(View):
    """A page of keys in order of creation."""

    items: list[KeyView]
    next: str | None


def router(keys: Keys, people: People, identity: Identity, scopes: Sequence[str]) -> APIRouter:
    """The routes of API keys. `scopes` are the names that the policy knows."""
    routes = APIRouter(prefix="/api/v1/keys", tags=["keys"], responses=COMMON)

    @routes.get("")
    async def page(
        who: Who,
        cursor: Annotated[str | None, Query(max_length=100)] = None,
        limit: Limit = 50,
    ) -> KeysPage:
        """The caller's keys; for operators everybody's."""
        whose = None if at_least(who.person.role, "operator") else who.person.id
        found = await keys.page(whose, after=cursor, limit=limit + 1)
        more = found[limit - 1].id if len(found) > limit else None
        return KeysPage(items=[KeyView.model_validate(key) for key in found[:limit]], next=more)

    @routes.post("", status_code=201)
    async def create(request: Request, who: Who, body: NewKeyBody) -> NewKeyView:
        """Make a key of the caller's own."""
        _check_scopes(who, body.scopes, scopes)
        lifetime = timedelta(days=body.expires_days) if body.expires_days else None
        chosen = tuple(dict.fromkeys(body.scopes))
        key, secret = await keys.create(who.person.id, name=body.name, scopes=chosen, lifetime=lifetime)
        note_subject(request, key.id)
        return NewKeyView(**KeyView.model_validate(key).model_dump(), key=secret)

    @routes.delete("/{id}", status_code=204, responses=described(404))
    async def revoke(who: Who, id: PathId) -> None:
        """Revoke a key; it is refused from now on."""
        key = await keys.get(id)
        if key.person_id != who.person.id and not await _may_revoke(who, key):
            raise NotFound("There is no such key", where=id)
        await keys.revoke(id)
        identity.forget_credential(id)

    async def _may_revoke(who: Caller, key: ApiKey) -> bool:
        holder = await people.get(key.person_id)
        return at_least(who.person.role, "operator") and may_manage(who.person.role, holder.role)

    return routes


def _check_scopes(who: Caller, wanted: Sequence[str], known: Sequence[str]) -> None:
    for scope in wanted:
        if scope not in known and scope != "*":
            raise Unprocessable(
                f"There is no scope {scope!r}", where="scopes", hint=f"One of: {', '.join(known)}, or *."
            )
        if scope not in who.scopes and "*" not in who.scopes:
            raise Forbidden(f"A key cannot give the scope {scope!r} that it lacks itself")
