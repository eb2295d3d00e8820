"""Files that people add to their questions."""

import re
from typing import Annotated

from fastapi import APIRouter, File, Response, UploadFile

from frontdesk.api.download import BYTES, download
from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import PathId, View, Who
from frontdesk.errors import TooLarge, Unprocessable
from frontdesk.store.files import Files

MEDIA_TYPE = re.compile(r"[a-z]{1,40}/[a-z0-9.+-]{1,80}")


class Stored(View):
    """An uploaded file's facts."""

    id: str
    name: str
    media_type: str
    bytes: int


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

    @routes.get("/{id}", response_class=Response, responses=BYTES | described(404))
    async def one(id: PathId, who: Who) -> Response:
        """The file. Anything but an image is offered for saving, never shown."""
        return download(*await files.data(who.person.id, id))

    return routes


def _name(given: str) -> str:
    """The last part of a path, without what a file system or a header could trip over."""
    name = re.sub(r"[\x00-\x1f\x7f/\\]+", " ", re.split(r"[/\\]", given)[-1]).strip()
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Unprocessable("The file's name is not Unicode", where="file") from error
    return name[:200] or "file"
