"""Whether the process lives, whether it can work, and its metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from frontdesk.errors import FrontdeskError
from frontdesk.telemetry.exposition import Exposition

Check = Callable[[], Awaitable[None]]
PATIENCE = 2.0  # seconds for each check: a probe that waits longer has its answer


def routes(checks: Mapping[str, Check], exposition: Exposition | None) -> list[Route]:
    """`/health` answers while the process lives, `/ready` when every check passes (503 names those that do not).

    `/metrics` is there where there is an exposition.
    """

    found = [Route("/health", _health), _ready(checks)]
    return found if exposition is None else [*found, _metrics(exposition)]


def own_face(checks: Mapping[str, Check], exposition: Exposition | None) -> Starlette:
    """The same as an application of its own, for a port that belongs to one process alone."""
    return Starlette(routes=routes(checks, exposition))


def _ready(checks: Mapping[str, Check]) -> Route:
    async def ready(_: Request) -> Response:
        results = dict(zip(checks, await asyncio.gather(*map(_state, checks.values())), strict=True))
        well = all(state == "ok" for state in results.values())
        return JSONResponse(
            {"status": "ready" if well else "not ready", "checks": results},
            status_code=200 if well else 503,
            headers={} if well else {"Retry-After": "2"},
        )

    return Route("/ready", ready)


def _metrics(exposition: Exposition) -> Route:
    async def measured(_: Request) -> Response:
        return Response(await exposition.text(), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", measured)


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await check()
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"
    except FrontdeskError as error:
        return error.code
    except Exception as error:  # a check of a foreign client may raise anything; its words could hold an address
        return type(error).__name__
    return "ok"
