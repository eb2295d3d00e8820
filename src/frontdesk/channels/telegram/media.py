"""Pictures, documents and recordings: fetched, and handed on where the desk can make something of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.client import Refused, TelegramClient
from frontdesk.channels.telegram.updates import FileRef, Message, plain
from frontdesk.errors import FrontdeskError
from frontdesk.ports import Transcriber
from frontdesk.store.files import File

AT_ONCE = 2  # files in the memory of a process
PICTURES = {"image/png", "image/jpeg", "image/webp", "image/gif"}

Keep = Callable[[str, str, str, bytes], Awaitable[File]]  # person, name, media type, bytes


class GetFile(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#getfile"""

    file_id: str


class FilePath(msgspec.Struct, frozen=True, kw_only=True):
    """What `getFile` returns, as far as the desk reads it."""

    file_path: str = ""


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """What came with a message: files that were kept, words that were heard or stand for a file, and refusals."""

    file_ids: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


class _No(Exception):
    """Why a file is not taken, in words for the person."""


class Media:
    """Takes in what is attached to messages.

    `sees` says whether a model can look at pictures, `reads` whether a document of this name and media type can be
    read; `kinds` are the endings of documents, for people.
    """

    def __init__(
        self,
        client: TelegramClient,
        keep: Keep,
        *,
        largest: int,
        sees: Callable[[], bool],
        reads: Callable[[str, str], bool],
        kinds: Callable[[], str],
        transcriber: Transcriber | None,
    ) -> None:
        self._client = client
        self._keep = keep
        self._largest = largest
        self._sees = sees
        self._reads = reads
        self._kinds = kinds
        self._transcriber = transcriber
        self._places = asyncio.Semaphore(AT_ONCE)

    async def take(self, person_id: str, messages: Sequence[Message]) -> Attached:
        """Fetch what these messages of one album bring. Raises `CallFailed` where Telegram is away."""
        taken = await asyncio.gather(*(self._one(person_id, message) for message in messages))
        refusals = tuple(dict.fromkeys(refusal for each in taken for refusal in each.refusals))
        return Attached(
            file_ids=tuple(file_id for each in taken for file_id in each.file_ids),
            heard=tuple(text for each in taken for text in each.heard),
            named=tuple(name for each in taken for name in each.named),
            refusals=refusals,
        )

    async def _one(self, person_id: str, message: Message) -> Attached:
        if not message.media:
            return Attached()
        try:
            async with self._places:
                return await self._file(person_id, message)
        except _No as no:
            return Attached(refusals=(str(no),))

    async def _file(self, person_id: str, message: Message) -> Attached:
        if message.photo:
            return await self._picture(person_id, self._fitting(message.photo), "picture.jpg", "image/jpeg")
        if (recording := message.voice or message.audio) is not None:
            return await self._recording(recording)
        if message.document is not None and message.animation is None:  # an animation comes as a document too
            return await self._document(person_id, message.document)
        raise _No(words.NO_VIDEO)

    async def _picture(self, person_id: str, picture: FileRef, name: str, media_type: str) -> Attached:
        if not self._sees():
            raise _No(words.NO_PICTURES)
        file = await self._keep(person_id, name, media_type, await self._fetch(picture))
        return Attached(file_ids=(file.id,), named=(words.A_PICTURE,))

    async def _document(self, person_id: str, document: FileRef) -> Attached:
        name = plain(document.file_name).replace("/", " ").strip()[:200] or "file"
        media_type = document.mime_type.casefold()
        if media_type in PICTURES:
            return await self._picture(person_id, document, name, media_type)
        if not self._reads(name, media_type):
            raise _No(words.NO_SUCH_DOCUMENT.format(kinds=self._kinds()))
        file = await self._keep(person_id, name, media_type, await self._fetch(document))
        return Attached(file_ids=(file.id,), named=(words.A_FILE.format(name=name),))

    async def _recording(self, recording: FileRef) -> Attached:
        if self._transcriber is None:
            raise _No(words.NO_VOICE)
        data = await self._fetch(recording)
        media_type = recording.mime_type.casefold() or "audio/ogg"
        try:
            text = await self._transcriber.transcribe(data, media_type)
        except FrontdeskError as error:
            raise _No(words.NO_VOICE) from error
        if not text.strip():
            raise _No(words.NOTHING_HEARD)
        return Attached(heard=(plain(text).strip(),))

    def _fitting(self, sizes: Sequence[FileRef]) -> FileRef:
        """The largest that is not too large."""
        fitting = [size for size in sizes if (size.file_size or 0) <= self._largest]
        return max(fitting or sizes[:1], key=lambda size: (size.width, size.file_size or 0))

    async def _fetch(self, file: FileRef) -> bytes:
        too_large = words.TOO_LARGE.format(megabytes=self._largest // 1_000_000)
        if (file.file_size or 0) > self._largest:
            raise _No(too_large)
        try:
            found = await self._client.call("getFile", GetFile(file_id=file.file_id), FilePath)
            return await self._client.download(found.file_path, largest=self._largest)
        except Refused as refused:
            is_large = refused.status == 413 or "too big" in refused.description
            raise _No(too_large if is_large else words.NOT_FETCHED) from refused
