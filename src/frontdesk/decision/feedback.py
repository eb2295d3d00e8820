"""Feedback: what customers did with messages, joined to the decision that it is the outcome of.

An outcome is counted until its decision is settled; one that comes later is kept and told to be late. It goes into the
customer's log as an event of its kind, so that profiles can be rebuilt from the log alone. Somebody who unsubscribes or
complains is written to by that channel no more, from the same transaction on.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

import msgspec
import sqlalchemy as sa

from frontdesk.decision.intake import note
from frontdesk.decision.rewards import HARM
from frontdesk.engagement import MOST_VALUE, Channel, CustomerEvent, Outcome, OutcomeKind
from frontdesk.errors import FutureEvent, UnknownDecision, Unprocessable
from frontdesk.ports import Clock
from frontdesk.store.customers import locked, withdraw_consent
from frontdesk.store.database import Database, UtcDateTime
from frontdesk.store.decisions import decisions
from frontdesk.store.outcomes import put
from frontdesk.store.outreach import withdraw
from frontdesk.store.prepared import Connection, Prepared, Row
from frontdesk.telemetry import metrics

EARLY = timedelta(minutes=5)  # how far senders' clocks may be off
SIGNIFICANCE: dict[OutcomeKind, str] = {
    "open": "low",
    "bounce": "low",
    "click": "medium",
    "reply": "medium",
    "conversion": "high",
    "unsubscribe": "high",
    "complaint": "high",
}
for _kind, _significance in SIGNIFICANCE.items():
    metrics.learning_events.labels(_kind, _significance)  # at 0, so that a rate sees the first one


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an outcome: `counted`, `late` (kept, but its decision is settled) or `repeated` (it was known)."""

    id: str
    decision_id: str
    kind: OutcomeKind
    state: Literal["counted", "late", "repeated"]


_WHICH = sa.bindparam("which", type_=sa.Text)
_NEEDED = sa.select(
    decisions.c.id,
    decisions.c.customer_id,
    decisions.c.channel,
    decisions.c.at,
    decisions.c.outcome_due_at,
    decisions.c.settled_at,
)
_DECISION = Prepared(_NEEDED.where(decisions.c.id == _WHICH))
_LOCKED = Prepared(_NEEDED.where(decisions.c.id == _WHICH).with_for_update())
_AT = sa.bindparam("moment", type_=UtcDateTime)
_LAST = Prepared(
    sa.select(decisions.c.id)
    .where(
        decisions.c.customer_id == sa.bindparam("customer"),
        decisions.c.at <= _AT,
        decisions.c.outcome_due_at >= _AT,
        decisions.c.state != "shadow",
    )
    .order_by(decisions.c.at.desc(), decisions.c.id.desc())
    .limit(1)
)


class Feedback:
    """Takes outcomes in."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def accept(self, outcomes: Sequence[Outcome]) -> list[Taken]:
        """What became of each outcome, in order. Where one is refused, none is taken.

        Raises `UnknownDecision`, `FutureEvent` and `Unprocessable` (its moment or its value cannot be).
        """

        async def work(connection: Connection) -> list[Taken]:
            return [await self._take(connection, outcome) for outcome in outcomes]

        return _counted(await self._database.act(work))

    async def attribute(self, event: CustomerEvent) -> Taken | None:
        """Let a conversion that names no decision count for the last one about this customer whose window it is in.

        That may be one to do nothing: how many come by themselves is what messages are held against. None: there is
        no such decision. The event stands in the customer's log already; the same one again changes nothing.
        """

        async def work(connection: Connection) -> list[Taken]:
            last = await _LAST.one(connection, {"customer": event.customer_id, "moment": event.at})
            if last is None:
                return []
            value = event.properties.get("value", event.properties.get("amount"))
            worth = float(value) if isinstance(value, int | float) else 0.0
            outcome = Outcome(id=event.id, decision_id=last["id"], kind="conversion", at=event.at, value=worth)
            return [await self._take(connection, outcome, noted=True)]

        taken = _counted(await self._database.act(work))
        return taken[0] if taken else None

    async def channel(self, decision_id: str) -> Channel:
        """By which channel the decision had somebody written to. Raises `UnknownDecision`, also where it was none."""
        rows = await self._database.run(_DECISION, {"which": decision_id})
        if not rows or rows[0]["channel"] is None:
            raise UnknownDecision("No message came of such a decision", where=decision_id)
        return rows[0]["channel"]

    async def unsubscribe(self, decision_id: str) -> None:
        """The customer wants no more by the channel of this decision. Raises `UnknownDecision`.

        However often that is said it counts once, and it holds each time: they may have agreed anew in between.
        """
        outcome = Outcome(
            id=f"unsubscribe:{decision_id}", decision_id=decision_id, kind="unsubscribe", at=self._clock.now()
        )

        async def work(connection: Connection) -> list[Taken]:
            taken = await self._take(connection, outcome)
            if taken.state == "repeated" and (known := await _DECISION.one(connection, {"which": decision_id})):
                await self._heed(connection, known, "unsubscribe")
            return [taken]

        _counted(await self._database.act(work))

    async def _take(self, connection: Connection, outcome: Outcome, *, noted: bool = False) -> Taken:
        now = self._clock.now()
        known = await _DECISION.one(connection, {"which": outcome.decision_id})
        if known is None:
            raise UnknownDecision("There is no such decision", where=outcome.decision_id)
        if outcome.at > now + EARLY:
            raise FutureEvent("The outcome says that it happened later than now", where="at")
        if outcome.at < known["at"] - EARLY:
            raise Unprocessable("The outcome says that it happened before its decision", where="at")
        if not abs(outcome.value) <= MOST_VALUE:  # what is no number is not less, either
            raise Unprocessable(f"The outcome's value is not between ±{MOST_VALUE:.0e}", where="value")
        await locked(connection, [known["customer_id"]])  # before the decision, as everybody does
        decision = await _LOCKED.one(connection, {"which": outcome.decision_id})
        if decision is None:
            raise UnknownDecision("There is no such decision", where=outcome.decision_id)
        due_at = decision["outcome_due_at"]
        counted = decision["settled_at"] is None and due_at is not None and outcome.at <= due_at
        if not await put(connection, outcome, decision["customer_id"], now, counted=counted):
            return _taken(outcome, "repeated")
        if not noted:
            await note(connection, [_event_of(outcome, decision)], now)
        if outcome.kind in HARM:
            await self._heed(connection, decision, outcome.kind)
        return _taken(outcome, "counted" if counted else "late")

    async def _heed(self, connection: Connection, decision: Row, why: OutcomeKind) -> None:
        """Write to the customer by this channel no more. The caller holds their lock."""
        await withdraw_consent(connection, decision["customer_id"], decision["channel"])
        await withdraw(connection, decision["customer_id"], decision["channel"], why, self._clock.now())


def _taken(outcome: Outcome, state: Literal["counted", "late", "repeated"]) -> Taken:
    return Taken(id=outcome.id, decision_id=outcome.decision_id, kind=outcome.kind, state=state)


def _counted(taken: list[Taken]) -> list[Taken]:
    for each in taken:
        if each.state != "repeated":
            metrics.learning_events.labels(each.kind, SIGNIFICANCE[each.kind]).inc()
    return taken


def _event_of(outcome: Outcome, decision: Row) -> CustomerEvent:
    return CustomerEvent(
        id=f"outcome:{outcome.id}",
        customer_id=decision["customer_id"],
        type=outcome.kind,
        at=outcome.at,
        properties={"channel": decision["channel"], "decision_id": outcome.decision_id, "value": outcome.value},
    )
