"""Errors in the one shape that every API answer of the desk has.

`{"error": {"code", "message", "where", "hint", "request_id"}}`, with `Retry-After` where waiting helps. What was not
foreseen is logged and answered with its request id and nothing else.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frontdesk.errors import BadRequest, Forbidden, FrontdeskError, NotFound, TooLarge, Unprocessable

log = structlog.get_logger("frontdesk.api")

REF = "#/components/schemas/{model}"


class Error(BaseModel):
    """What went wrong and what to do."""

    code: str = Field(description="Stable: programs may rely on it.", examples=["not_found"])
    message: str = Field(description="One plain sentence.", examples=["There is no such conversation"])
    where: str | None = Field(default=None, description="The field, name or place that it is about.")
    hint: str = Field(default="", description="The mending act.")
    request_id: str | None = Field(default=None, description="Finds the request in the desk's log.")


class ErrorBody(BaseModel):
    """The body of every answer from 400 up."""

    error: Error


# Named here and put into the document by `install`: given the model, FastAPI would build a validator for each status of
# each route, which was half of what it takes to make the routes.
_SHAPE = {"application/json": {"schema": {"$ref": REF.format(model="ErrorBody")}}}


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:  # the form that FastAPI's `responses=` has
    """The error answers of a route, for the OpenAPI document."""
    meanings = {
        400: "The request cannot be understood",
        401: "No credential, or a wrong one",
        403: "The caller may not do this",
        404: "There is nothing of that id, or it is not the caller's",
        409: "It has changed, or was done already",
        413: "Too large",
        422: "A value cannot be used",
        429: "A limit is used up; see Retry-After",
        503: "The desk cannot serve now; see Retry-After",
    }
    return {status: {"content": _SHAPE, "description": meanings[status]} for status in statuses}


COMMON = described(400, 401, 403, 422, 429, 503)


def install(app: FastAPI) -> None:
    """Answer every error of `app` in the one shape, and tell it in its document."""
    app.openapi = partial(_with_the_shape, app.openapi)
    app.add_exception_handler(FrontdeskError, _designed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_middleware(Unforeseen)


def _with_the_shape(document: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The OpenAPI document, with the schema that `described` names."""
    found = document()
    body = ErrorBody.model_json_schema(ref_template=REF)
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas |= body.pop("$defs") | {"ErrorBody": body}
    found["components"]["schemas"] = dict(sorted(schemas.items()))
    return found


def request_id_of(scope: Scope) -> str | None:
    """The id that telemetry gave this request."""
    return cast("dict[str, str]", scope.get("state", {})).get("request_id")


def answer(error: FrontdeskError, scope: Scope) -> Response:
    """The error as a response."""
    body = Error(
        code=error.code, message=error.what, where=error.where, hint=error.hint, request_id=request_id_of(scope)
    )
    return JSONResponse({"error": body.model_dump()}, status_code=error.status, headers=retry_after(error.retry_after))


def retry_after(seconds: float | None) -> dict[str, str]:
    """The header that says when to come back."""
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}


class Unforeseen:
    """Wraps an application: an error that nobody designed is logged and answered 500 `internal`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http":
                raise
            log.exception("request_failed", request_id=request_id_of(scope))
            if started:
                raise
            await answer(Internal(), scope)(scope, receive, send)


class Internal(FrontdeskError):
    """The desk made a mistake. The log has it under the request's id."""

    code = "internal"
    status = 500
    default_hint = "Tell the operator of this desk the request id; the log has the details under it."

    def __init__(self) -> None:
        super().__init__("Something went wrong at the desk")


async def _designed(request: Request, error: Exception) -> Response:
    assert isinstance(error, FrontdeskError)
    return answer(error, request.scope)


_OF_A_CHOICE = re.compile(r"\w[\[(]|^[A-Z]\w*Body$")  # how pydantic calls one of several forms that a value may have


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = cast("dict[str, Any]", error.errors()[0])  # pydantic's own description of one mistake
    place = [str(part) for part in cast("Sequence[str | int]", first["loc"]) if not _OF_A_CHOICE.search(str(part))]
    if first["type"] == "json_invalid":
        return answer(BadRequest("The body is not valid JSON", where="body"), request.scope)
    return answer(Unprocessable(_printable(first["msg"]), where=_printable(".".join(place))), request.scope)


async def _of_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        body = {"code": "method_not_allowed", "message": "This address does not take that method"}
        body |= {"where": request.method, "hint": "", "request_id": request_id_of(request.scope)}
        return JSONResponse({"error": body}, status_code=405, headers=error.headers)
    kinds: dict[int, type[FrontdeskError]] = {403: Forbidden, 404: NotFound, 413: TooLarge, 422: Unprocessable}
    kind = kinds.get(error.status_code, BadRequest)
    words = "There is nothing at this address" if kind is NotFound else _printable(error.detail)
    return answer(kind(words, where="body" if kind is BadRequest else None), request.scope)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
