"""Files that people add to their questions."""

import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Response, UploadFile

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import PathId, View, Who
from frontdesk.errors import TooLarge, Unprocessable
from frontdesk.store.files import Files

SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif")  # the only kinds that a browser may show in place
MEDIA_TYPE = re.compile(r"[a-z]{1,40}/[a-z0-9.+-]{1,80}")


class Stored(View):
    """An uploaded file's facts."""

    id: str
    name: str
    media_type: str
    bytes: int


BYTES: dict[int | str, dict[str, Any]] = {  # the form that FastAPI's `responses=` has
    200: {"description": "The bytes", "content": {"application/octet-stream": {}}}
}


def router(files: Files, max_bytes: int) -> APIRouter:
    """The routes of files; an upload may have `max_bytes`."""
    routes = APIRouter(prefix="/api/v1/files", tags=["files"], responses=COMMON)

    @routes.post("", status_code=201, responses=described(413))
    async def add(file: Annotated[UploadFile, File()], who: Who) -> Stored:
        """Upload a file; name its id in a question's `file_ids`."""
        data = await file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise TooLarge(f"A file may have {max_bytes} bytes", where="file")
        declared = (file.content_type or "").partition(";")[0].strip().lower()
        media_type = declared if MEDIA_TYPE.fullmatch(declared) else "application/octet-stream"
        return Stored.model_validate(await files.add(who.person.id, _name(file.filename or ""), media_type, data))

    @routes.get(
        "/{id}",
        response_class=Response,
        responses=BYTES | described(404),
    )
    async def one(id: PathId, who: Who) -> Response:
        """The file. Anything but an image is offered for saving, never shown."""
        facts, data = await files.data(who.person.id, id)
        shown = facts.media_type in SHOWN
        how = "inline" if shown else "attachment"
        headers = {
            "Content-Disposition": f"{how}; filename*=UTF-8''{quote(facts.name)}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=3600",
        }
        return Response(data, media_type=facts.media_type if shown else "application/octet-stream", headers=headers)

    return routes


def _name(given: str) -> str:
    """The last part of a path, without what a file system or a header could trip over."""
    name = re.sub(r"[\x00-\x1f\x7f/\\]+", " ", re.split(r"[/\\]", given)[-1]).strip()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Unprocessable("The file's name is not Unicode", where="file") from error
    return name[:200] or "file"
