"""Reading a body and sending an answer, without the price of a framework: these are the desk's hottest routes."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from frontdesk.api.errors import Internal, request_id_of
from frontdesk.channels.openai_api import faults
from frontdesk.errors import BadRequest, FrontdeskError

log = structlog.get_logger("frontdesk.openai_api")

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


async def read(receive: Receive, decoder: msgspec.json.Decoder[T]) -> T:
    """The request's body. Raises `BadRequest` with the field's path. The gate has bounded its size."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$.")
        raise BadRequest(what, where=place.rstrip("`") or "body") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON", where="body") from error


async def send_json(send: Send, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
    """Answer with `value` as JSON."""
    body = _encoder.encode(value)
    raw = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    raw += [(name.encode(), text.encode("latin-1", "replace")) for name, text in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


class Guarded:
    """An endpoint whose errors are answered in OpenAI's shape."""

    def __init__(self, endpoint: ASGIApp) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._endpoint(scope, receive, send)
        except FrontdeskError as error:
            await _send_fault(error, scope, send)
        except Exception:
            log.exception("request_failed", request_id=request_id_of(scope))
            await _send_fault(Internal(), scope, send)


async def _send_fault(error: FrontdeskError, scope: Scope, send: Send) -> None:
    await send_json(send, faults.fault(error), status=faults.status(error), headers=faults.headers(error, scope))
