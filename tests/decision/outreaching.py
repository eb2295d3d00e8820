"""A desk that writes to customers, for tests: real rows, scripted models, and a receiver of letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from frontdesk.decision.approvals import Approvals, Verdict
from frontdesk.decision.content.writer import Writer
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.outreach import Outreach
from frontdesk.decision.release import Release
from frontdesk.delivery.options import DeliveryOptions
from frontdesk.delivery.unsubscribe import StopLinks, exits
from frontdesk.engagement import CHANNELS, Channel, Contact, Customer, Exit
from frontdesk.messages import Found, Passage, Person, Role
from frontdesk.models.member import Member
from frontdesk.models.router import Retry, Router
from frontdesk.models.scripted import Rule, ScriptedModel
from frontdesk.store.audit import Audit
from frontdesk.store.customers import Customers, locked, reserve
from frontdesk.store.database import Database
from frontdesk.store.outbox import Letter, Outbox
from frontdesk.store.outreach import NewOutreach, OutreachRow, OutreachRows, propose
from frontdesk.store.prepared import Connection
from frontdesk.testing.clock import CountingIds, FakeClock

EVERYTHING = (1 << len(CHANNELS)) - 1
ANN = Person(id="per_ann", name="Ann", role=Role.OPERATOR)
BEN = Person(id="per_ben", name="Ben", role=Role.OPERATOR)
HELLO = {"subject": "Welcome, {name|friend}", "body": "Hi {name|there}, here is how to begin."}


def options(**values: Any) -> EngagementOptions:
    """A desk that acts on its own, with a relaxed and a strict segment and one message to write."""
    return EngagementOptions.model_validate(
        {
            "enabled": True,
            "mode": "fully_autonomous",
            "segments": {
                "default": {"engagement_rules": {"quiet_from": 0, "quiet_until": 0}},
                "enterprise": {
                    "risk_tolerance": 0.02,
                    "compliance_requirements": ["SOC2", "GDPR", "HIPAA"],
                    "content_guidelines": {"tone": "professional", "emoji_usage": "never"},
                    "engagement_rules": {
                        "max_messages_per_week": 3,
                        "business_hours_only": True,
                        "approval_required": True,
                        "escalation_enabled": True,
                    },
                },
            },
            "messages": [
                {"key": "hello", "brief": "Say welcome.", "channels": list(CHANNELS), "templates": {"friendly": HELLO}}
            ],
        }
        | values
    )


class Knowledge:
    """What the owner's documents say."""

    def __init__(self, *texts: str) -> None:
        self._passages = tuple(
            Passage(id=text, document_id="d", title="", source="", heading="", text=text, start=0, end=len(text))
            for text in texts
        )

    async def search(self, question: str, *, limit: int = 6) -> Found:
        return Found(passages=self._passages[:limit], confidence=1.0 if self._passages else 0.0)

    async def passage(self, passage_id: str) -> Passage:
        raise NotImplementedError


@dataclass
class Bells:
    """Notes which rows it was told of."""

    rung: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    backlog: int = 0

    async def ready(self, kind: str, row_id: str) -> None:
        self.rung.append((kind, row_id))


@dataclass
class Room:
    """The room of messages, with what it stands on."""

    database: Database
    clock: FakeClock
    ids: CountingIds
    options: EngagementOptions
    models: Sequence[ScriptedModel]
    knowledge: Knowledge = field(default_factory=Knowledge)
    bells: Bells = field(default_factory=Bells)
    public_url: str = ""
    delivery: DeliveryOptions = field(default_factory=DeliveryOptions)

    def __post_init__(self) -> None:
        database, clock = self.database, self.clock
        members = [Member(model, clock=clock) for model in self.models]
        router = Router(members, clock=clock, retry=Retry(tries=1))
        self.rows = OutreachRows(database, clock)
        self.customers = Customers(database, clock)
        self.outbox = Outbox(database, clock)
        self.audit = Audit(database, clock, b"key")
        self.approvals = Approvals(database, self.rows, self.customers, lambda: self.options, self.exits, clock)
        self.outreach = Outreach(
            self.rows,
            self.customers,
            Writer(router, self.knowledge, lambda: self.options),
            self.approvals,
            Release(database, lambda: self.options, self.exits, clock, self.ids, {}),
            self.audit,
            lambda: self.options,
            clock,
            self.bells,
        )

    def exits(self, channel: Channel, decision_id: str) -> Exit:
        """How letters are stopped, as the room is set up at this moment."""
        return exits(self.delivery, StopLinks(self.public_url, b"key"))(channel, decision_id)

    async def customer(self, customer_id: str = "c1", **values: Any) -> Customer:
        """Somebody who agreed to everything and has an address everywhere."""
        given = {"name": "Cleo", "consents": EVERYTHING, "segment": "default"} | values
        addresses = {"email": f"{customer_id}@example.com", "sms": "+49 30 1234567"}
        customer = Customer(id=customer_id, **({"addresses": addresses} | given))  # pyright: ignore[reportArgumentType]
        return await self.customers.put(customer)

    async def propose(self, customer_id: str = "c1", *, at: datetime | None = None, **values: Any) -> str:
        """A decision's message, with its place under the customer's caps."""
        number = len(await self.rows.page(limit=10_000))
        base = NewOutreach(
            decision_id=f"dec_{number}",
            customer_id=customer_id,
            channel="email",
            message="hello",
            arm="hello/email/now",
            segment="default",
            objective="onboard",
            tone="friendly",
            risk=0.01,
            confidence=0.9,
            send_at=at or self.clock.now(),
        )
        given = {name: getattr(base, name) for name in NewOutreach.__struct_fields__} | values
        new = NewOutreach(**given)

        async def work(connection: Connection) -> str:
            customer = (await locked(connection, [customer_id]))[customer_id]
            [outreach_id] = await propose(connection, self.ids, self.clock.now(), [new])
            mine = Contact(at=new.send_at.timestamp(), channel=new.channel, outreach_id=outreach_id)
            await reserve(connection, [(customer_id, (*customer.contacts, mine))])
            return outreach_id

        return await self.database.act(work)

    async def run(self, outreach_id: str, *, steps: int = 3) -> OutreachRow:
        """Have it worked on until it waits for somebody or something."""
        for _ in range(steps):
            await self.outreach.run(outreach_id)
        return await self.rows.get(outreach_id)

    async def say(self, row: OutreachRow, person: Person = ANN, kind: str = "approve", **more: Any) -> OutreachRow:
        """Somebody's word on exactly this text."""
        verdict = Verdict(kind=kind, digest=row.digest or "", **more)  # pyright: ignore[reportArgumentType]
        return await self.approvals.settle(row.id, person, verdict)

    async def letters(self) -> list[Letter]:
        """Every letter that is ready to leave."""
        found = [await self.outbox.claim(letter_id, 60) for letter_id in await self.outbox.due()]
        return [letter for letter in found if letter is not None]

    async def contacts(self, customer_id: str = "c1") -> list[str]:
        """The messages that count against the customer's caps."""
        return [contact.outreach_id for contact in (await self.customers.get(customer_id)).contacts]

    def pass_time(self, **time: float) -> None:
        self.clock.advance(timedelta(**time).total_seconds())


def writing(clock: FakeClock, *texts: str) -> list[ScriptedModel]:
    """A model that says these texts in turn, and the last one for ever."""
    once = [Rule(answer=(text,)) for text in texts[:-1]]
    return [ScriptedModel("writer", [Rule(answer=(texts[-1],))], clock=clock, once=once)]


def away(clock: FakeClock, name: str) -> ScriptedModel:
    """A model that is out of reach."""
    return ScriptedModel(name, [Rule(fails="unavailable")], clock=clock)
