"""Searching sealed conversations: each message leaves the marks of its words beside it, and no word.

A mark is a keyed hash (BLAKE2b, RFC 7693) of a word, or of one of its beginnings from three letters on, in 32 bits. Its
key is the index's own: it lies sealed in the database, so it stays when the ring's keys change. Words are folded: no
cases, no accents. Scripts without spaces leave their characters and pairs of characters. PostgreSQL finds marks by a
GIN index; SQLite looks through the marks' bytes. Two words rarely share a mark, and then a search finds too much. Who
holds the database alone learns how many words messages share, and not which.
"""

import re
import secrets
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.store.database import metadata
from frontdesk.store.prepared import Change, Connection, Prepared
from frontdesk.store.sealed import SealedBytes, ring_of

TITLE = "title"  # the source of a conversation's title, among ids of messages
SHORTEST = 3  # letters of a beginning that is found
LONGEST = 32  # letters of a word that count
MOST = 4096  # marks of one message; the words beyond are not found
MOST_TEXT = 65_536  # characters of a message that are looked at
MOST_WANTED = 16  # words of a search that are looked for
MARK_BYTES = 4

_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+)")


class Marks(sa.types.TypeDecorator[frozenset[int]]):
    """A set of marks: an array of integers on PostgreSQL, their bytes one after another on SQLite."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        kind: sa.types.TypeEngine[Any] = sa.LargeBinary()
        return dialect.type_descriptor(postgresql.ARRAY(sa.Integer) if dialect.name == "postgresql" else kind)

    def process_bind_param(self, value: frozenset[int] | None, dialect: Dialect) -> list[int] | bytes | None:
        if value is None or dialect.name == "postgresql":
            return None if value is None else sorted(value)
        return b"".join(mark.to_bytes(MARK_BYTES, "big", signed=True) for mark in sorted(value))


words = sa.Table(
    "words",
    metadata,
    sa.Column("conversation_id", sa.Text, sa.ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("marks", Marks, nullable=False),
)
sa.Index("ix_words_marks", words.c.marks, postgresql_using="gin").ddl_if(dialect="postgresql")

word_key = sa.Table(
    "word_key",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", SealedBytes, nullable=False),
)

_KEY = Prepared(sa.select(word_key.c.key).where(word_key.c.id == 1))
_MAKE = Prepared(
    {
        "postgresql": postgresql.insert(word_key).on_conflict_do_nothing(),
        "sqlite": sqlite.insert(word_key).on_conflict_do_nothing(),
    },
    ("id", "key"),
)


def _put(fresh: postgresql.Insert | sqlite.Insert) -> sa.Insert:
    return fresh.on_conflict_do_update(
        index_elements=["conversation_id", "source"], set_={"marks": fresh.excluded.marks}
    )


_PUT = Prepared(
    {"postgresql": _put(postgresql.insert(words)), "sqlite": _put(sqlite.insert(words))},
    ("conversation_id", "source", "marks"),
)


async def index(connection: Connection, conversation_id: str, source: str, text: str) -> None:
    """In the transaction that stores `text`, let searches find it. `source` is the message's id, or `TITLE`."""
    statement, row = await indexing(connection, conversation_id, source, text)
    await statement(connection, row)


async def indexing(connection: Connection, conversation_id: str, source: str, text: str) -> Change:
    """The same, to be made together with other changes."""
    marks = marks_of(text, await key(connection))
    return _PUT, {"conversation_id": conversation_id, "source": source, "marks": marks}


async def found(connection: AsyncConnection, query: str) -> sa.Select[tuple[str]]:
    """Selects the ids of conversations of which one message, or the title, holds every word of `query`.

    The last letters of a word may be missing from three letters on. A query without any word finds nothing.
    """
    known = await _known_key(connection)
    wanted = wanted_of(query, known) if known else None
    hits = sa.select(words.c.conversation_id)
    if not wanted:
        return hits.where(sa.false())
    if connection.dialect.name == "postgresql":
        return hits.where(words.c.marks.op("@>")(wanted))
    return hits.where(*(sa.func.instr(words.c.marks, sa.literal(frozenset({mark}), Marks)) > 0 for mark in wanted))


async def key(connection: Connection) -> bytes:
    """The index's key, made with the first word. Raises `WrongKey` when it was sealed with another ring."""
    return await _known_key(connection) or await _made(connection)


def marks_of(text: str, key: bytes) -> frozenset[int]:
    """The marks that a text leaves."""
    marks: set[bytes] = set()
    nothing = blake2b(key=key, digest_size=MARK_BYTES)
    for word in dict.fromkeys(_words(text)):
        begun = nothing.copy()  # a hash goes on from one beginning of the word to the next
        for part in (word[:SHORTEST], *word[SHORTEST:]):
            begun.update(part.encode())
            marks.add(begun.digest())
        if len(marks) >= MOST:
            break
    return frozenset(map(_number, marks))


def wanted_of(query: str, key: bytes) -> frozenset[int]:
    """The marks that a text must have left to be found."""
    wanted = list(dict.fromkeys(_words(query)))[:MOST_WANTED]
    return frozenset(_number(blake2b(word.encode(), key=key, digest_size=MARK_BYTES).digest()) for word in wanted)


def fingerprint(text: str, key: bytes) -> str:
    """Equal for equal texts, and telling nothing else: for what must stand only once."""
    return blake2b(text.encode(), key=key, digest_size=32).hexdigest()


def _number(mark: bytes) -> int:
    return int.from_bytes(mark, "big", signed=True)


def _words(text: str) -> Iterator[str]:
    plain = unicodedata.normalize("NFKD", text[:MOST_TEXT].casefold())
    for run in _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign))):
        for part in _UNSPACED.split(run):
            if _UNSPACED.match(part):
                yield from (part[at : at + 2] for at in range(len(part) - 1))
                yield from part
            elif part:
                yield part[:LONGEST]


async def _known_key(connection: Connection) -> bytes | None:
    ring = ring_of(connection.dialect)
    if not ring.words_key:
        known = await _KEY.one(connection, {})
        ring.words_key = b"" if known is None else known["key"]
    return ring.words_key


async def _made(connection: Connection) -> bytes:
    """A key for the index, not kept in memory before it is durable, and so not in this transaction."""
    await _MAKE(connection, {"id": 1, "key": secrets.token_bytes(32)})
    made = await _KEY.one(connection, {})
    assert made is not None
    return made["key"]
