"""The built pages: chat, console and sign-in, with their assets.

Assets bear a hash of their content in their names and never change, so browsers keep them for good; the pages
themselves are asked for again each time.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.errors import NotFound

HASHED = re.compile(r"-[A-Za-z0-9_-]{8,}\.\w+$")
FOREVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
WORTH_ZIPPING = 1_000  # bytes

PAGES = {"/": "index.html", "/sign-in": "sign-in.html", "/console": "console.html"}
DEEP = {"/c/{conversation_id}": "index.html", "/console/{path:path}": "console.html"}


@dataclass(frozen=True)
class _Kept:
    body: bytes
    zips: bool
    media_type: str
    etag: str
    cache: str

    @cached_property
    def gzipped(self) -> bytes:
        """The body for browsers that take it so. To squeeze all files at the start would make every start wait."""
        return gzip.compress(self.body, 9, mtime=0)


class Pages:
    """Serves the files of `folder` from memory: they are few, small and known at the start."""

    def __init__(self, folder: Path) -> None:
        self._kept = {
            path.relative_to(folder).as_posix(): _keep(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix not in (".gz", ".py")
        }

    def routes(self) -> list[Route]:
        """The addresses of pages and assets."""
        pages = [Route(path, self._page(name), methods=["GET"]) for path, name in (PAGES | DEEP).items()]
        small = [
            Route(f"/{name}", self._page(name), methods=["GET"])
            for name in self._kept
            if "/" not in name and not name.endswith(".html")
        ]
        return [*pages, *small, Route("/assets/{path:path}", self._asset, methods=["GET"])]

    def _page(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def page(request: Request) -> Response:
            return self._serve(name, request)

        return page

    async def _asset(self, request: Request) -> Response:
        return self._serve(f"assets/{request.path_params['path']}", request)

    def _serve(self, name: str, request: Request) -> Response:
        kept = self._kept.get(name)
        if kept is None:
            raise NotFound(
                "There is nothing at this address",
                hint="`make setup` builds the pages." if name in PAGES.values() else None,
            )
        headers = {"ETag": kept.etag, "Cache-Control": kept.cache, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == kept.etag:
            return Response(status_code=304, headers=headers)
        body = kept.body
        if kept.zips and "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = kept.gzipped, "gzip"
        return Response(body, media_type=kept.media_type, headers=headers)


def _keep(path: Path) -> _Kept:
    body = path.read_bytes()
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    text = media_type.startswith("text/") or media_type in ("application/javascript", "image/svg+xml")
    return _Kept(
        body=body,
        zips=text and len(body) > WORTH_ZIPPING,
        media_type=media_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        cache=FOREVER if HASHED.search(path.name) else ASK_AGAIN,
    )
