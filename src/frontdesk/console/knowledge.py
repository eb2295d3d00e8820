"""What the desk knows, and a box to try a question in."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal, Protocol, cast

from fastapi import APIRouter, Query, Request
from pydantic import Field, ValidationError
from starlette.datastructures import UploadFile

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, Limit, PathId, ShortText, Text, View, Words
from frontdesk.errors import BadRequest, TooLarge, Unprocessable
from frontdesk.gate.caller import note_subject
from frontdesk.messages import Document, Found

LONGEST_URL = 2_000
FORM_EXTRA = 64_000  # bytes that a form's own marks may add to its file


class Problem(Protocol):
    """A document that could not be read."""

    @property
    def source(self) -> str: ...

    @property
    def what(self) -> str: ...

    @property
    def hint(self) -> str: ...


class Library(Protocol):
    """What the console asks of the knowledge."""

    @property
    def notice(self) -> str: ...

    @property
    def problems(self) -> tuple[Problem, ...]: ...

    async def documents(self, *, query: str = "", limit: int | None = None, after: str = "") -> list[Document]: ...

    async def add_upload(self, name: str, media_type: str, data: bytes) -> Document: ...

    async def add_url(self, url: str) -> Document: ...

    async def remove(self, document_id: str) -> Document: ...

    async def search(self, question: str, *, limit: int = 6) -> Found: ...


class DocumentView(View):
    """A document. While `embedded` is less than `passages`, it is found by its words alone."""

    id: str
    title: str
    source: str
    origin: str
    media_type: str
    size: int
    passages: int
    embedded: int
    added_at: datetime
    updated_at: datetime


class ProblemView(View):
    """A document that is not known, and why."""

    source: str
    what: str
    hint: str


class DocumentsView(View):
    """A page of documents. `notice` says why search goes by words alone, if it does."""

    items: list[DocumentView]
    next: str | None
    problems: list[ProblemView]
    notice: str


class UrlBody(Body):
    """A page to know."""

    url: Annotated[Text, Field(min_length=1, max_length=LONGEST_URL)]


class QuestionBody(Body):
    """A question to try."""

    question: Annotated[ShortText, Field(min_length=1)]


class PassageView(View):
    """A passage that was found; a higher `score` is better."""

    id: str
    document_id: str
    title: str
    source: str
    heading: str
    text: str
    score: float


class TriedView(View):
    """What the desk would do: quote the owner's words, let a strong model answer from them, or say it does not know."""

    confidence: float
    would: Literal["quote", "answer", "not_known"]
    passages: list[PassageView]


FORMS = {  # the two bodies of one route, for the OpenAPI document
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            "application/json": {"schema": UrlBody.model_json_schema()},
        },
    }
}


def router(
    library: Library, *, largest: int, quote_confidence: float, has_strong_model: Callable[[], bool]
) -> APIRouter:
    """The routes of knowledge; an upload may have `largest` bytes."""
    routes = APIRouter(prefix="/api/v1/knowledge", tags=["knowledge"], responses=COMMON)

    @routes.get("/documents")
    async def documents(
        limit: Limit = 50,
        cursor: Annotated[str, Query(pattern=r"^[A-Za-z0-9_-]{0,100}$", description="`next` of the page before.")] = "",
        query: Words = "",
    ) -> DocumentsView:
        """The documents, the oldest first, and those that could not be read."""
        found = await library.documents(query=query, limit=limit + 1, after=cursor)
        page = found[:limit]
        return DocumentsView(
            items=[DocumentView.model_validate(document) for document in page],
            next=page[-1].id if len(found) > limit else None,
            problems=[ProblemView.model_validate(problem) for problem in library.problems],
            notice=library.notice,
        )

    @routes.post("/documents", status_code=201, responses=described(413), openapi_extra=FORMS)
    async def add(request: Request) -> DocumentView:
        """Know a file (a form with `file`) or a page (JSON with `url`). The same one again changes nothing."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            document = await _upload(request, library, largest)
        elif kind == "application/json":
            document = await library.add_url((await _url(request)).url)
        else:
            raise BadRequest("Send a form with `file`, or JSON with `url`", where="content-type")
        note_subject(request, document.id)
        return DocumentView.model_validate(document)

    @routes.delete("/documents/{id}", status_code=204, responses=described(404))
    async def remove(id: PathId) -> None:
        """Forget a document, with all that was made of it."""
        await library.remove(id)

    @routes.post("/try")
    async def try_question(body: QuestionBody) -> TriedView:
        """What the desk finds for a question, and what it would do with it."""
        found = await library.search(body.question)
        known = found.confidence >= quote_confidence and bool(found.passages)
        return TriedView(
            confidence=found.confidence,
            would=("answer" if has_strong_model() else "quote") if known else "not_known",
            passages=[PassageView.model_validate(passage) for passage in found.passages],
        )

    return routes


async def _upload(request: Request, library: Library, largest: int) -> Document:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > largest + FORM_EXTRA:
        raise TooLarge(f"A document may have {largest} bytes", where="file")
    async with request.form(max_files=1, max_fields=4) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Unprocessable("The form has no file", where="file")
        data = await file.read(largest + 1)
        if len(data) > largest:
            raise TooLarge(f"A document may have {largest} bytes", where="file")
        return await library.add_upload(_name(file.filename), file.content_type or "", data)


async def _url(request: Request) -> UrlBody:
    try:
        return UrlBody.model_validate_json(await request.body())
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in cast("tuple[object, ...]", problem["loc"])) or None
        raise Unprocessable(problem["msg"], where=where) from error


def _name(given: str | None) -> str:
    """The file's name, fit for the database."""
    return (given or "document").encode("utf-8", "replace").decode().replace("\0", "")[:200]
