"""What browsers load: the script that a site's pages name, the panel that it shows in a frame, and a page to try it on.

The panel stands on the desk's origin and needs nothing of the page round it but to be let in: `script-src` and
`frame-src` of the site's policy must name the desk.
"""

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.errors import NotFound
from frontdesk.gate.caller import origin_of
from frontdesk.gate.origins import framed_headers, framing_headers
from frontdesk.gate.sites import Site
from frontdesk.gate.widget import WidgetDoor

LOOKS = "__SITES__"  # where the built script takes the sites' looks
SOON = "public, max-age=300, stale-while-revalidate=86400"  # a changed label is seen on the second page at the latest
ANYWHERE = {"cross-origin-resource-policy": "cross-origin"}
SAFE_IN_SCRIPT = str.maketrans({"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def routes(door: WidgetDoor, pages: Path, *, with_demo: bool) -> list[Route]:
    """`/widget.js`, `/widget` and, with `with_demo`, `/widget/demo`, from the built files in `pages`."""
    loader = _Loader(pages / "widget" / "loader.js", door.sites)

    async def script(request: Request) -> Response:
        return loader.answer(request)

    async def panel(request: Request) -> Response:
        site = door.site(request.query_params.get("site", ""))
        here = (origin_of(request),) if with_demo else ()
        return _page(pages / "widget.html", framed_headers((*site.origins, *here)))

    async def demo(_: Request) -> Response:
        if not with_demo or not door.sites:
            raise NotFound("There is nothing at this address")
        return _page(pages / "widget-demo.html", framing_headers())

    addresses = {"/widget.js": script, "/widget": panel, "/widget/demo": demo}
    return [Route(path, endpoint, methods=["GET"]) for path, endpoint in addresses.items()]


class _Loader:
    """The script with the looks of the sites in it: one small file serves all of them, and asks for nothing more."""

    def __init__(self, path: Path, sites: Sequence[Site]) -> None:
        looks = {site.id: (site.label, site.accent, site.on_accent, site.position) for site in sites}
        text = msgspec.json.encode(looks).decode().translate(SAFE_IN_SCRIPT)
        built = path.read_text(encoding="utf-8") if path.is_file() else ""
        self._body = built.replace(LOOKS, text).encode() if sites else b""
        self._gzipped = gzip.compress(self._body, 9, mtime=0)
        self._headers = {
            **ANYWHERE,
            "Cache-Control": SOON,
            "ETag": f'"{hashlib.sha256(self._body).hexdigest()[:32]}"',
            "Vary": "Accept-Encoding",
        }

    def answer(self, request: Request) -> Response:
        if not self._body:
            raise NotFound("This desk shows no widget")
        if request.headers.get("if-none-match") == self._headers["ETag"]:
            return Response(status_code=304, headers=self._headers)
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        headers = {**self._headers, "Content-Encoding": "gzip"} if zipped else self._headers
        return Response(self._gzipped if zipped else self._body, media_type="text/javascript", headers=headers)


def _page(path: Path, headers: Mapping[str, str]) -> Response:
    if not path.is_file():
        raise NotFound("There is nothing at this address", hint="`make setup` builds the pages.")
    return Response(path.read_bytes(), media_type="text/html", headers={**headers, "Cache-Control": "no-cache"})
