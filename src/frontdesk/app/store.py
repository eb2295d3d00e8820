"""The subjects of the database, opened together."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from frontdesk.app.sealing import ring_of
from frontdesk.conversation.wants import wants_person
from frontdesk.delivery.delivery import WEBHOOK
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.gate.signing import derived_key
from frontdesk.models.options import BudgetOptions, ModelsOptions
from frontdesk.ports import Clock, Ids
from frontdesk.store import words
from frontdesk.store.audit import Audit
from frontdesk.store.budgets import Budgets, Cap
from frontdesk.store.calls import Calls
from frontdesk.store.canned import Canned
from frontdesk.store.conversations import Conversations
from frontdesk.store.database import Database
from frontdesk.store.dead import DeadLetters
from frontdesk.store.feedback import Feedback
from frontdesk.store.files import Files
from frontdesk.store.handoffs import Handoffs
from frontdesk.store.inbox import Inbox
from frontdesk.store.jobs import Jobs
from frontdesk.store.keys import Keys
from frontdesk.store.links import Links
from frontdesk.store.memories import Memories
from frontdesk.store.migrations import migrate
from frontdesk.store.notes import Notes
from frontdesk.store.outbox import Outbox
from frontdesk.store.passages import Passages
from frontdesk.store.people import People
from frontdesk.store.places import Places
from frontdesk.store.queues import Queues
from frontdesk.store.requests import Requests
from frontdesk.store.rows import Rows
from frontdesk.store.schedules import Schedules
from frontdesk.store.sessions import Sessions
from frontdesk.store.surveys import Surveys
from frontdesk.store.tools import ApprovalRows, ToolLedger
from frontdesk.store.turns import Turns
from frontdesk.store.updates import Updates
from frontdesk.store.watch import Watch
from frontdesk.store.workers import Workers
from frontdesk.system.options import StoreOptions
from frontdesk.system.system import System

PROGRAMS = ("openai", "mcp")  # channels of programs, which would bury people's conversations in the team's list


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The subjects of the database."""

    database: Database
    people: People
    sessions: Sessions
    keys: Keys
    links: Links
    audit: Audit
    budgets: Budgets
    conversations: Conversations
    inbox: Inbox
    turns: Turns
    updates: Updates
    places: Places
    files: Files
    memories: Memories
    handoffs: Handoffs
    outbox: Outbox
    feedback: Feedback
    calls: Calls
    requests: Requests
    passages: Passages
    tool_ledger: ToolLedger
    approval_rows: ApprovalRows
    jobs: Jobs
    schedules: Schedules
    workers: Workers
    queues: Queues
    dead: DeadLetters
    watch: Watch
    notes: Notes
    canned: Canned
    surveys: Surveys


@asynccontextmanager
async def open_audit(system: System, secret: bytes, clock: Clock) -> AsyncGenerator[Audit]:
    """The audit log alone: no tables are brought up to date, and no key of people's words is needed.

    Raises `StoreUnavailable`.
    """
    database = await Database.open(system.database_url, pool_size=1, max_overflow=1)
    try:
        yield Audit(database, clock, derived_key(secret, "audit"))
    finally:
        await database.close()


async def open_store(system: System, secret: bytes, clock: Clock, ids: Ids, stack: AsyncExitStack) -> Store:
    """Connect, bring the tables up to date; `stack` closes it. Raises `StoreUnavailable`, `StoreTooNew`, `WrongKey`."""
    options, notices = system.section(StoreOptions), system.section(DeliveryOptions)
    database = await Database.open(
        system.database_url,
        pool_size=options.pool_size,
        max_overflow=options.max_overflow,
        ring=ring_of(system),
    )
    stack.push_async_callback(database.close)
    await migrate(database)
    await database.commit(words.key)  # tells a wrong key before anything is read or written with it
    rows = Rows(database)
    calls = Calls(database, rows, clock, ids)
    stack.push_async_callback(calls.settled)
    budgets = Budgets(database, clock, ids, _caps(system.section(ModelsOptions).budget))
    stack.push_async_callback(budgets.settled)
    audit = Audit(database, clock, derived_key(secret, "audit"))
    return Store(
        database=database,
        people=People(database, clock, ids),
        sessions=Sessions(database, clock, ids),
        keys=Keys(database, clock, ids),
        budgets=budgets,
        links=Links(database, clock, ids, audit),
        audit=audit,
        conversations=Conversations(database, clock),
        inbox=Inbox(database, clock, ids, wants_person=wants_person),
        turns=Turns(database, clock, ids),
        updates=Updates(database, clock, ids),
        places=Places(database, clock, ids),
        files=Files(database, clock, ids),
        memories=Memories(database, clock, ids),
        handoffs=Handoffs(database, clock, ids, notice=WEBHOOK if notices.webhook_url else None),
        outbox=Outbox(database, clock),
        feedback=Feedback(database, clock),
        calls=calls,
        requests=Requests(rows, clock, ids),
        passages=Passages(database, clock, ids),
        tool_ledger=ToolLedger(database, clock),
        approval_rows=ApprovalRows(database, clock),
        jobs=Jobs(database, clock, ids),
        schedules=Schedules(database, clock, ids),
        workers=Workers(database, clock),
        queues=Queues(database, clock),
        dead=DeadLetters(database, clock),
        watch=Watch(database, but=PROGRAMS),
        notes=Notes(database, clock, ids),
        canned=Canned(database, clock, ids),
        surveys=Surveys(database, clock),
    )


def _caps(options: BudgetOptions) -> tuple[Cap, ...]:
    """The caps that are set, money in millionths."""
    person = options.person
    caps = (
        Cap(whose="person", period="hour", tokens=person.tokens_per_hour, cost=_millionths(person.money_per_hour)),
        Cap(whose="person", period="day", tokens=person.tokens_per_day, cost=_millionths(person.money_per_day)),
        Cap(whose="desk", period="day", tokens=options.tokens_per_day, cost=_millionths(options.money_per_day)),
    )
    return tuple(cap for cap in caps if cap.tokens is not None or cap.cost is not None)


def _millionths(money: float | None) -> int | None:
    return None if money is None else round(money * 1_000_000)
