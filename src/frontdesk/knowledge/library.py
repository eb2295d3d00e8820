"""The library: what the desk knows, kept in step with folders and pages, and searched.

Reading and embedding are two steps. A document can be found by its words as soon as it is read; its vectors follow in
the background. Everything is idempotent by digest: what did not change costs a look at its bytes and no more.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path, PurePosixPath

import msgspec
import structlog

from frontdesk.egress import Egress
from frontdesk.errors import FrontdeskError, NotFound, TooLarge, Unprocessable
from frontdesk.knowledge.cutting import cut
from frontdesk.knowledge.embedding import open_embedder
from frontdesk.knowledge.folders import Folder, folders_of
from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.knowledge.readers import read
from frontdesk.knowledge.search import Hybrid
from frontdesk.knowledge.shelf import Shelf
from frontdesk.messages import Document, Draft, Found, Passage, PassageContext, Piece
from frontdesk.ports import Clock, Embedder

READING = b"1"  # grows when readers or cutting change, so that documents are read anew
RETRY_SECONDS = 30.0

log = structlog.get_logger(__name__)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far an act has come: `done` of `total` documents or passages."""

    act: str
    done: int
    total: int
    name: str = ""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A document that is not known because it could not be read or fetched."""

    source: str
    what: str
    hint: str


Watcher = Callable[[Progress], None]


class Library:
    """Open with `start`, end with `close`. Without `start` it searches by words and embeds nothing by itself."""

    def __init__(
        self,
        shelf: Shelf,
        egress: Egress,
        options: KnowledgeOptions,
        clock: Clock,
        *,
        make_embedder: Callable[[], Embedder | None] | None = None,
    ) -> None:
        self._shelf = shelf
        self._egress = egress
        self._options = options
        self._clock = clock
        self._make_embedder = make_embedder or (lambda: open_embedder(options.embedder))
        self._embedder: Embedder | None = None
        self._hybrid = Hybrid(shelf, None)
        self._tasks: list[asyncio.Task[None]] = []
        self._work = asyncio.Event()
        self._looked = asyncio.Event()
        self._problems: dict[str, tuple[str, Problem]] = {}
        self.notice = ""  # why search goes by words alone, if it does

    # --- life ---------------------------------------------------------------

    async def start(self, *, watch: bool = True) -> None:
        """Load the embedder, look at folders and pages, and keep doing so, all in the background."""
        self._tasks.append(asyncio.create_task(self._embed_forever(), name="knowledge-embedding"))
        if watch:
            self._tasks.append(asyncio.create_task(self._watch_folders(), name="knowledge-folders"))
            self._tasks.append(asyncio.create_task(self._watch_pages(), name="knowledge-pages"))

    async def ready(self) -> None:
        """Wait until the folders have been looked at once since `start`, so that their words can be found."""
        await self._looked.wait()

    async def close(self) -> None:
        """Stop the background work; what is under way is taken up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def open_embedder(self) -> None:
        """Load the embedder now, if that has not been done. Where it cannot work, `notice` says why.

        Raises `StoreUnavailable`; it may be tried again then.
        """
        if self._embedder is not None or self.notice:
            return
        try:
            embedder = await asyncio.to_thread(self._make_embedder)
        except FrontdeskError as error:
            self.notice = f"{error} {error.hint}".strip()
            log.warning("search_goes_by_words_alone", code=error.code)
            return
        if embedder is None:
            self.notice = "No embedder is chosen: search goes by words alone."
            return
        await self._shelf.adopt(embedder.name)
        self._embedder, self._hybrid = embedder, Hybrid(self._shelf, embedder)

    @property
    def embedder(self) -> Embedder | None:
        """What makes the vectors, once `open_embedder` has loaded it."""
        return self._embedder

    async def count(self) -> int:
        """How many documents are known."""
        return len(await self._shelf.digests())

    # --- search -------------------------------------------------------------

    async def search(self, question: str, *, limit: int = 6) -> Found:
        """The passages that fit the question best, and how sure it is that they answer it."""
        return await self._hybrid.search(question, limit)

    async def passage(self, passage_id: str) -> Passage:
        """One passage. Raises `NotFound`."""
        return await self._shelf.passage(passage_id)

    async def context(self, passage_id: str) -> PassageContext:
        """One passage with its surroundings. Raises `NotFound`."""
        return await self._shelf.context(passage_id)

    # --- documents ----------------------------------------------------------

    async def documents(self, *, query: str = "", limit: int | None = None, after: str = "") -> list[Document]:
        """The documents, by age; `after` is the last id of the page before."""
        return await self._shelf.documents(query=query, limit=limit, after=after)

    async def document(self, document_id: str) -> Document:
        """One document. Raises `NotFound`."""
        return await self._shelf.document(document_id)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be read when it was last looked at."""
        return tuple(problem for _, problem in self._problems.values())

    async def add_upload(self, name: str, media_type: str, data: bytes) -> Document:
        """Know this file. One of the same name is replaced. Raises `UnreadableDocument` or `TooLarge`."""
        plain = PurePosixPath(name.replace("\\", "/")).name or "document"
        return await self._add(f"upload/{plain}", "upload", data, media_type=media_type)

    async def add_url(self, url: str, *, origin: str = "url") -> Document:
        """Know this page. Raises `AddressRefused`, `UnreadableDocument`, `TooLarge` or `Unprocessable`."""
        page = await self._egress.fetch(url)
        return await self._add(url, origin, page.data, media_type=page.media_type, charset=page.charset)

    async def add_path(self, path: Path, *, watcher: Watcher | None = None) -> list[Document]:
        """Know this file, or every readable file of this folder. What cannot be read is skipped and in `problems`."""
        full = await asyncio.to_thread(path.resolve)
        if await asyncio.to_thread(full.is_file):
            data = await asyncio.to_thread(self._bytes, full)
            return [await self._add(str(full), "path", data)]
        if not await asyncio.to_thread(full.is_dir):
            raise NotFound("There is no such file or folder", where=str(path))
        folder = Folder(label=str(full), path=full)
        known = await self._follow_folder(folder, "path", watcher)
        documents = await self._shelf.documents()
        return [document for document in documents if document.source in known]

    async def remove(self, document_id: str) -> Document:
        """Forget a document, with all that was made of it. Raises `NotFound`.

        One that came from a watched folder returns with the next look, unless the file goes too.
        """
        document = await self._shelf.document(document_id)
        await self._shelf.remove([document_id])
        self._hybrid.changed()
        return document

    # --- keeping in step ----------------------------------------------------

    async def sync(self, *, watcher: Watcher | None = None) -> None:
        """Look at all folders once: new and changed files are read, vanished ones forgotten."""
        folders = folders_of(self._options)
        for folder in folders:
            if not await asyncio.to_thread(folder.path.is_dir):
                log.warning("knowledge_folder_away", path=str(folder.path))
                continue
            present = await self._follow_folder(folder, folder.origin, watcher)
            await self._forget(_vanished(folder, present))
        origins = {folder.origin for folder in folders}
        await self._forget(lambda document: document.origin.startswith("folder:") and document.origin not in origins)

    async def sync_pages(self) -> None:
        """Fetch all configured pages once. One that is away keeps what was known of it."""
        for url in self._options.urls:
            try:
                await self.add_url(url, origin="urls")
                self._problems.pop(url, None)
            except FrontdeskError as error:
                self._note(url, "", error)
        await self._forget(lambda document: document.origin == "urls" and document.source not in self._options.urls)

    async def embed_pending(self, *, watcher: Watcher | None = None) -> int:
        """Give every passage that has none its vector. Returns how many. Raises `ModelUnavailable`."""
        if self._embedder is None:
            return 0
        done = 0
        total = 0
        while batch := await self._shelf.unembedded(self._options.embedder.batch):
            vectors = await self._embedder.embed_passages([_embedded_text(piece) for _, piece in batch])
            pairs = [(seq, vector) for (seq, _), vector in zip(batch, vectors, strict=True)]
            await self._shelf.embed(self._embedder.name, pairs)
            self._hybrid.changed()
            done += len(batch)
            if watcher is not None:
                total = (
                    total or sum(document.passages - document.embedded for document in await self.documents()) + done
                )
                watcher(Progress(act="embedding", done=done, total=max(total, done)))
        return done

    # --- inside -------------------------------------------------------------

    async def _add(
        self, source: str, origin: str, data: bytes, *, media_type: str = "", charset: str | None = None
    ) -> Document:
        if len(data) > self._options.largest_file:
            raise TooLarge(f"The document is larger than {self._options.largest_file // 1_000_000} MB", where=source)
        if not data:
            raise Unprocessable("The document is empty", where=source)
        digest = await asyncio.to_thread(_digest, data)
        known = await self._shelf.documents(query=source)
        same = next((document for document in known if (document.source, document.digest) == (source, digest)), None)
        if same is not None:
            return same
        document = await self._shelf.put(
            await asyncio.to_thread(_draft, source, origin, data, media_type, charset, digest)
        )
        self._hybrid.changed()
        self._work.set()
        return document

    async def _follow_folder(self, folder: Folder, origin: str, watcher: Watcher | None) -> set[str]:
        """Read what is new or changed; returns the sources that are there."""
        files = await asyncio.to_thread(folder.files)
        for source in [source for source in self._problems if source.startswith(f"{folder.label}/")]:
            if source not in files:
                del self._problems[source]
        known = await self._shelf.digests()
        for number, (source, path) in enumerate(files.items()):
            if watcher is not None:
                watcher(Progress(act="reading", done=number, total=len(files), name=source))
            await self._follow_file(source, origin, path, known.get(source))
        if watcher is not None:
            watcher(Progress(act="reading", done=len(files), total=len(files)))
        return set(files)

    async def _follow_file(self, source: str, origin: str, path: Path, known: str | None) -> None:
        digest = ""
        try:
            data = await asyncio.to_thread(self._bytes, path)
            digest = await asyncio.to_thread(_digest, data)
            if digest == known or (source in self._problems and self._problems[source][0] == digest):
                return
            await self._add(source, origin, data)
            self._problems.pop(source, None)
        except FrontdeskError as error:
            self._note(source, digest, error)
        except OSError as error:
            self._note(source, digest, Unprocessable(f"The file cannot be opened: {error.strerror}"))

    def _bytes(self, path: Path) -> bytes:
        if path.stat().st_size > self._options.largest_file:
            raise TooLarge(f"The file is larger than {self._options.largest_file // 1_000_000} MB", where=str(path))
        return path.read_bytes()

    def _note(self, source: str, digest: str, error: FrontdeskError) -> None:
        self._problems[source] = (digest, Problem(source=source, what=error.what, hint=error.hint))
        log.warning("document_not_known", code=error.code, path=source)

    async def _forget(self, is_gone: Callable[[Document], bool]) -> None:
        gone = [document.id for document in await self._shelf.documents() if is_gone(document)]
        if gone:
            await self._shelf.remove(gone)
            self._hybrid.changed()

    async def _watch_folders(self) -> None:
        await self._again_and_again(self._look, self._options.refresh_seconds)

    async def _look(self) -> None:
        try:
            await self.sync()
        finally:
            self._looked.set()

    async def _watch_pages(self) -> None:
        if self._options.urls:
            await self._again_and_again(self.sync_pages, self._options.refresh_urls_seconds)

    async def _embed_forever(self) -> None:
        while not self.notice:
            self._work.clear()
            try:
                await self.open_embedder()
                await self.embed_pending()
            except FrontdeskError as error:
                log.warning("embedding_put_off", code=error.code)
                await self._clock.sleep(RETRY_SECONDS)
                continue
            await self._work.wait()

    async def _again_and_again(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await look()
            except FrontdeskError as error:
                log.warning("knowledge_not_refreshed", code=error.code)
            await self._clock.sleep(seconds)


def _draft(source: str, origin: str, data: bytes, media_type: str, charset: str | None, digest: str) -> Draft:
    """Read and cut a document. Takes its time: runs in a thread."""
    name = PurePosixPath(source.partition("?")[0]).name or source
    kind, reading = read(data, name=name, media_type=media_type, charset=charset)
    text, pieces = cut(reading)
    return Draft(
        title=reading.title,
        source=source,
        origin=origin,
        media_type=kind,
        digest=digest,
        size=len(data),
        text=text,
        pieces=pieces,
    )


def _vanished(folder: Folder, present: set[str]) -> Callable[[Document], bool]:
    return lambda document: document.origin == folder.origin and document.source not in present


def _digest(data: bytes) -> str:
    return hashlib.sha256(READING + data).hexdigest()


def _embedded_text(piece: Piece) -> str:
    return f"{piece.heading}\n{piece.text}" if piece.heading else piece.text
