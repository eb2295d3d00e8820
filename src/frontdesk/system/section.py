"""Sections of the system file and how environment variables fill them.

A component owns a section: a subclass of `Section`, registered as an entry point of `frontdesk.sections`. A field that a
variable may set carries `Env("NAME")`. A field with `secret=True` comes from the environment alone (`NAME`, or the file
that `NAME_FILE` names) and never from the system file.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Env:
    """Marks the variable that sets a field: `port: Annotated[int, Env("PORT")] = 8000`.

    A variable of a `list[str]` field is split at commas. `placeholders` are values that stand in documentation and
    examples: production refuses them.
    """

    name: str
    secret: bool = False
    required_in_production: bool = False
    placeholders: tuple[str, ...] = ()


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
