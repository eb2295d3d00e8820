"""Recordings become words at any service with OpenAI's endpoint."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from frontdesk.errors import TranscriptionFailed
from frontdesk.models.transcription import EndpointTranscriber, TranscriptionOptions
from frontdesk.testing.serve import serve


@dataclass
class Service:
    """Answers as told, and keeps what it was asked."""

    url: str = ""
    status: int = 200
    body: bytes = b'{"text": " Hello there. ", "language": "en"}'
    asked: list[tuple[str, str, str, bytes]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        key = request.headers.get("authorization", "")
        async with request.form() as form:
            file = form["file"]
            assert isinstance(file, UploadFile)
            self.asked.append((key, str(form["model"]), file.filename or "", await file.read()))
        return Response(self.body, status_code=self.status)


@pytest.fixture
async def service() -> AsyncGenerator[Service]:
    service = Service()
    app = Starlette(routes=[Route("/v1/audio/transcriptions", service.answer, methods=["POST"])])
    async with serve(app) as url:
        service.url = f"{url}/v1/"
        yield service


@pytest.fixture
async def transcriber(service: Service) -> AsyncGenerator[EndpointTranscriber]:
    options = TranscriptionOptions.model_validate({"url": service.url, "api_key": "a-key", "model": "ears-1"})
    async with httpx2.AsyncClient() as http:
        yield EndpointTranscriber(http, options)


async def test_a_recording_becomes_words(service: Service, transcriber: EndpointTranscriber) -> None:
    assert (await transcriber.transcribe(b"OggS", "audio/ogg; codecs=opus")).strip() == "Hello there."
    await transcriber.transcribe(b"ID3", "audio/mpeg")
    assert service.asked == [
        ("Bearer a-key", "ears-1", "recording.ogg", b"OggS"),
        ("Bearer a-key", "ears-1", "recording.mp3", b"ID3"),
    ]


@pytest.mark.parametrize(("status", "body"), [(500, b""), (401, b"{}"), (200, b"nothing"), (200, b'{"words": "x"}')])
async def test_a_service_that_fails_is_told_from_one_that_hears_nothing(
    service: Service, transcriber: EndpointTranscriber, status: int, body: bytes
) -> None:
    service.status, service.body = status, body
    with pytest.raises(TranscriptionFailed):
        await transcriber.transcribe(b"OggS", "audio/ogg")


async def test_a_service_that_is_away_is_told() -> None:
    options = TranscriptionOptions(url="http://127.0.0.1:9/v1")
    async with httpx2.AsyncClient() as http:
        with pytest.raises(TranscriptionFailed):
            await EndpointTranscriber(http, options).transcribe(b"OggS", "audio/ogg")
