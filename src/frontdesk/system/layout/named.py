"""A section whose keys are names that its owner chooses: services, hosts, outside addresses."""

import re
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict, model_validator

from frontdesk.system.section import Section

T = TypeVar("T", bound=BaseModel)
NAME = re.compile(r"[a-z]([a-z0-9_-]{0,48}[a-z0-9])?")


class Named(Section, Generic[T]):
    """Values by name. A subclass says their kind: `__pydantic_extra__: dict[str, Service] = Field(init=False)`."""

    model_config = ConfigDict(extra="allow")

    @model_validator(mode="after")
    def _names(self) -> "Named[T]":
        for name in self.by_name:
            if not NAME.fullmatch(name):
                raise ValueError(f"`{name}` is no name: small letters, digits, `-` and `_` between them, 50 at most")
        return self

    @property
    def by_name(self) -> Mapping[str, T]:
        """Each value by its name, in the order of the file."""
        return cast("Mapping[str, T]", self.__pydantic_extra__ or {})

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    def items(self) -> Iterator[tuple[str, T]]:
        """Name and value, in the order of the file."""
        yield from self.by_name.items()
