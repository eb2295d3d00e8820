"""The routes of an application, as the policy must name them."""

from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute


def routes_of(app: Starlette) -> list[tuple[str, str]]:
    """Each (method, path template) that the application answers; a mount counts as the method `mount`."""
    return sorted({call for route in app.routes for leaf in _leaves(route) for call in _calls(leaf)})


def _leaves(route: BaseRoute) -> Iterator[object]:
    contexts = getattr(route, "effective_route_contexts", None)  # how FastAPI keeps an included router
    return iter([route]) if contexts is None else contexts()


def _calls(leaf: object) -> Iterator[tuple[str, str]]:
    path = str(getattr(leaf, "path", "?"))
    if isinstance(leaf, WebSocketRoute) or isinstance(getattr(leaf, "original_route", None), WebSocketRoute):
        yield "ws", path
        return
    for method in getattr(leaf, "methods", None) or ("mount",):
        yield method, path
