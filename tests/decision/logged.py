"""Decisions in a database with messages that left, for tests of what comes of them."""

from datetime import datetime, timedelta

import msgspec

from frontdesk.decision.features import CUSTOMER_NUMBERS, digest
from frontdesk.engagement import CHANNELS, NOTHING, Channel, Customer, Decision
from frontdesk.store import decisions, outreach
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.outreach import NewOutreach
from frontdesk.store.prepared import Connection
from frontdesk.testing.clock import CountingIds, FakeClock

WINDOW = timedelta(hours=72)
EVERYWHERE = 2 ** len(CHANNELS) - 1


def decision(decision_id: str, at: datetime, arm: str = "welcome/email/now", **values: object) -> Decision:
    """A decision about the customer `ann`, as the engine writes it."""
    features = tuple(1.0 if name == "bias" else 0.0 for name in CUSTOMER_NUMBERS)
    made = Decision(
        id=decision_id,
        customer_id="ann",
        at=at,
        segment="default",
        objective="onboard",
        state="nothing" if arm == NOTHING else "act",
        arm=arm,
        channel=None if arm == NOTHING else arm.split("/")[1],
        policy_id="p1",
        role="champion",
        confidence=0.9,
        risk=0.01,
        propensity=0.5,
        seed=1,
        eligible=(NOTHING, "welcome/email/now"),
        probabilities=(0.5, 0.5),
        features=features,
        features_digest=digest(features),
        masks=(),
        contributions=(),
    )
    return msgspec.structs.replace(made, **values)


class Desk:
    """Writes customers, decisions and messages."""

    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock, self.ids = database, clock, ids
        self.customers = Customers(database, clock)

    async def customer(self, customer_id: str = "ann") -> Customer:
        given = Customer(id=customer_id, segment="default", consents=EVERYWHERE, addresses={"email": "a@example.com"})
        return await self.customers.put(given)

    async def decide(
        self, decision_id: str, arm: str = "welcome/email/now", *, released: bool = True, **values: object
    ) -> Decision:
        """Write a decision and, where it sends something, its message."""
        made = decision(decision_id, self.clock.now(), arm, **values)

        async def work(connection: Connection) -> None:
            settles_at = (made.send_at or made.at) + WINDOW
            await decisions.add(connection, [(made, None if made.state == "shadow" else settles_at)])
            if made.channel is not None:
                await outreach.propose(connection, self.ids, made.at, [_message(made)])

        await self.database.act(work)
        if made.channel is not None and released:
            change = outreach.outreach.update().where(outreach.outreach.c.decision_id == decision_id)
            await self.database.commit(lambda connection: connection.execute(change.values(state="released")))
        return made


def _message(made: Decision) -> NewOutreach:
    channel: Channel = made.channel  # type: ignore[assignment]
    return NewOutreach(
        decision_id=made.id,
        customer_id=made.customer_id,
        channel=channel,
        message=made.arm.split("/")[0],
        arm=made.arm,
        segment=made.segment,
        objective=made.objective,
        tone="friendly",
        risk=made.risk,
        confidence=made.confidence,
        send_at=made.at,
    )
