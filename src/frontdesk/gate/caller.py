"""What the gate has found out about a request, for the handlers behind it."""

from typing import cast

from starlette.requests import HTTPConnection

from frontdesk.errors import NotSignedIn
from frontdesk.messages import Caller

CALLER = "frontdesk.caller"
ADDRESS = "frontdesk.address"
ORIGIN = "frontdesk.origin"
SUBJECT = "frontdesk.subject"
RULE = "frontdesk.rule"


def caller_of(request: HTTPConnection) -> Caller:
    """Who makes this request. Raises `NotSignedIn` where nobody is known, which can only happen on public routes."""
    caller = maybe_caller_of(request)
    if caller is None:
        raise NotSignedIn("This needs somebody who is signed in")
    return caller


def maybe_caller_of(request: HTTPConnection) -> Caller | None:
    """Who makes this request, or None for somebody unknown on a public route."""
    return cast("Caller | None", request.scope.get(CALLER))


def address_of(request: HTTPConnection) -> str:
    """The caller's network address; what a proxy says counts only where the proxy is trusted."""
    return cast("str", request.scope.get(ADDRESS, ""))


def origin_of(request: HTTPConnection) -> str:
    """Scheme, host and port under which the caller reached the desk, like `https://desk.example`."""
    return cast("str", request.scope.get(ORIGIN, ""))


def note_subject(request: HTTPConnection, subject: str) -> None:
    """Tell the audit log whom or what this act was about, where the path does not."""
    request.scope[SUBJECT] = subject
