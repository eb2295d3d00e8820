"""Types of fields that several routes share."""

from typing import Annotated

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from frontdesk.gate.caller import caller_of
from frontdesk.messages import Caller

LONGEST_MESSAGE = 200_000  # characters

ID_PATTERN = r"^[A-Za-z0-9_-]{1,100}$"
CURSOR_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00~[A-Za-z0-9_-]{1,100}$"


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("The character NUL cannot be stored")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("The text holds half a character (a lone surrogate)") from None
    return text


Text = Annotated[str, AfterValidator(_storable)]
MessageText = Annotated[Text, Field(min_length=1, max_length=LONGEST_MESSAGE)]
ShortText = Annotated[Text, Field(max_length=2_000)]
Id = Annotated[str, Field(pattern=ID_PATTERN)]
PathId = Annotated[str, Path(pattern=ID_PATTERN, examples=["conv_019a3f5e2b40c1d2e3f4a5b6c7d8e9"])]
Cursor = Annotated[str | None, Query(pattern=CURSOR_PATTERN, description="`next` of the page before.")]
Words = Annotated[Text, Query(max_length=200, description="Keeps what holds these words.")]
Limit = Annotated[int, Query(ge=1, le=100)]
Messages = Annotated[int, Query(ge=1, le=10_000, description="How many of the newest messages.")]
Days = Annotated[int, Query(ge=1, le=366)]

Who = Annotated[Caller, Depends(caller_of)]


class Body(BaseModel):
    """Base of request bodies: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class View(BaseModel):
    """Base of answers, read off the house's own values by their attributes."""

    model_config = ConfigDict(from_attributes=True)
