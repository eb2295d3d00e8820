"""Columns that hold values of a type, as JSON text."""

from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

T = TypeVar("T")


class Typed(sa.types.TypeDecorator[T], Generic[T]):
    """JSON text of a msgspec type: what goes in comes out, checked. None is stored as NULL."""

    impl = sa.Text
    cache_ok = True

    def __init__(self, kind: Any) -> None:  # any type form that msgspec understands, unions and tuples too
        super().__init__()
        self.kind = kind
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> T | None:
        return None if value is None else self._decoder.decode(value)

    def __repr__(self) -> str:
        return "sa.Text()"
