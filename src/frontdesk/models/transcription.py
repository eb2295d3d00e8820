"""Speech to text by any service with OpenAI's endpoint for it (`POST /audio/transcriptions`)."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from pydantic import Field, PositiveFloat, SecretStr, field_validator

from frontdesk.errors import TranscriptionFailed
from frontdesk.system.section import Env, Section

if TYPE_CHECKING:
    from httpx2 import AsyncClient

ENDINGS = {
    "audio/ogg": "ogg",
    "audio/opus": "ogg",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/aac": "m4a",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "webm",
    "audio/flac": "flac",
}  # services tell the kind of a recording by the ending of its name


class TranscriptionOptions(Section):
    """Who writes down voice notes. Without an address nobody does, and people are asked to write."""

    url: Annotated[str, Env("TRANSCRIPTION_URL")] = Field(
        default="", description="An OpenAI-compatible address, like `https://api.openai.com/v1`."
    )
    api_key: Annotated[SecretStr, Env("TRANSCRIPTION_API_KEY", secret=True)] = Field(
        default=SecretStr(""), description="Its key, if it asks for one."
    )
    model: Annotated[str, Env("TRANSCRIPTION_MODEL")] = Field(
        default="whisper-1", description="The model's name at that address."
    )
    seconds: PositiveFloat = Field(default=60, description="When a transcription is given up.")

    @field_validator("url")
    @classmethod
    def _is_web(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("this is an http(s) address")
        return url.rstrip("/")


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class EndpointTranscriber:
    """A `ports.Transcriber`."""

    def __init__(self, http: "AsyncClient", options: TranscriptionOptions) -> None:
        self._http = http
        self._options = options

    async def transcribe(self, data: bytes, media_type: str) -> str:
        from httpx2 import HTTPError

        kind = media_type.partition(";")[0].strip().casefold()
        key = self._options.api_key.get_secret_value()
        try:
            answer = await self._http.post(
                f"{self._options.url}/audio/transcriptions",
                headers={"Authorization": f"Bearer {key}"} if key else {},
                data={"model": self._options.model, "response_format": "json"},
                files={"file": (f"recording.{ENDINGS.get(kind, 'ogg')}", data, kind)},
                timeout=self._options.seconds,
            )
        except HTTPError as error:
            raise TranscriptionFailed("The transcription service does not answer", where="TRANSCRIPTION_URL") from error
        if answer.status_code != 200:
            raise TranscriptionFailed(
                f"The transcription service answered {answer.status_code}", where="TRANSCRIPTION_URL"
            )
        try:
            return msgspec.json.decode(answer.content, type=_Words).text
        except (msgspec.DecodeError, UnicodeError) as error:
            raise TranscriptionFailed(
                "The transcription service answered something else than words", where="TRANSCRIPTION_URL"
            ) from error
