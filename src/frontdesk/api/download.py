"""A person's file as an answer: a picture may be shown in place, anything else is saved and never run."""

from typing import Any
from urllib.parse import quote

from fastapi import Response

from frontdesk.store.files import File

SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif")  # the only kinds that a browser may show in place

BYTES: dict[int | str, dict[str, Any]] = {  # the form that FastAPI's `responses=` has
    200: {"description": "The bytes", "content": {"application/octet-stream": {}}}
}


def download(file: File, data: bytes) -> Response:
    """The bytes under headers that keep a browser from running them on the desk's origin."""
    shown = file.media_type in SHOWN
    headers = {
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(file.name)}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=3600",
    }
    return Response(data, media_type=file.media_type if shown else "application/octet-stream", headers=headers)
