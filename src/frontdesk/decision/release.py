"""Release: the last look before a message leaves, under the customer's lock.

Every rule is asked again, because hours, consent, caps and settings may have changed since the decision. Then, in the
same transaction, the letter is written. A message that may not leave waits for the next opening, goes back to people,
or is withdrawn with the rule that did it, and its place under the caps is given back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from frontdesk.decision import masks
from frontdesk.decision.approvals import address_of, digest_of, needed
from frontdesk.decision.content.templates import Draft
from frontdesk.decision.intake import note
from frontdesk.decision.options import EngagementOptions, SegmentOptions
from frontdesk.decision.profiles import MESSAGE
from frontdesk.decision.settings import Settings
from frontdesk.engagement import Customer, CustomerEvent, Envelope, Exit, Exits, OutreachState
from frontdesk.outgoing import Reply
from frontdesk.ports import Clock, Ids, Outlet
from frontdesk.store import outreach_votes as votes
from frontdesk.store.database import Database
from frontdesk.store.outbox import NewLetter, put
from frontdesk.store.outreach import OutreachRow, defer, end, of_locked, released
from frontdesk.store.prepared import Connection

STALE = timedelta(hours=24)  # after its moment a message is out of date: what it was decided on is past
QUARTER = timedelta(minutes=15)
LONGEST_TRY = timedelta(hours=4)  # for which a letter may be tried again, if the hours allow it that long


class Release:
    """Releases messages. `exits` tell how letters are stopped; `outlets` are the channels that write letters in a form
    of their own."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        exits: Exits,
        clock: Clock,
        ids: Ids,
        outlets: Mapping[str, Outlet],
    ) -> None:
        self._database = database
        self._settings = settings
        self._exits = exits
        self._clock = clock
        self._ids = ids
        self._outlets = outlets

    async def release(self, outreach_id: str) -> tuple[OutreachState, tuple[str, ...]]:
        """Let it leave if it may: its state after that, and the letters that are ready to be sent."""

        async def work(connection: Connection) -> tuple[OutreachState, tuple[str, ...]]:
            row, customer = await of_locked(connection, outreach_id)
            now, options = self._clock.now(), self._settings()
            if row.state != "scheduled" or row.due_at > now:
                return row.state, ()
            draft = Draft(subject=row.subject or "", body=row.body or "")
            way_out = self._exits(row.channel, row.decision_id)
            digest = digest_of(row, customer, draft, way_out)
            if (needs := await _missing(connection, row, digest, options)) > 0:
                until = now + timedelta(hours=options.approval_hours)
                await votes.ask(
                    connection, row, needs=needs, digest=digest, until=until, why="must_be_approved", now=now
                )
                return "approval", ()
            if (why := _over(row, now, options)) is not None:
                await end(connection, row, customer, "withdrawn", why, now)
                return "withdrawn", ()
            for segment in segments_of(row.segment, customer, options):
                if (forbidden := masks.recheck(customer, row.channel, now, segment, besides=row.id)) is not None:
                    later = masks.opening(customer, now, segment) if forbidden.rule == "hours" else None
                    if later is None:
                        await end(connection, row, customer, "withdrawn", forbidden.rule, now)
                        return "withdrawn", ()
                    await defer(connection, row, customer, later, forbidden.rule, now)
                    return "scheduled", ()
            try:
                bodies = self._bodies(row, customer, draft, way_out)
            except ValueError:  # the channel can make nothing of the address
                await end(connection, row, customer, "withdrawn", "address", now)
                return "withdrawn", ()
            return "released", await self._leave(connection, row, customer, bodies, digest, now)

        return await self._database.act(work)

    async def _leave(
        self,
        connection: Connection,
        row: OutreachRow,
        customer: Customer,
        bodies: Sequence[str],
        digest: str,
        now: datetime,
    ) -> tuple[str, ...]:
        not_after = _closing(customer, now, segments_of(row.segment, customer, self._settings()))
        letters = [
            await put(
                connection,
                self._ids,
                now,
                NewLetter(
                    key=f"outreach:{row.id}:{number}",
                    channel=row.channel,
                    customer_id=row.customer_id,
                    body=body,
                    proactive=True,
                    not_after=not_after,
                ),
            )
            for number, body in enumerate(bodies)
        ]
        await released(connection, row, customer, letter_id=letters[0], digest=digest, not_after=not_after, now=now)
        sent = CustomerEvent(
            id=row.id, customer_id=row.customer_id, type=MESSAGE, at=now, properties={"channel": row.channel}
        )
        await note(connection, [sent], now)
        return tuple(letters)

    def _bodies(self, row: OutreachRow, customer: Customer, draft: Draft, way_out: Exit) -> Sequence[str]:
        address = address_of(customer, row.channel)
        if (outlet := self._outlets.get(row.channel)) is not None:
            return outlet.letters(Reply(place=address, text=draft.whole))
        envelope = Envelope(
            to=address,
            subject=draft.subject,
            body=way_out.below(draft.body),
            customer_id=row.customer_id,
            decision_id=row.decision_id,
            message=row.message,
            unsubscribe_url=way_out.url,
        )
        return [msgspec.json.encode(envelope).decode()]


async def _missing(connection: Connection, row: OutreachRow, digest: str, options: EngagementOptions) -> int:
    """How many people must approve, where not so many have approved exactly this yet; else 0.

    Rules may have become stricter since the decision, and the address or the footer may be another one.
    """
    strict = options.mode == "supervised" or options.segment(row.segment).engagement_rules.approval_required
    needs = max(row.needs, needed("approval", row.risk, options) if strict else 0)
    if needs == 0 or await votes.people_for(connection, row.id, digest) >= needs:
        return 0
    return needs


def _over(row: OutreachRow, now: datetime, options: EngagementOptions) -> str | None:
    """Why nothing can make it leave any more, or None."""
    if now - max(row.send_at, row.updated_at) > STALE:
        return "too_late"
    if row.risk > min(options.risk_tolerance, options.segment(row.segment).risk_tolerance):
        return "risk"
    return None


def segments_of(decided_in: str, customer: Customer, options: EngagementOptions) -> Sequence[SegmentOptions]:
    """The segment of the decision, and the customer's own where that is another one by now: both hold."""
    return [options.segment(name) for name in dict.fromkeys((decided_in, customer.segment))]


def _closing(customer: Customer, now: datetime, segments: Sequence[SegmentOptions]) -> datetime:
    """Until when a letter that leaves now may be tried again: while the hours are open, and for some hours at most.

    Hours end with a full hour of somebody's clock, and clocks differ by quarters of an hour.
    """
    past = timedelta(minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond)
    until = now - past + QUARTER
    while until < now + LONGEST_TRY and all(masks.opening(customer, until, each) == until for each in segments):
        until += QUARTER
    return until
