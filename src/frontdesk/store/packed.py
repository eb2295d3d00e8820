"""Columns that hold values of a type as MessagePack: small, and quick to read where a decision waits for them."""

from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

T = TypeVar("T")


class Packed(sa.types.TypeDecorator[T], Generic[T]):
    """Bytes of a msgspec type: what goes in comes out, checked. None is stored as NULL."""

    impl = sa.LargeBinary
    cache_ok = True

    def __init__(self, kind: Any) -> None:  # any type form that msgspec understands, unions and tuples too
        super().__init__()
        self.kind = kind
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> bytes | None:
        return None if value is None else msgspec.msgpack.encode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> T | None:
        return None if value is None else self._decoder.decode(value)

    def __repr__(self) -> str:
        return "sa.LargeBinary()"
