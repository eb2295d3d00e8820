"""People's word on messages: bound to exactly what will be sent, counted once, acting at most once.

A digest covers what leaves the house: the channel, the address there, both parts of the text, the footer and the link
that stops such letters, and the time of day for which it was decided. (The moment itself may move with opening hours;
that needs no new word.) A text that somebody edits has another digest, so what others approved before counts no longer.
"""

from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from frontdesk.decision.content.checks import blocks, check
from frontdesk.decision.content.templates import Draft
from frontdesk.decision.content.writer import known_of
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.settings import Settings
from frontdesk.engagement import Channel, Customer, DecisionState, Exit, Exits
from frontdesk.errors import Conflict, TextRefused
from frontdesk.messages import Person
from frontdesk.ports import Clock
from frontdesk.store import outreach_votes as votes
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.decisions import mark_human
from frontdesk.store.outreach import Checks, OutreachRow, OutreachRows, end, of_locked
from frontdesk.store.outreach_votes import VerdictKind, Vote
from frontdesk.store.prepared import Connection
from frontdesk.telemetry import metrics


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word on the text that `digest` covers; an edit brings the new text."""

    kind: VerdictKind
    digest: str
    note: str = ""
    draft: Draft | None = None


def needed(state: DecisionState, risk: float, options: EngagementOptions) -> int:
    """How many people must approve what was decided: none, one, or two from `four_eyes_risk` on."""
    if state == "act":
        return 0
    return 2 if risk >= options.four_eyes_risk else 1


def digest_of(row: OutreachRow, customer: Customer, draft: Draft, way_out: Exit) -> str:
    """SHA-256 over what will be sent."""
    address, body = address_of(customer, row.channel), way_out.below(draft.body)
    parts = (row.customer_id, row.channel, address, draft.subject, body, way_out.url, row.slot)
    return sha256(msgspec.json.encode(parts)).hexdigest()


def address_of(customer: Customer, channel: Channel) -> str:
    """Where the customer is reached; in the owner's own app and service by their id."""
    return customer.addresses.get(channel) or customer.id


class Approvals:
    """Takes verdicts, and ends what nobody decides in time."""

    def __init__(
        self,
        database: Database,
        rows: OutreachRows,
        customers: Customers,
        settings: Settings,
        exits: Exits,
        clock: Clock,
    ) -> None:
        self._database = database
        self._rows = rows
        self._customers = customers
        self._settings = settings
        self._exits = exits
        self._clock = clock

    def digest(self, row: OutreachRow, customer: Customer, draft: Draft) -> str:
        """SHA-256 over what will be sent, as things are now."""
        return digest_of(row, customer, draft, self._exits(row.channel, row.decision_id))

    def footer(self, row: OutreachRow) -> str:
        """What stands below the text of a message that has not left yet, and is no part of the text."""
        return self._exits(row.channel, row.decision_id).footer if row.state in ("approval", "scheduled") else ""

    async def settle(self, outreach_id: str, person: Person, verdict: Verdict) -> OutreachRow:
        """Take somebody's word and return the message as it is then.

        Raises `NotFound`; `Conflict` when it waits no longer, or is not what they saw; `TextRefused` for an edited
        text that breaks a rule.
        """
        checks = await self._checked(outreach_id, verdict.draft) if verdict.draft is not None else ()

        async def work(connection: Connection) -> None:
            row, customer = await of_locked(connection, outreach_id)
            now = self._clock.now()
            _may_be_settled(row, verdict, now)
            digest = verdict.digest if verdict.draft is None else self.digest(row, customer, verdict.draft)
            vote = Vote(
                outreach_id=row.id,
                person_id=person.id,
                verdict=verdict.kind,
                digest=digest,
                note=verdict.note,
                at=now,
            )
            await votes.cast(connection, vote)
            if verdict.kind == "reject":
                await mark_human(connection, row.decision_id)
                await end(connection, row, customer, "rejected", "rejected", now)
                return
            if verdict.draft is not None:
                await mark_human(connection, row.decision_id)
                new = verdict.draft
                await votes.edited(
                    connection, row.id, subject=new.subject, body=new.body, digest=digest, checks=checks, now=now
                )
            if await votes.people_for(connection, row.id, digest) >= row.needs:
                await votes.approved(connection, row.id, now)

        await self._database.act(work)
        metrics.outreach_verdicts.labels(verdict.kind).inc()
        return await self._rows.get(outreach_id)

    async def lapse(self, outreach_id: str) -> None:
        """End a message on which nobody decided in time, or let others decide where its segment says so."""

        async def work(connection: Connection) -> str | None:
            row, customer = await of_locked(connection, outreach_id)
            now, options = self._clock.now(), self._settings()
            if row.state != "approval" or row.due_at > now:
                return None
            if options.segment(row.segment).engagement_rules.escalation_enabled and not row.escalated:
                until = now + timedelta(hours=options.approval_hours)
                await votes.ask(
                    connection,
                    row,
                    needs=row.needs,
                    digest=row.digest,
                    until=until,
                    why="escalated",
                    now=now,
                    escalated=True,
                )
                return "escalate"
            await end(connection, row, customer, "expired", "nobody_decided", now)
            return "expire"

        if (done := await self._database.act(work)) is not None:
            metrics.outreach_verdicts.labels(done).inc()

    async def _checked(self, outreach_id: str, draft: Draft) -> Checks:
        row = await self._rows.get(outreach_id)
        customer = await self._customers.get(row.customer_id)
        options = self._settings()
        known = known_of(options, row, customer)
        segment = options.segment(row.segment)
        found = check(draft, known, options.safety, segment, channel=row.channel, of="person")
        if blocks(found):
            raise TextRefused(next(each.words for each in found if each.weight == "block"), where=outreach_id)
        return found


def _may_be_settled(row: OutreachRow, verdict: Verdict, now: datetime) -> None:
    if row.state != "approval":
        raise Conflict("This message does not wait for anybody", where=row.state)
    if row.deadline is not None and row.deadline <= now:
        raise Conflict("The time to decide about this message has passed", where=row.id)
    if row.digest != verdict.digest:
        raise Conflict("The message is no longer what you saw", where=row.id, hint="Look at it again, then decide.")
