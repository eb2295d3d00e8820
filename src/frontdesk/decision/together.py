"""One transaction of the engine: under the customers' locks, decide all that was asked and write all that follows."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import structlog

from frontdesk.decision.approvals import needed
from frontdesk.decision.choosing import Case, Chooser, is_young
from frontdesk.decision.masks import kept
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import Served, share_of
from frontdesk.engagement import Ask, Channel, Contact, Customer, Decision, Genes, Policy, PolicyRole
from frontdesk.errors import Conflict, FrontdeskError, UnknownCustomer
from frontdesk.ports import Ids
from frontdesk.store.customer_events import take
from frontdesk.store.customers import locked, reserve
from frontdesk.store.decisions import add, of_events
from frontdesk.store.outreach import NewOutreach, propose
from frontdesk.store.prepared import Connection

log = structlog.get_logger("frontdesk.decision")

CHOOSERS = 16  # policies that are kept ready

Result = Decision | FrontdeskError | None


class Asked(NamedTuple):
    """A question, with what is drawn for it beforehand: a transaction that runs again decides the same.

    `event_type` is told where an event asks by itself: then the answer is None if it was dealt with before.
    """

    ask: Ask
    id: str
    seed: int
    event_type: str | None = None


class Answers(NamedTuple):
    """The result of each question; which of them were decided now; the messages that are to be written; and the cases
    in which the challenger failed, so that the champion decided."""

    results: list[Result]
    fresh: list[Decision]
    messages: list[str]
    failed: list[Case]


class Choosers:
    """Policies that are ready to choose under the options in effect."""

    def __init__(self) -> None:
        self._ready: dict[tuple[str, PolicyRole], tuple[EngagementOptions, Chooser]] = {}

    def of(self, options: EngagementOptions, policy: Policy, role: PolicyRole = "champion") -> Chooser:
        """The policy in this role."""
        key = (policy.id, role)
        known = self._ready.get(key)
        if known is not None and known[0] is options:
            return known[1]
        if len(self._ready) >= CHOOSERS:
            self._ready.clear()
        chooser = Chooser(options, policy, role)
        self._ready[key] = (options, chooser)
        return chooser


class Together:
    """Decides in a transaction of the caller's, by the policies that serve and the options in effect."""

    def __init__(self, choosers: Choosers, served: Served, options: EngagementOptions, ids: Ids, now: datetime) -> None:
        self._choosers = choosers
        self._served = served
        self._options = options
        self._ids = ids
        self._now = now

    async def answer(self, connection: Connection, asked: Sequence[Asked]) -> Answers:
        """Answer all of it. Of questions about one customer, each later one sees what the earlier have planned."""
        customers = await locked(connection, {each.ask.customer_id for each in asked})
        events = {each.ask.event_id for each in asked if each.ask.event_id and not each.ask.dry}
        before = await of_events(connection, events) if events else {}
        waiting = await take(connection, events) if events else frozenset[str]()
        answers = Answers([None] * len(asked), [], [], [])
        for places in _rounds(asked):
            cases: list[tuple[int, Case]] = []
            for place in places:
                case = self._case(asked[place], customers, before, waiting)
                if isinstance(case, Case):
                    cases.append((place, case))
                else:
                    answers.results[place] = case
            made = self._choose([case for _, case in cases], answers.failed)
            to_keep: list[Decision] = []
            for (place, _), result in zip(cases, made, strict=True):
                answers.results[place] = result
                if isinstance(result, Decision) and not asked[place].ask.dry:
                    to_keep.append(result)
            before |= {each.event_id: each for each in to_keep if each.event_id}
            answers.fresh.extend(to_keep)
            answers.messages.extend(await self._write(connection, to_keep, customers))
            await self._shadow(connection, [case for place, case in cases if not asked[place].ask.dry])
        return answers

    def _case(
        self, asked: Asked, customers: dict[str, Customer], before: dict[str, Decision], waiting: frozenset[str]
    ) -> Case | Result:
        """What is to be decided, or the answer that is known already."""
        ask = asked.ask
        customer = customers.get(ask.customer_id)
        if customer is None:
            return UnknownCustomer("There is no such customer", where=ask.customer_id)
        if ask.event_id is not None and not ask.dry:
            known = before.get(ask.event_id)
            if known is not None:
                return known if known.customer_id == ask.customer_id else another_customers(ask.event_id)
            if asked.event_type is not None and ask.event_id not in waiting:
                return None
        return Case(asked.id, asked.seed, customer, ask.event_id, asked.event_type or "", ask.objective, ask.context)

    def _choose(self, cases: Sequence[Case], failed: list[Case]) -> list[Decision | FrontdeskError]:
        """By the policy that each customer falls to; by the champion where the challenger fails."""
        options, served, now = self._options, self._served, self._now
        challenged = [case for case in cases if policy_of(served, options, case.customer, now) is served.challenger]
        made: dict[str, Decision | FrontdeskError] = {}
        if served.challenger is not None and challenged:
            try:
                chooser = self._choosers.of(options, served.challenger, "challenger")
                chosen = chooser.choose(challenged, now, rationed=self._is_all_new())
                made |= zip((case.id for case in challenged), chosen, strict=True)
            except Exception:
                log.exception("challenger_failed", policy=served.challenger.id)
                failed.extend(challenged)
        rest = [case for case in cases if case.id not in made]
        if rest:
            chosen = self._choosers.of(options, served.champion).choose(rest, now)
            made |= zip((case.id for case in rest), chosen, strict=True)
        return [made[case.id] for case in cases]

    def _is_all_new(self) -> bool:
        """Whether the champion is young too: then all who are decided about count towards the innovation level, and
        nothing is done about the others. Beside an older champion the challenger's share keeps to that level already,
        and doing nothing about some of its people would count against it."""
        return is_young(self._served.champion, self._now)

    async def _write(
        self, connection: Connection, made: Sequence[Decision], customers: dict[str, Customer]
    ) -> list[str]:
        """Keep the decisions, ask for their messages and reserve the places of these: the messages' ids."""
        wait = timedelta(hours=self._options.learning.attribution_hours)
        new = [
            message_of(each, each.channel, each.send_at, self._genes(each), self._options)
            for each in made
            if each.state in ("act", "approval") and each.channel and each.send_at
        ]
        ids = await propose(connection, self._ids, self._now, new) if new else []
        planned: list[tuple[str, tuple[Contact, ...]]] = []
        for message, outreach_id in zip(new, ids, strict=True):
            customer = customers[message.customer_id]
            contact = Contact(at=message.send_at.timestamp(), channel=message.channel, outreach_id=outreach_id)
            contacts = (*kept(customer.contacts, self._now), contact)
            customers[customer.id] = msgspec.structs.replace(customer, contacts=contacts)
            planned.append((customer.id, contacts))
        if planned:
            await reserve(connection, planned)
        await add(connection, [(each, (each.send_at or each.at) + wait) for each in made])
        return ids

    async def _shadow(self, connection: Connection, cases: Sequence[Case]) -> None:
        """Note what the policy would have done that only scores."""
        if self._served.shadow is None or not cases:
            return
        copies = [case._replace(id=self._ids.new("dec"), event_id=None) for case in cases]
        try:
            chooser = self._choosers.of(self._options, self._served.shadow)
            chosen = chooser.choose(copies, self._now, rationed=self._is_all_new())
        except Exception:
            log.exception("shadow_failed", policy=self._served.shadow.id)
            return
        made = [each for each in chosen if isinstance(each, Decision)]
        await add(connection, [(msgspec.structs.replace(each, state="shadow"), None) for each in made])

    def _genes(self, decision: Decision) -> Genes:
        policy = self._served.challenger if decision.role == "challenger" else self._served.champion
        return (policy or self._served.champion).genes


def message_of(
    decision: Decision, channel: Channel, send_at: datetime, genes: Genes, options: EngagementOptions
) -> NewOutreach:
    """The message that a decision asks for, in the tone of its strategy. A held one needs people as a doubtful one."""
    return NewOutreach(
        decision_id=decision.id,
        customer_id=decision.customer_id,
        channel=channel,
        message=decision.arm.partition("/")[0],
        arm=decision.arm,
        segment=decision.segment,
        objective=decision.objective,
        tone=_tone(genes, decision.segment),
        risk=decision.risk,
        confidence=decision.confidence,
        send_at=send_at,
        needs=needed(decision.state, decision.risk, options),
    )


def policy_of(served: Served, options: EngagementOptions, customer: Customer, now: datetime) -> Policy:
    """The policy that decides about this customer: the challenger about its share of the people, and while it is young
    in no segment about more than the innovation level."""
    challenger, share = served.challenger, served.share
    if challenger is None:
        return served.champion
    segment = options.segments.get(customer.segment)
    if segment is not None and is_young(challenger, now):
        share = min(share, segment.innovation_level)
    return challenger if share_of(customer.id, challenger.strategy) < share else served.champion


def another_customers(event_id: str | None) -> Conflict:
    """What is answered when an event's id was used for two customers."""
    hint = "Give each event an id of its own."
    return Conflict("A decision about another customer bears the id of this event", where=event_id, hint=hint)


def _rounds(asked: Sequence[Asked]) -> Iterator[list[int]]:
    """The places of the questions, so that in no round there are two about one customer."""
    left = list(range(len(asked)))
    while left:
        first: dict[str, int] = {}
        for place in left:
            first.setdefault(asked[place].ask.customer_id, place)
        yield list(first.values())
        left = [place for place in left if first[asked[place].ask.customer_id] != place]


def _tone(genes: Genes, segment: str) -> str:
    tones = {"smb": genes.tone_smb, "enterprise": genes.tone_enterprise}
    return tones.get(segment, genes.tone_default)
