"""Events as their senders write them: one as JSON, many as a JSON document or as a line each."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from frontdesk.engagement import CustomerEvent
from frontdesk.errors import BadRequest, FrontdeskError, TooLarge, Unprocessable

MOST_EVENTS = 1000  # in one request
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")

EventId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
CustomerId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]  # what JSON's readers agree on


class EventBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a customer did. `at` is when, with its time zone; left out: now. `properties` hold single values."""

    id: EventId
    customer_id: CustomerId
    type: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    properties: dict[Annotated[str, msgspec.Meta(min_length=1, max_length=100)], str | Whole | float | bool | None] = {}


class _Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: list[msgspec.Raw]


class _Name(msgspec.Struct, frozen=True):
    id: str = ""


_event = msgspec.json.Decoder(EventBody)
_many = msgspec.json.Decoder(_Many)
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_name = msgspec.json.Decoder(_Name)

Read = CustomerEvent | FrontdeskError


class OneEvent(msgspec.Struct, frozen=True):
    """A request of a single event."""

    event: Read


class ManyEvents(msgspec.Struct, frozen=True):
    """A request of many: each an event, or what is wrong with it."""

    events: list[Read]


def read_events(body: bytes, media_type: str, now: datetime) -> OneEvent | ManyEvents:
    """The events of a request's body.

    Raises:
        BadRequest: the body as a whole is not JSON.
        Unprocessable: it holds no event.
        TooLarge: more than `MOST_EVENTS`.
    """
    if media_type in LINES:
        return _each(lines(body.splitlines()), now)
    text = body.strip()
    try:
        if text.startswith(b"["):
            return _each(_raw.decode(text), now)
        if b'"events"' in text and (found := _envelope(text)) is not None:
            return _each(found, now)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON", where="body") from error
    return OneEvent(read_event(text, now, where="body"))


def lines(given: Iterable[bytes]) -> list[bytes]:
    """Those that are not empty."""
    return [stripped for line in given if (stripped := line.strip())]


def read_event(text: bytes | msgspec.Raw, now: datetime, *, where: str) -> Read:
    """The event, or what is wrong with it: its field, under the event's id where that can be read."""
    try:
        body = _event.decode(text)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        field = place.rstrip("`").removeprefix(".")
        return Unprocessable(what, where=".".join(part for part in (_id_of(text) or where, field) if part))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadRequest("This is not valid JSON", where=where)
    try:
        at = now if body.at is None else body.at.astimezone(UTC)
    except OverflowError:  # the first or the last hours of the calendar
        return Unprocessable("There is no such moment in UTC", where=f"{body.id}.at")
    return CustomerEvent(id=body.id, customer_id=body.customer_id, type=body.type, at=at, properties=body.properties)


def _each(found: list[msgspec.Raw] | list[bytes], now: datetime) -> ManyEvents:
    if not found:
        raise Unprocessable("There is no event in the body", where="events")
    if len(found) > MOST_EVENTS:
        hint = "Split them into several requests, or `frontdesk events import` the file."
        raise TooLarge(f"{len(found)} events of {MOST_EVENTS} in one request", where="events", hint=hint)
    return ManyEvents([read_event(each, now, where=f"events[{place}]") for place, each in enumerate(found)])


def _envelope(text: bytes) -> list[msgspec.Raw] | None:
    """`{"events": […]}`; None for an event that only has a property of that name."""
    try:
        return _many.decode(text).events
    except msgspec.ValidationError:
        return None


def _id_of(text: bytes | msgspec.Raw) -> str:
    try:
        return _name.decode(text).id[:100]
    except msgspec.DecodeError:
        return ""
