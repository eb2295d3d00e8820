"""Documents and their passages, with full-text search beside them.

SQLite searches by FTS5 over the passages' own rows, PostgreSQL by a `tsvector` column; both follow the rows by
themselves (triggers, a generated column), so that a passage which is gone cannot be found. Vectors are float32,
little-endian, in the passage's row. Each change of a document writes a new `stamp` to it, and so readers that keep
copies know what to read again.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
import sqlalchemy as sa
import sqlalchemy.event as sa_event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import NotFound
from frontdesk.messages import Document, Draft, Passage, PassageContext, Piece
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import Database, UtcDateTime, metadata
from frontdesk.store.prepared import Prepared

SEQUENCE: sa.types.TypeEngine[int] = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite's row number

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False, unique=True),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("media_type", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("stamp", sa.Integer, nullable=False),
    sa.Column("added_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)

passages = sa.Table(
    "passages",
    metadata,
    sa.Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("document_id", sa.Text, sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("heading", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("embedding", sa.LargeBinary, nullable=True),
    sa.Index(
        "ix_passages_unembedded",
        "seq",
        sqlite_where=sa.text("embedding IS NULL"),
        postgresql_where=sa.text("embedding IS NULL"),
    ),
)

# One row: the newest stamp, and whose vectors the passages carry.
knowledge_state = sa.Table(
    "knowledge_state",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stamp", sa.Integer, nullable=False),
    sa.Column("embedder", sa.Text, nullable=False),
)

SQLITE_SEARCH = (
    """CREATE VIRTUAL TABLE passages_search USING fts5(
        title, heading, text, content='passages', content_rowid='seq',
        tokenize='porter unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER passages_search_insert AFTER INSERT ON passages BEGIN
        INSERT INTO passages_search(rowid, title, heading, text)
        VALUES (new.seq, new.title, new.heading, new.text); END""",
    """CREATE TRIGGER passages_search_delete AFTER DELETE ON passages BEGIN
        INSERT INTO passages_search(passages_search, rowid, title, heading, text)
        VALUES ('delete', old.seq, old.title, old.heading, old.text); END""",
    """CREATE TRIGGER passages_search_update AFTER UPDATE OF title, heading, text ON passages BEGIN
        INSERT INTO passages_search(passages_search, rowid, title, heading, text)
        VALUES ('delete', old.seq, old.title, old.heading, old.text);
        INSERT INTO passages_search(rowid, title, heading, text)
        VALUES (new.seq, new.title, new.heading, new.text); END""",
)
POSTGRES_SEARCH = (
    """ALTER TABLE passages ADD COLUMN search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title || ' ' || heading), 'A') || setweight(to_tsvector('english', text), 'B')
    ) STORED""",
    "CREATE INDEX ix_passages_search ON passages USING gin (search)",
)
for _statements, _dialect in ((SQLITE_SEARCH, "sqlite"), (POSTGRES_SEARCH, "postgresql")):
    for _statement in _statements:
        sa_event.listen(passages, "after_create", sa.DDL(_statement).execute_if(dialect=_dialect))
sa_event.listen(passages, "before_drop", sa.DDL("DROP TABLE IF EXISTS passages_search").execute_if(dialect="sqlite"))

_STAMP = Prepared(sa.select(knowledge_state.c.stamp))
ONLY = 1  # the key of knowledge_state's row
MANY = 500  # values in one IN list
_SQLITE_MATCH = sa.text(
    "SELECT rowid, -bm25(passages_search, 2.0, 2.0, 1.0) AS score FROM passages_search"
    " WHERE passages_search MATCH :words ORDER BY score DESC LIMIT :limit"
)
_SQLITE_COUNT = (
    "(SELECT count(*) FROM (SELECT 1 FROM passages_search WHERE passages_search MATCH :word{n} LIMIT :bound) AS t{n})"
)
_POSTGRES_COUNT = (
    "(SELECT count(*) FROM"
    " (SELECT 1 FROM passages WHERE search @@ to_tsquery('english', :word{n}) LIMIT :bound) AS t{n})"
)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How much there is, and the newest stamp: while it stands, nothing has changed."""

    stamp: int
    passages: int


class Vectors(msgspec.Struct, frozen=True, kw_only=True):
    """The vectors of a document's passages, in the order of `seqs`, one after the other."""

    document_id: str
    seqs: tuple[int, ...]
    data: bytes


class Passages:
    """The owner's knowledge as rows."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids

    # --- documents ----------------------------------------------------------

    async def documents(self, *, query: str = "", limit: int | None = None, after: str = "") -> list[Document]:
        """Documents by id, whose title or source holds `query`; `after` is the last id of the page before."""
        statement = _documents().where(documents.c.id > after).order_by(documents.c.id).limit(limit)
        if query:
            holds = [column.icontains(query, autoescape=True) for column in (documents.c.title, documents.c.source)]
            statement = statement.where(sa.or_(*holds))
        async with self._database.read() as connection:
            return [Document(**row) for row in (await connection.execute(statement)).mappings()]

    async def document(self, document_id: str) -> Document:
        """One document. Raises `NotFound`."""
        async with self._database.read() as connection:
            return await _document(connection, document_id)

    async def digests(self) -> dict[str, str]:
        """The digest of every document, by source."""
        async with self._database.read() as connection:
            rows = await connection.execute(sa.select(documents.c.source, documents.c.digest))
            return {row.source: row.digest for row in rows}

    async def put(self, draft: Draft) -> Document:
        """Store the draft in place of what its source was before. Passages that did not change keep id and vector."""

        async def work(connection: AsyncConnection) -> Document:
            stamp = await _next_stamp(connection)
            known = (
                await connection.execute(sa.select(documents.c.id).where(documents.c.source == draft.source))
            ).scalar_one_or_none()
            document_id = known or self._ids.new("doc")
            now = self._clock.now()
            facts = {
                "title": draft.title,
                "origin": draft.origin,
                "media_type": draft.media_type,
                "digest": draft.digest,
                "size": draft.size,
                "text": draft.text,
                "stamp": stamp,
                "updated_at": now,
            }
            if known is None:
                row = facts | {"id": document_id, "source": draft.source, "added_at": now}
                await connection.execute(documents.insert(), row)
            else:
                await connection.execute(documents.update().where(documents.c.id == known).values(facts))
            await _replace(connection, document_id, draft)
            return await _document(connection, document_id)

        return await self._database.commit(work)

    async def remove(self, document_ids: Collection[str]) -> int:
        """Delete documents with their passages, search entries and vectors, all or nothing. Returns how many."""

        async def work(connection: AsyncConnection) -> int:
            await _next_stamp(connection)
            gone = 0
            for some in _batches(list(document_ids)):
                await connection.execute(passages.delete().where(passages.c.document_id.in_(some)))
                gone += (await connection.execute(documents.delete().where(documents.c.id.in_(some)))).rowcount
            if self._database.is_sqlite:  # a deleted word stays in the index as a mark until its parts are merged
                await connection.execute(sa.text("INSERT INTO passages_search(passages_search) VALUES ('optimize')"))
            return gone

        count = await self._database.commit(work)
        await self._database.wipe()
        return count

    # --- passages -----------------------------------------------------------

    async def passages(self, seqs: Collection[int]) -> dict[int, Passage]:
        """The passages of those numbers that still exist."""
        statement = _passages().where(passages.c.seq.in_(list(seqs)))
        async with self._database.read() as connection:
            return {row["seq"]: _passage(row) for row in (await connection.execute(statement)).mappings()}

    async def passage(self, passage_id: str) -> Passage:
        """One passage. Raises `NotFound`."""
        async with self._database.read() as connection:
            return _passage(await _passage_row(connection, passage_id))

    async def context(self, passage_id: str, *, characters: int = 1200) -> PassageContext:
        """One passage and its surroundings. Raises `NotFound`."""
        async with self._database.read() as connection:
            row = await _passage_row(connection, passage_id)
            statement = sa.select(documents.c.text).where(documents.c.id == row["document_id"])
            text: str = (await connection.execute(statement)).scalar_one()
        passage = _passage(row)
        before = text[max(0, passage.start - characters) : passage.start]
        return PassageContext(passage=passage, before=before, after=text[passage.end : passage.end + characters])

    # --- search -------------------------------------------------------------

    async def state(self) -> State:
        """What readers compare with what they have kept."""
        async with self._database.read() as connection:
            stamp = await connection.scalar(sa.select(knowledge_state.c.stamp)) or 0
            return State(stamp=stamp, passages=await _count(connection))

    async def stamp(self) -> int:
        """The newest stamp alone."""
        found = await self._database.run(_STAMP, {})
        return found[0]["stamp"] if found else 0

    async def frequencies(self, words: Iterable[str], *, bound: int) -> dict[str, int]:
        """In how many passages each word stands, in any of its forms; counting ends at `bound`."""
        wanted = list(dict.fromkeys(words))
        if not wanted:
            return {}
        count = _SQLITE_COUNT if self._database.is_sqlite else _POSTGRES_COUNT
        counts = sa.text("SELECT " + ", ".join(count.format(n=n) for n in range(len(wanted))))
        values: dict[str, object] = {f"word{n}": self._quoted(word) for n, word in enumerate(wanted)}
        async with self._database.read() as connection:
            row = (await connection.execute(counts, values | {"bound": bound})).one()
        return dict(zip(wanted, map(int, row), strict=True))

    async def match(self, weights: Mapping[str, float], limit: int) -> list[tuple[int, float]]:
        """The passages that hold any of the words, best first, with a score.

        SQLite ranks by BM25. PostgreSQL knows no rarity of words: there each word's rank counts by its weight.
        """
        if not weights:
            return []
        statement = _SQLITE_MATCH if self._database.is_sqlite else _postgres_match(len(weights))
        values: dict[str, object] = {"limit": limit, "words": self._any_of(weights)}
        if not self._database.is_sqlite:
            for number, (word, weight) in enumerate(weights.items()):
                values |= {f"word{number}": self._quoted(word), f"weight{number}": weight}
        async with self._database.read() as connection:
            return [(int(row[0]), float(row[1])) for row in await connection.execute(statement, values)]

    def _quoted(self, word: str) -> str:
        if self._database.is_sqlite:
            return '"' + word.replace('"', '""') + '"'
        return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"

    def _any_of(self, words: Iterable[str]) -> str:
        return (" OR " if self._database.is_sqlite else " | ").join(self._quoted(word) for word in words)

    # --- vectors ------------------------------------------------------------

    async def adopt(self, embedder: str) -> None:
        """From now on vectors are those of `embedder`: another one's are dropped, for they cannot be compared."""

        async def work(connection: AsyncConnection) -> None:
            if await connection.scalar(sa.select(knowledge_state.c.embedder).with_for_update()) == embedder:
                return
            stamp = await _next_stamp(connection)
            await connection.execute(knowledge_state.update().values(embedder=embedder))
            await connection.execute(passages.update().values(embedding=None))
            await connection.execute(documents.update().values(stamp=stamp))

        await self._database.commit(work)

    async def unembedded(self, limit: int) -> list[tuple[int, Piece]]:
        """Passages without a vector, the newest first, each with its heading."""
        statement = (
            sa.select(passages.c.seq, passages.c.heading, passages.c.text, passages.c.start, passages.c.end)
            .where(passages.c.embedding.is_(None))
            .order_by(passages.c.seq.desc())
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [
                (row.seq, Piece(heading=row.heading, text=row.text, start=row.start, end=row.end))
                for row in await connection.execute(statement)
            ]

    async def embed(self, embedder: str, vectors: Sequence[tuple[int, bytes]]) -> None:
        """Give passages their vectors, unless they are gone or another embedder has been adopted since."""

        async def work(connection: AsyncConnection) -> None:
            stamp = await _next_stamp(connection)
            if await connection.scalar(sa.select(knowledge_state.c.embedder)) != embedder:
                return
            statement = passages.update().where(passages.c.seq == sa.bindparam("key"))
            rows = [{"key": seq, "vector": vector} for seq, vector in vectors]
            await connection.execute(statement.values(embedding=sa.bindparam("vector")), rows)
            touched = sa.select(passages.c.document_id).where(passages.c.seq.in_([seq for seq, _ in vectors]))
            await connection.execute(documents.update().where(documents.c.id.in_(touched)).values(stamp=stamp))

        await self._database.commit(work)

    async def stamps(self) -> dict[str, int]:
        """The stamp of every document."""
        async with self._database.read() as connection:
            return {row.id: row.stamp for row in await connection.execute(sa.select(documents.c.id, documents.c.stamp))}

    async def vectors(self, document_ids: Collection[str]) -> list[Vectors]:
        """The vectors of those documents that have any."""
        found: list[Vectors] = []
        columns = (passages.c.document_id, passages.c.seq, passages.c.embedding)
        async with self._database.read() as connection:
            for some in _batches(list(document_ids)):
                statement = sa.select(*columns).where(
                    passages.c.document_id.in_(some), passages.c.embedding.is_not(None)
                )
                grouped: dict[str, list[tuple[int, bytes]]] = {}
                for row in await connection.execute(statement):
                    grouped.setdefault(row.document_id, []).append((row.seq, row.embedding))
                found += [
                    Vectors(
                        document_id=document_id,
                        seqs=tuple(seq for seq, _ in pairs),
                        data=b"".join(vector for _, vector in pairs),
                    )
                    for document_id, pairs in grouped.items()
                ]
        return found


async def _next_stamp(connection: AsyncConnection) -> int:
    """A stamp greater than all before. Writers of knowledge wait for each other at its row."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    first = insert(knowledge_state).values(id=ONLY, stamp=1, embedder="")
    counted = first.on_conflict_do_update(index_elements=["id"], set_={"stamp": knowledge_state.c.stamp + 1})
    return (await connection.execute(counted.returning(knowledge_state.c.stamp))).scalar_one()


async def _count(connection: AsyncConnection) -> int:
    return await connection.scalar(sa.select(sa.func.count()).select_from(passages)) or 0


async def _replace(connection: AsyncConnection, document_id: str, draft: Draft) -> None:
    new = _identified(document_id, draft)
    statement = sa.select(passages.c.id).where(passages.c.document_id == document_id)
    known = set((await connection.execute(statement)).scalars())
    for some in _batches([passage_id for passage_id in known if passage_id not in new]):
        await connection.execute(passages.delete().where(passages.c.id.in_(some)))
    kept = [{"key": key, "from": piece.start, "to": piece.end} for key, piece in new.items() if key in known]
    if kept:
        moved = passages.update().where(passages.c.id == sa.bindparam("key"))
        await connection.execute(moved.values({"start": sa.bindparam("from"), "end": sa.bindparam("to")}), kept)
    added = [
        msgspec.structs.asdict(piece) | {"id": key, "document_id": document_id, "title": draft.title}
        for key, piece in new.items()
        if key not in known
    ]
    if added:
        await connection.execute(passages.insert(), added)


def _identified(document_id: str, draft: Draft) -> dict[str, Piece]:
    """Pieces by id. The id covers document and words, so what did not change is found again under its old id."""
    pieces: dict[str, Piece] = {}
    for piece in draft.pieces:
        words = "\0".join((document_id, draft.title, piece.heading, piece.text))
        while (key := f"psg_{hashlib.sha256(words.encode()).hexdigest()[:32]}") in pieces:
            words += "\0"  # the same words stand in the document twice
        pieces[key] = piece
    return pieces


def _documents() -> sa.Select[tuple[object, ...]]:
    facts = [column for column in documents.c if column.name not in ("text", "stamp")]
    counted = sa.select(sa.func.count(), sa.func.count(passages.c.embedding)).where(
        passages.c.document_id == documents.c.id
    )
    every, embedded = counted.selected_columns
    return sa.select(
        *facts,
        counted.with_only_columns(every).scalar_subquery().label("passages"),
        counted.with_only_columns(embedded).scalar_subquery().label("embedded"),
    )


async def _document(connection: AsyncConnection, document_id: str) -> Document:
    row = (await connection.execute(_documents().where(documents.c.id == document_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such document", where=document_id)
    return Document(**row)


def _passages() -> sa.Select[tuple[object, ...]]:
    columns = [passages.c[name] for name in ("seq", "id", "document_id", "title", "heading", "text", "start", "end")]
    return sa.select(*columns, documents.c.source).join(documents, documents.c.id == passages.c.document_id)


async def _passage_row(connection: AsyncConnection, passage_id: str) -> sa.RowMapping:
    row = (await connection.execute(_passages().where(passages.c.id == passage_id))).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such passage", where=passage_id, hint="Its document was changed or removed.")
    return row


def _passage(row: sa.RowMapping) -> Passage:
    return Passage(**{key: value for key, value in row.items() if key != "seq"})


def _postgres_match(words: int) -> sa.TextClause:
    ranks = [
        f"CAST(:weight{n} AS float8) * ts_rank('{{0, 0, 0.5, 1}}', search, to_tsquery('english', :word{n}), 1)"
        for n in range(words)
    ]
    return sa.text(
        f"SELECT seq, {' + '.join(ranks)} AS score FROM passages"  # noqa: S608 only numbers are put in
        " WHERE search @@ to_tsquery('english', :words) ORDER BY score DESC LIMIT :limit"
    )


def _batches(values: list[str]) -> list[list[str]]:
    return [values[start : start + MANY] for start in range(0, len(values), MANY)]
