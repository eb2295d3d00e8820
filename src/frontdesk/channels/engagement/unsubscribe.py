"""/unsubscribe/{token}: where the link of a letter leads, and where mailbox providers say that it was pressed.

Scanners follow every link of a letter, so opening the page changes nothing; only a POST does: from its button, or from
a mailbox provider that bears no cookie and no origin (RFC 8058). Whoever holds the link may stop that one channel, and
learns nothing but its name and the desk's.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.channels.engagement import unsubscribe_page as page
from frontdesk.decision.feedback import Feedback
from frontdesk.delivery.unsubscribe import PATH, StopLinks
from frontdesk.engagement import Channel
from frontdesk.errors import FrontdeskError, UnknownDecision


def route(links: StopLinks, feedback: Feedback, desk_name: str) -> Route:
    """The page and its act."""

    async def stop(decision_id: str, method: str) -> Channel:
        channel = await feedback.channel(decision_id)
        if method == "POST":
            await feedback.unsubscribe(decision_id)
        return channel

    async def answer(request: Request) -> Response:
        decision_id = links.decision(request.path_params["token"])
        if decision_id is None:
            return page.response(page.WRONG, desk_name, status=404)
        try:
            channel = await stop(decision_id, request.method)
        except UnknownDecision:  # the customer was erased
            return page.response(page.NOBODY, desk_name)
        except FrontdeskError as error:
            return page.response(page.LATER, desk_name, status=error.status)
        return page.response(page.DONE if request.method == "POST" else page.ASKED, desk_name, channel)

    return Route(f"{PATH}/{{token}}", answer, methods=["GET", "POST"])
