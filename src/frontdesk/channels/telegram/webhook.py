"""Where Telegram posts updates: each is a row before it is acknowledged, and worked on afterwards."""

import hmac

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.api.errors import answer
from frontdesk.channels.telegram.updates import KINDS, read
from frontdesk.errors import FrontdeskError, NotFound, NotSignedIn, TooLarge
from frontdesk.ports import Dispatcher
from frontdesk.store.updates import NewUpdate, Updates
from frontdesk.telemetry import metrics

PATH = "/webhook"
SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 a name, no secret
LARGEST = 1024 * 1024  # bytes; Telegram's own updates stay far below


class SetWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#setwebhook"""

    url: str
    secret_token: str
    allowed_updates: tuple[str, ...] = KINDS
    max_connections: int = 40


class Arrivals:
    """Takes updates in, whether they were posted or fetched."""

    def __init__(self, updates: Updates, dispatcher: Dispatcher) -> None:
        self._updates = updates
        self._dispatcher = dispatcher

    async def take(self, update: NewUpdate) -> bool:
        """Keep the update and have it worked on; whether it is new. Raises `StoreUnavailable`, and nothing is kept."""
        is_new = await self._updates.add(update)
        metrics.telegram_updates.labels(update.kind, "accepted" if is_new else "duplicate").inc()
        if is_new and not update.keep and not update.wait:
            await self._dispatcher.ready("update", update.lane)
        return is_new


def route(arrivals: Arrivals, secret: str) -> Route:
    """The webhook. A post without the secret is refused before its body is read; it leaves no trace.

    What Telegram would post again in vain (a kind that nobody knows) is answered 200; what is no update, 400; while
    the database is away, 503, and Telegram posts it again.
    """
    expected = secret.encode()

    async def post(request: Request) -> Response:
        shown = request.headers.get(SECRET_HEADER, "").encode("latin-1", "replace")
        if not hmac.compare_digest(shown, expected):
            metrics.telegram_updates.labels("unknown", "refused").inc()
            hint = (
                "Telegram sends the secret that `setWebhook` has told it. Set it again: `frontdesk telegram webhook`."
            )
            return answer(NotSignedIn("This post does not bear the webhook's secret", hint=hint), request.scope)
        try:
            await arrivals.take(read(await _body(request)))
        except ClientDisconnect:
            return Response(status_code=400)
        except FrontdeskError as error:
            if error.status < 500:
                metrics.telegram_updates.labels("unknown", "refused").inc()
            return answer(error, request.scope)
        return Response(status_code=200)

    return Route(PATH, post, methods=["POST"])


def closed() -> Route:
    """The webhook of a desk that has no bot."""

    async def post(request: Request) -> Response:
        hint = "Set TELEGRAM_BOT_TOKEN, or take this address out of the bot's webhook."
        return answer(NotFound("No bot is set up here", hint=hint), request.scope)

    return Route(PATH, post, methods=["POST"])


async def _body(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST:
            raise TooLarge(f"An update has at most {LARGEST} bytes", where="body")
        pieces.append(piece)
    return b"".join(pieces)
