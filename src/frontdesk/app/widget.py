"""The widget, wired: its door, its routes, and the files that browsers load."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter
from starlette.routing import Route

from frontdesk.channels.widget import files, session
from frontdesk.gate.sites import WidgetOptions
from frontdesk.gate.widget import WidgetDoor
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database
from frontdesk.store.people import People
from frontdesk.store.widget import WidgetVisitors
from frontdesk.system.options import DeskOptions
from frontdesk.system.system import System


def widget_door(system: System, database: Database, people: People, key: bytes, clock: Clock, ids: Ids) -> WidgetDoor:
    """The way in. Raises `BadSetting` where a site's secret is missing or short."""
    sites = system.section(WidgetOptions).sites
    secrets = {site.id: system.variable(site.identity) or "" for site in sites if site.identity is not None}
    return WidgetDoor(sites, secrets, people, WidgetVisitors(database, clock, ids), key, clock, ids)


def widget_router(system: System, door: WidgetDoor) -> APIRouter:
    """The API of the panel."""
    return session.router(door, system.section(DeskOptions))


def widget_routes(system: System, door: WidgetDoor, pages: Path) -> Sequence[Route]:
    """The script, the panel and, while developing, a page to try them on."""
    return files.routes(door, pages, with_demo=system.environment == "development")
