"""The routes of an application, as the policy must name them."""

import re
from collections.abc import Iterable, Iterator

from starlette.applications import Starlette
from starlette.routing import BaseRoute, WebSocketRoute

from frontdesk.gate.policy import Policy


def routes_of(app: Starlette) -> list[tuple[str, str]]:
    """Each (method, path template) that the application answers; a mount counts as the method `mount`."""
    return sorted({call for route in app.routes for leaf in _leaves(route) for call in _calls(leaf)})


def missing(policy: Policy, routes: Iterable[tuple[str, str]]) -> list[str]:
    """Those of `routes` (method, path template) that no line of the policy covers with the very same template."""
    known = {(method, _shape(rule.path)) for rule in policy.rules for method in rule.methods}
    known |= {("HEAD", path) for method, path in known if method == "GET"}
    return sorted(f"{method} {path}" for method, path in routes if (method, _shape(path)) not in known)


def _shape(path: str) -> str:
    """The template without its parameters' names."""
    return re.sub(r"\{\w+(:path)?\}", r"{\1}", path)


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
