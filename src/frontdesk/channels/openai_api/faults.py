"""Errors in OpenAI's shape, which its clients turn into their own exceptions."""

from collections.abc import Mapping

import msgspec
from starlette.types import Scope

from frontdesk.api.errors import request_id_of, retry_after
from frontdesk.errors import BadRequest, FrontdeskError, Unprocessable


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """`param` names the field that the error is about."""

    message: str
    type: str
    param: str | None
    code: str | None


class FaultBody(msgspec.Struct, frozen=True):
    error: Fault


TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


def fault(error: FrontdeskError) -> FaultBody:
    """The error as OpenAI would word it, with our code and hint."""
    words = f"{error.what}. {error.hint}" if error.hint else error.what
    kind = TYPES.get(error.status, "server_error")
    return FaultBody(Fault(message=words, type=kind, param=error.where, code=error.code))


def headers(error: FrontdeskError, scope: Scope) -> Mapping[str, str]:
    """When to come back, and the request's id."""
    request_id = request_id_of(scope)
    return retry_after(error.retry_after) | ({"x-request-id": request_id} if request_id else {})


def status(error: FrontdeskError) -> int:
    """OpenAI answers 400 to every request that is wrong in itself."""
    return BadRequest.status if isinstance(error, Unprocessable) else error.status


def unsupported(field: str, why: str) -> BadRequest:
    """A parameter that would change the answer and that the desk cannot honour."""
    return BadRequest(f"`{field}` is not supported: {why}", where=field)
