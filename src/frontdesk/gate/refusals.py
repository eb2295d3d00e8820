"""How the gate says no: the API's error shape, and OpenAI's under `/v1`."""

import math

import msgspec
from starlette.types import Scope, Send

from frontdesk.errors import BadRequest, Forbidden, FrontdeskError, NotFound

Headers = list[tuple[bytes, bytes]]


class MethodNotAllowed(BadRequest):
    """The address exists and takes other methods."""

    code = "method_not_allowed"
    status = 405


class OriginRefused(Forbidden):
    """A page of an origin that the owner has not listed makes the call."""

    code = "origin_refused"
    default_hint = "An owner can list the page's origin in ALLOWED_ORIGINS."


class ForgeryRefused(Forbidden):
    """An unsafe call with a cookie that does not show that it comes from the desk's own pages."""

    code = "forgery_refused"
    default_hint = "Send the header `X-Frontdesk: 1`, or use an API key."


def nothing_here() -> NotFound:
    """The answer to addresses that do not exist, and to those that are not the caller's to know of."""
    return NotFound("There is nothing at this address")


async def refuse(error: FrontdeskError, scope: Scope, send: Send, headers: Headers) -> None:
    """Answer with the error. `headers` are added as they are."""
    body = _openai_body(error) if scope["path"].startswith("/v1/") else _body(error, scope)
    own: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    if error.retry_after is not None:
        own.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
    if error.status == 401:
        own.append((b"www-authenticate", b'Bearer realm="frontdesk"'))
    await send({"type": "http.response.start", "status": error.status, "headers": own + headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _body(error: FrontdeskError, scope: Scope) -> bytes:
    request_id = scope.get("state", {}).get("request_id")
    described = {
        "code": error.code,
        "message": error.what,
        "where": error.where,
        "hint": error.hint,
        "request_id": request_id,
    }
    return msgspec.json.encode({"error": described})


def _openai_body(error: FrontdeskError) -> bytes:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    message = f"{error.what}. {error.hint}".strip() if error.hint else error.what
    described = {
        "message": message,
        "type": kinds.get(error.status, "invalid_request_error"),
        "param": error.where,
        "code": error.code,
    }
    return msgspec.json.encode({"error": described})
