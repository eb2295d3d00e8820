"""Column types whose values are sealed with the desk's key ring: outside this process nobody can read them.

The ring hangs on the database's dialect (`Database.open(…, ring=…)`). A value that was written before its column was
sealed is read as it stands, until `frontdesk encryption rotate` seals it.
"""

from binascii import a2b_base64, b2a_base64
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
import sqlalchemy.event as sa_event
from sqlalchemy.engine import Dialect

from frontdesk.store.keyring import MARK, MARK_LENGTH, CannotOpen, KeyRing

T = TypeVar("T")
_RING = "frontdesk_ring"  # attribute of a dialect


class SealedColumn(sa.types.TypeDecorator[T], Generic[T]):
    """Base of the sealed types. Sealed columns cannot be compared or searched by the database."""

    impl = sa.Text
    cache_ok = True
    column: "sa.Column[Any] | None" = None

    @property
    def place(self) -> str:
        """The column's name with its table's, to which values are bound."""
        return "" if self.column is None else f"{self.column.table.name}.{self.column.name}"

    def __repr__(self) -> str:
        return "sa.Text()"


class SealedText(SealedColumn[str]):
    """Text. Stored as its mark and base64, a third longer and 50 characters more."""

    cache_ok = True  # SQLAlchemy looks for it in each class itself

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else seal_text(ring_of(dialect), value.encode(), self.place)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unseal_text(ring_of(dialect), value, self.place).decode()


class Sealed(SealedColumn[T], Generic[T]):
    """A value of a msgspec type, as JSON: what goes in comes out, checked. None is stored as NULL."""

    cache_ok = True  # SQLAlchemy looks for it in each class itself

    def __init__(self, kind: Any) -> None:  # any type form that msgspec understands, unions and tuples too
        super().__init__()
        self.kind = kind
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        return None if value is None else seal_text(ring_of(dialect), msgspec.json.encode(value), self.place)

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._decoder.decode(unseal_text(ring_of(dialect), value, self.place))


class SealedBytes(SealedColumn[bytes]):
    """Bytes: files, vectors, keys."""

    cache_ok = True  # SQLAlchemy looks for it in each class itself

    impl = sa.LargeBinary

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else ring_of(dialect).seal(value, self.place)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        return None if value is None else unseal_bytes(ring_of(dialect), value, self.place)

    def __repr__(self) -> str:
        return "sa.LargeBinary()"


@sa_event.listens_for(SealedColumn, "after_parent_attach", propagate=True)
def _bind_to_column(kind: SealedColumn[Any], column: "sa.Column[Any]") -> None:
    kind.column = column


def hang(ring: KeyRing, dialect: Dialect) -> None:
    """Let the sealed columns of this database use `ring`."""
    setattr(dialect, _RING, ring)


def ring_of(dialect: Dialect) -> KeyRing:
    """The database's ring. Raises `WrongKey` when it was opened without one."""
    ring = getattr(dialect, _RING, None)
    if not isinstance(ring, KeyRing):
        raise CannotOpen("The database was opened without keys, and people's words in it are sealed")
    return ring


def unseal_bytes(ring: KeyRing, stored: bytes, place: str) -> bytes:
    """What the ring sealed; bytes without a mark are older than the sealing of their column and come as they are."""
    return ring.unseal(stored, place) if MARK.match(stored) else stored


def seal_text(ring: KeyRing, plain: bytes, place: str) -> str:
    """A sealed value as text."""
    sealed = ring.seal(plain, place)
    return (sealed[:MARK_LENGTH] + b2a_base64(sealed[MARK_LENGTH:], newline=False)).decode()


def unseal_text(ring: KeyRing, stored: str, place: str) -> bytes:
    """What `seal_text` sealed; text without a mark is older than the sealing of its column and comes as it is."""
    mark = stored[:MARK_LENGTH].encode()
    if not MARK.match(mark):
        return stored.encode()
    try:
        return ring.unseal(mark + a2b_base64(stored[MARK_LENGTH:]), place)
    except ValueError as error:  # base64's
        raise CannotOpen("A sealed value in the database is damaged", where=place) from error
