"""Connecting one's channels: a code goes from one to the other, and both belong to one person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, Text, View, Who
from frontdesk.store.links import Links

HERE = "web"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherChannel:
    """A channel on which people can show a code. `address` is where it is found (`https://t.me/desk_bot`), if known."""

    id: str
    name: str
    address: str | None = None


class ChannelView(View):
    """A channel on which the code can be shown."""

    id: str
    name: str
    address: str | None


class OfferView(View):
    """A code to send as `/link CODE` on another channel."""

    code: str
    expires_at: datetime
    channels: list[ChannelView]


class CodeBody(Body):
    """A code that the desk gave on another channel."""

    code: Annotated[Text, Field(min_length=1, max_length=40, examples=["K7QF-29XM"])]


class ConnectedView(View):
    """The channel that is connected now."""

    channel: str


class LinkView(View):
    """A channel on which the caller is known."""

    channel: str
    since: datetime


class LinkList(View):
    """All of them."""

    items: list[LinkView]
    next: None = None


def router(links: Links, channels: Sequence[OtherChannel]) -> APIRouter:
    """The routes of a person's connections; `channels` are those that take codes."""
    routes = APIRouter(prefix="/api/v1/me/links", tags=["me"], responses=COMMON)

    @routes.get("")
    async def connected(who: Who) -> LinkList:
        """The channels on which the caller is known."""
        return LinkList(items=[LinkView.model_validate(link) for link in await links.of(who.person.id)])

    @routes.post("")
    async def offer(who: Who) -> OfferView:
        """A code that connects another channel: it works once, for ten minutes."""
        code, expires_at = await links.offer(who.person.id, HERE)
        shown = [ChannelView.model_validate(channel) for channel in channels]
        return OfferView(code=code, expires_at=expires_at, channels=shown)

    @routes.put("", responses=described(409, 422))
    async def connect(body: CodeBody, who: Who) -> ConnectedView:
        """Connect the channel on which the desk gave this code."""
        person_id = await links.redeem(body.code, person_id=who.person.id, channel=HERE)
        return ConnectedView(channel=(await links.of(person_id))[-1].channel)

    @routes.delete("/{channel}", status_code=204, responses=described(404))
    async def part(channel: PathId, who: Who) -> None:
        """Part with a channel. What was said there stays with the caller's account."""
        await links.remove(who.person.id, channel)

    return routes
