"""Taking in what customers did: each event once, with what it changes of the profile, in one transaction."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Literal, Protocol, cast

import msgspec
from sqlalchemy.exc import IntegrityError

from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.profiles import MESSAGE, OUTCOME_TYPES, fold
from frontdesk.engagement import MOST_VALUE, Customer, CustomerEvent, Outcome, OutcomeKind, Profile
from frontdesk.errors import Conflict, FrontdeskError, FutureEvent, TooLarge, UnknownCustomer, Unprocessable
from frontdesk.ports import Clock, Dispatcher
from frontdesk.store import customer_events
from frontdesk.store.customer_events import NewEvent
from frontdesk.store.customers import ensure, locked, set_profiles
from frontdesk.store.database import Database
from frontdesk.store.gathered import Gathered
from frontdesk.store.prepared import Connection

AHEAD = timedelta(minutes=5)  # by which a sender's clock may be before ours
FRESH = timedelta(hours=24)  # an older event tells of the customer, and comes too late to answer
MOST_BYTES = 16 * 1024  # of an event's properties, as JSON
WORTH = ("value", "amount")  # properties that say how much something was worth
CONVERSIONS = frozenset({"conversion", "purchase"})  # which are attributed, where they name no decision
NO_QUESTION = OUTCOME_TYPES | {MESSAGE}  # what came of the desk's own messages asks for no other one

State = Literal["accepted", "known", "refused"]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an event. `decides`: a decision about it follows. `problem`: why it was refused."""

    id: str
    state: State
    decides: bool = False
    problem: FrontdeskError | None = None


class Feedback(Protocol):
    """Where outcomes go that come as events."""

    async def accept(self, outcomes: Sequence[Outcome]) -> object:
        """Join outcomes to their decisions. Raises `FrontdeskError` for one that cannot be."""
        ...

    async def attribute(self, event: CustomerEvent) -> object:
        """Let a conversion that names no decision count for the last one that it may have come of, once."""
        ...


async def note(
    connection: Connection, events: Sequence[CustomerEvent], now: datetime, *, asking: Collection[str] = ()
) -> frozenset[str]:
    """Write events of known customers, and what they change of the profiles, under the customers' locks.

    The ids of those that were not known before. `asking` are the ids of those that wait for a decision. Raises
    `UnknownCustomer`, and `IntegrityError` when another transaction writes one of them for another customer.
    """
    found = await locked(connection, {event.customer_id for event in events})
    if unknown := next((event for event in events if event.customer_id not in found), None):
        raise UnknownCustomer("There is no such customer", where=unknown.customer_id)
    known = await customer_events.known(connection, {event.id for event in events})
    new = {event.id: event for event in events if event.id not in known}
    await _write(connection, list(new.values()), found, now, asking)
    return frozenset(new)


async def _write(
    connection: Connection,
    events: Sequence[CustomerEvent],
    found: Mapping[str, Customer],
    now: datetime,
    asking: Collection[str],
) -> None:
    """Write events of which none is known."""
    rows = [NewEvent(event=each, received_at=now, decided=each.id not in asking) for each in events]
    await customer_events.write(connection, rows)
    in_turn = sorted(events, key=lambda event: event.customer_id)
    profiles = [
        (customer_id, fold(theirs, found[customer_id].profile))
        for customer_id, theirs in groupby(in_turn, key=lambda event: event.customer_id)
    ]
    await set_profiles(connection, profiles)


class Intake:
    """Accepting events. `settings` gives the options in effect: customers of whom nothing was known come into the
    default segment, without consent to anything."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        work: Dispatcher,
        settings: Callable[[], EngagementOptions],
        *,
        feedback: Feedback | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._work = work
        self._settings = settings
        self._feedback = feedback
        self._together: Gathered[list[CustomerEvent], list[Accepted]] = Gathered(self._store_together)

    async def accept(self, events: Sequence[CustomerEvent]) -> list[Accepted]:
        """What became of each, in their order. All that are accepted are durable, and decided about soon.

        The same event again is `known`, and changes nothing. Refused alone are: one from the future, one with a huge
        payload (`TooLarge`), one with the id of another event (`Conflict`: of another customer, type or properties),
        and an outcome that cannot be joined to its decision.
        """
        now = self._clock.now()
        results: dict[int, Accepted] = {}
        plain: list[tuple[int, CustomerEvent]] = []
        for place, event in enumerate(events):
            if (problem := _problem(event, now)) is not None:
                results[place] = Accepted(id=event.id, state="refused", problem=problem)
            elif (outcome := outcome_of(event)) is not None and self._feedback is not None:
                results[place] = await self._join(self._feedback, outcome)
            else:
                plain.append((place, event))
        stored = await self._together.put([event for _, event in plain]) if plain else []
        results |= {place: result for (place, _), result in zip(plain, stored, strict=True)}
        for (_, event), result in zip(plain, stored, strict=True):
            if result.decides:
                await self._work.ready("event", event.id)
            if self._feedback is not None and result.state != "refused" and event.type in CONVERSIONS:
                await self._feedback.attribute(event)
        return [results[place] for place in range(len(events))]

    async def rebuild(self, customer_id: str) -> Profile:
        """Build the customer's profile anew from all that they did, and keep it. Raises `UnknownCustomer`."""

        async def work(connection: Connection) -> Profile:
            if customer_id not in await locked(connection, [customer_id]):
                raise UnknownCustomer("There is no such customer", where=customer_id)
            profile = fold(await customer_events.log(connection, customer_id))
            await set_profiles(connection, [(customer_id, profile)])
            return profile

        return await self._database.act(work)

    async def _join(self, feedback: Feedback, outcome: Outcome) -> Accepted:
        try:
            await feedback.accept([outcome])
        except FrontdeskError as problem:
            if problem.status >= 500:  # the desk's fault, not the outcome's: it is to be sent again
                raise
            return Accepted(id=outcome.id, state="refused", problem=problem)
        return Accepted(id=outcome.id, state="accepted")

    async def _store_together(self, batches: list[list[CustomerEvent]]) -> list[list[Accepted] | Exception]:
        """What comes while a transaction is under way shares the next one."""
        results = iter(await self._store([event for batch in batches for event in batch], self._clock.now()))
        return [list(islice(results, len(batch))) for batch in batches]

    async def _store(self, events: Sequence[CustomerEvent], now: datetime) -> list[Accepted]:
        asking = {event.id for event in events if event.type not in NO_QUESTION and now - event.at < FRESH}

        async def work(connection: Connection) -> list[Accepted]:
            wanted = {event.customer_id for event in events}
            found = await locked(connection, wanted)
            stored = await customer_events.read(connection, {event.id for event in events})
            first = {event.id: event for event in reversed(events)} | stored
            new = [event for event in events if first[event.id] is event]
            if missing := {event.customer_id for event in new} - found.keys():
                await ensure(connection, now, missing, self._settings().default_segment)
                found = await locked(connection, wanted)
            await _write(connection, new, found, now, asking)
            return [_result(event, first[event.id], asking) for event in events]

        try:
            return await self._database.act(work)
        except IntegrityError:  # another process stored one of them meanwhile: now it is known
            return await self._database.act(work)


def outcome_of(event: CustomerEvent) -> Outcome | None:
    """The outcome that an event is, when it names the decision that it came of."""
    decision_id = event.properties.get("decision_id")
    if event.type not in OUTCOME_TYPES or not isinstance(decision_id, str):
        return None
    value = event.properties.get("value", event.properties.get("amount", 0.0))
    return Outcome(
        id=event.id,
        decision_id=decision_id,
        kind=cast(OutcomeKind, event.type),
        at=event.at,
        value=float(value) if isinstance(value, int | float) else 0.0,
    )


def _problem(event: CustomerEvent, now: datetime) -> FrontdeskError | None:
    if event.at > now + AHEAD:
        ahead = round((event.at - now).total_seconds())
        return FutureEvent(f"The event says that it happened {ahead} seconds from now", where=event.id)
    for name in WORTH:
        worth = event.properties.get(name)
        if isinstance(worth, int | float) and not abs(worth) <= MOST_VALUE:
            return Unprocessable(f"The event's `{name}` is not between ±{MOST_VALUE:.0e}", where=event.id)
    size = len(msgspec.json.encode(event.properties))
    if size > MOST_BYTES:
        hint = "Send what decisions need; keep documents elsewhere and send their address."
        return TooLarge(f"The event's properties have {size} bytes of {MOST_BYTES}", where=event.id, hint=hint)
    return None


def _result(event: CustomerEvent, first: CustomerEvent, asking: Collection[str]) -> Accepted:
    """What became of an event, `first` being the one that came first of its id."""
    if event is first:
        return Accepted(id=event.id, state="accepted", decides=event.id in asking)
    if (event.customer_id, event.type, event.properties) != (first.customer_id, first.type, first.properties):
        problem = Conflict("Another event has this id", where=event.id, hint="Give each event an id of its own.")
        return Accepted(id=event.id, state="refused", problem=problem)
    return Accepted(id=event.id, state="known")
