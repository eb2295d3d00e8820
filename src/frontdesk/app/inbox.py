"""The team's room: what operators see of conversations and do in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter

from frontdesk.api.views import Shelf
from frontdesk.app.store import Store
from frontdesk.conversation.draft import Drafts
from frontdesk.conversation.turn import TurnParts
from frontdesk.ports import Clock, Ids, Outlet
from frontdesk.store.takeover import Takeover

if TYPE_CHECKING:
    from frontdesk.app.rooms import Desk

PAGES = ("web", "widget")  # channels that read the conversation itself, so that a person can answer there


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What the team works with. `outlets` are the channels that are written to by letters."""

    takeover: Takeover
    drafts: Drafts
    outlets: Mapping[str, Outlet]


def open_team(store: Store, parts: TurnParts, outlets: Mapping[str, Outlet], clock: Clock, ids: Ids) -> Team:
    """The team's room of a desk."""
    return Team(
        takeover=Takeover(store.database, clock, ids, outlets, pages=PAGES),
        drafts=Drafts(parts, clock, ids),
        outlets=outlets,
    )


def shelf_of(store: Store) -> Shelf:
    """What completes conversations and messages for every page."""
    return Shelf(store.conversations, store.turns, store.files, store.feedback, store.people, store.surveys)


def team_routers(desk: "Desk", shelf: Shelf) -> Sequence[APIRouter]:
    """The team's routes, and those by which its people's answers reach the pages."""
    from frontdesk.channels.web import live
    from frontdesk.console import acts, canned, inbox, satisfaction

    store, team = desk.store, desk.team
    return [
        live.router(store.conversations, store.surveys, desk.live),
        inbox.router(store.watch, store.notes, shelf, store.turns, desk.converse, desk.live),
        acts.router(
            team.takeover,
            store.notes,
            team.drafts,
            store.conversations,
            shelf,
            desk.live,
            desk.work,
            team.outlets,
        ),
        canned.router(store.canned),
        satisfaction.router(store.surveys),
    ]
