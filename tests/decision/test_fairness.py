"""A desk that treats groups differently finds out by itself."""

import pytest

from frontdesk.decision.fairness import Fairness, treated
from frontdesk.decision.options import BiasOptions, EngagementOptions, MessageOptions, TemplateOptions
from frontdesk.engagement import NOTHING, Customer
from frontdesk.store import decisions, gaps
from frontdesk.store.audit import Audit
from frontdesk.store.customers import Customers
from frontdesk.store.database import Database
from frontdesk.store.gaps import Gaps
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock
from tests.decision.logged import decision

SALE = MessageOptions(key="sale", channels=["email"], offer=0.4, templates={"friendly": TemplateOptions(body="Hi")})
OPTIONS = EngagementOptions(messages=[SALE], bias=BiasOptions(groups=["gender"], least_count=50))


class Desk:
    def __init__(self, database: Database, clock: FakeClock, ids: CountingIds) -> None:
        self.database, self.clock, self.options = database, clock, OPTIONS
        self.gaps, self.audit = Gaps(database, clock, ids), Audit(database, clock, b"key")
        self.fairness = Fairness(self.gaps, lambda: self.options, clock, self.audit)

    async def people(self, gender: str, many: int, written_to: int) -> None:
        """So many people, of whom some got a message."""
        names = [f"{gender}{number:03d}" for number in range(many)]
        given = [Customer(id=name, segment="default", traits={"gender": gender, "seats": 3}) for name in names]
        await Customers(self.database, self.clock).put_many(given)
        made = [
            decision(f"d-{name}", self.clock.now(), "sale/email/now" if at < written_to else NOTHING, customer_id=name)
            for at, name in enumerate(names)
        ]
        await self.database.act(lambda connection: decisions.add(connection, [(each, None) for each in made]))


@pytest.fixture
def desk(database: Database, clock: FakeClock, ids: CountingIds) -> Desk:
    return Desk(database, clock, ids)


async def test_a_group_that_is_passed_over_is_found_once_and_told_in_audit_and_metrics(desk: Desk) -> None:
    await desk.people("f", 120, 20)
    await desk.people("m", 120, 90)
    [finding] = await desk.fairness.look()
    assert (finding.measure, finding.trait, finding.group, finding.reference) == ("selection", "gender", "f", "m")
    assert finding.ratio == pytest.approx(20 / 90)
    assert [(row.act, row.subject) for row in await desk.audit.page()] == [("bias.finding", finding.id)]
    assert metrics.bias_findings.labels("selection")._value.get() == 1
    assert await desk.fairness.look() == []
    await desk.gaps.accept(finding.id, "per_1", "They asked for it.")
    await desk.fairness.publish()
    assert metrics.bias_findings.labels("selection")._value.get() == 0


async def test_people_who_are_treated_alike_raise_nothing(desk: Desk) -> None:
    await desk.people("f", 120, 60)
    await desk.people("m", 120, 60)
    assert await desk.fairness.look() == []
    assert [(gap.trait, gap.ratio) for gap in await desk.gaps.all() if gap.measure == "selection"] == [("gender", 1.0)]


async def test_a_desk_that_does_not_look_for_bias_finds_none(desk: Desk) -> None:
    desk.options = EngagementOptions(bias=BiasOptions(enabled=False))
    await desk.people("f", 120, 0)
    await desk.people("m", 120, 120)
    assert await desk.fairness.look() == []
    assert await desk.gaps.all() == []


def test_offers_are_those_of_the_messages_and_only_named_traits_make_groups() -> None:
    def row(arm: str, messages: int, successes: int = 0) -> gaps.Treated:
        traits = {"gender": "f", "seats": 3, "plan": None}
        return gaps.Treated(
            customer_id="ann",
            segment="smb",
            traits=traits,
            arm=arm,
            decisions=5,
            messages=messages,
            successes=successes,
        )

    [ann] = treated([row("sale/email/now", 3, 1), row(NOTHING, 0), row("gone/email/now", 1)], OPTIONS)
    assert ann.traits == {"segment": "smb", "gender": "f"}
    assert (ann.decisions, ann.messages, ann.successes) == (15, 4, 1)
    assert ann.offers == pytest.approx(1.2)
