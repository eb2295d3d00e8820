"""A person's word against the desk's: the message of a decision that was held is written after all.

It then waits for approval as any other, and everything is asked again when it is released. The log keeps what the
policy chose and that it was held; what comes of it is the person's doing, so policies are not judged by it. Predicted
harm is no matter of opinion: what was held for it stays so.
"""

from datetime import datetime
from typing import Protocol

from frontdesk.decision import masks
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.release import STALE, segments_of
from frontdesk.decision.settings import Settings
from frontdesk.decision.together import message_of
from frontdesk.engagement import Channel, Contact, Customer, Decision, Policy
from frontdesk.errors import Conflict, UnknownCustomer
from frontdesk.ports import Clock, Ids
from frontdesk.store.customers import locked, reserve
from frontdesk.store.database import Database
from frontdesk.store.decisions import Decisions, mark_human
from frontdesk.store.outreach import of_decision, propose
from frontdesk.store.prepared import Connection
from frontdesk.telemetry import metrics


class Snapshots(Protocol):
    """Where policies are found by their ids."""

    async def policy(self, policy_id: str) -> Policy:
        """Raises `NotFound`."""
        ...


class Overruling:
    """Takes such words. `decisions` is the log, `snapshots` know the strategies' tones."""

    def __init__(
        self,
        database: Database,
        decisions: Decisions,
        snapshots: Snapshots,
        settings: Settings,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._database = database
        self._decisions = decisions
        self._snapshots = snapshots
        self._settings = settings
        self._clock = clock
        self._ids = ids

    async def overrule(self, decision_id: str) -> str:
        """Ask for the message of a held decision, and return the message's id.

        Raises `NotFound`, `UnknownCustomer`, and `Conflict` for a decision that was not held for its confidence, is out
        of date, was overruled before, or whose message a rule forbids by now.
        """
        decision = await self._decisions.get(decision_id)
        policy = await self._snapshots.policy(decision.policy_id)

        async def work(connection: Connection) -> str:
            now, options = self._clock.now(), self._settings()
            channel, decided_for = _may_be_overruled(decision, options, now)
            customer = (await locked(connection, [decision.customer_id])).get(decision.customer_id)
            if customer is None:
                raise UnknownCustomer("There is no such customer any more", where=decision.customer_id)
            if (known := await of_decision(connection, decision.id)) is not None:
                raise Conflict("Somebody has overruled this decision already", where=known)
            send_at = _moment(decision, customer, channel, max(decided_for, now), options)
            new = message_of(decision, channel, send_at, policy.genes, options)
            (outreach_id,) = await propose(connection, self._ids, now, [new])
            mine = Contact(at=send_at.timestamp(), channel=channel, outreach_id=outreach_id)
            await reserve(connection, [(customer.id, (*masks.kept(customer.contacts, now), mine))])
            await mark_human(connection, decision.id)
            return outreach_id

        outreach_id = await self._database.act(work)
        metrics.outreach_verdicts.labels("overrule").inc()
        return outreach_id


def _may_be_overruled(decision: Decision, options: EngagementOptions, now: datetime) -> tuple[Channel, datetime]:
    """By which channel it would go, and the moment for which it was decided."""
    if decision.state != "hold" or decision.channel is None or decision.send_at is None:
        raise Conflict("This decision was not held back", where=decision.state)
    if decision.risk > min(options.risk_tolerance, options.segment(decision.segment).risk_tolerance):
        raise Conflict("It was held for the harm that is predicted, and nobody overrules that", where=decision.id)
    if now - decision.send_at > STALE:
        hint = "Ask for a new decision about this customer."
        raise Conflict("What this was decided on is out of date", where=decision.id, hint=hint)
    return decision.channel, decision.send_at


def _moment(
    decision: Decision, customer: Customer, channel: Channel, at: datetime, options: EngagementOptions
) -> datetime:
    """When it may leave: at that moment, or when the hours open after it. Raises `Conflict` with the rule in words."""
    for segment in segments_of(decision.segment, customer, options):
        forbidden = masks.recheck(customer, channel, at, segment)
        if forbidden is not None and forbidden.rule == "hours" and (later := masks.opening(customer, at, segment)):
            at, forbidden = later, masks.recheck(customer, channel, later, segment)
        if forbidden is not None:
            raise Conflict(forbidden.words, where=forbidden.rule)
    return at
