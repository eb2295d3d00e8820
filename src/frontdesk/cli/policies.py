"""`frontdesk policies`"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group

if TYPE_CHECKING:
    from frontdesk.decision.comparing import Compared
    from frontdesk.engagement import Policy
    from frontdesk.store.policies import Policies

EXAMPLES = """\
frontdesk policies list
frontdesk policies show policy_0193…                    its genes, and what it believes
frontdesk policies compare policy_0193… policy_0194…    what is different
frontdesk policies off-policy                           what they would bring, by the log"""


@click.group(cls=Group, examples=EXAMPLES)
def policies() -> None:
    """List, read and compare the policies by which customers are decided about."""


@policies.command("list", examples="frontdesk policies list --strategy policy_0193… --json")
@placed
@click.option("--strategy", default="", metavar="ID", help="Of this strategy alone.")
@click.option("--limit", default=20, type=click.IntRange(1, 10_000), show_default=True, help="How many at most.")
@json_option
def list_policies(place: Place, strategy: str, limit: int, as_json: bool) -> None:
    """List snapshots, the newest first, and which of them serve."""

    async def work(store: "Policies") -> None:
        found, now = await store.page(strategy=strategy, limit=limit), await store.serving()
        roles = {now.shadow_id: "shadow", now.challenger_id: "challenger", now.champion_id: "champion"}
        if as_json:
            print_json({"serving": now, "items": found})
            return
        rows = [
            (line.id, roles.get(line.id), line.origin, line.generation, f"{line.outcomes:.0f}", line.created_at)
            for line in found
        ]
        print_table(rows, ("id", "serves as", "origin", "generation", "outcomes", "made"))

    _with_policies(place, work)


@policies.command(examples="frontdesk policies show policy_0193… --json")
@placed
@click.argument("policy_id", metavar="ID")
@json_option
def show(place: Place, policy_id: str, as_json: bool) -> None:
    """Print the snapshot ID: where it came from, its genes, and the weight of each feature."""

    async def work(store: "Policies") -> None:
        policy, lineage = await store.get(policy_id), await store.lineage(policy_id, limit=5)
        if as_json:
            print_json({"policy": policy, "lineage": lineage})
            return
        click.echo(f"{policy.id}: {policy.origin}, generation {policy.generation}, strategy {policy.strategy}")
        click.echo(f"from {' ← '.join(line.id for line in lineage[1:]) or 'nothing'}\n")
        print_table(list(msgspec.structs.asdict(policy.genes).items()), ("gene", "value"))
        click.echo()
        weights = zip(policy.features, policy.reward.mean, policy.harm.mean, strict=True)
        rows = [(name, f"{reward:+.4f}", f"{harm:+.4f}") for name, reward, harm in weights]
        print_table(rows, ("feature", "reward", "harm"))

    _with_policies(place, work)


@policies.command(examples="frontdesk policies compare policy_0193… policy_0194…")
@placed
@click.argument("one", metavar="ID")
@click.argument("other", metavar="ID")
@json_option
def compare(place: Place, one: str, other: str, as_json: bool) -> None:
    """Print the genes and weights in which two snapshots differ."""

    async def work(store: "Policies") -> None:
        rows = _differences(await store.get(one), await store.get(other))
        if as_json:
            print_json([{"what": what, "one": left, "other": right} for what, left, right in rows])
            return
        print_table(rows, ("what", one, other))
        if not rows:
            note("They are alike.")

    _with_policies(place, work)


@policies.command("off-policy", examples="frontdesk policies off-policy --days 14 --json")
@placed
@click.argument("policy_ids", nargs=-1, metavar="[ID]…")
@click.option("--days", default=30, type=click.IntRange(1, 366), show_default=True, help="How much of the log.")
@json_option
def off_policy(place: Place, policy_ids: tuple[str, ...], days: int, as_json: bool) -> None:
    """Estimate what policies would have brought on the decisions that were made; without IDs, those that serve.

    Rewards are in units of one conversion. Only decisions that a policy has not learned from count.
    """

    async def work(desk: Local, store: "Policies") -> None:
        from datetime import timedelta

        from frontdesk.clock import SystemClock
        from frontdesk.decision.comparing import Comparing
        from frontdesk.decision.options import EngagementOptions
        from frontdesk.decision.policies import PolicySource
        from frontdesk.store.logged import DecisionLog

        clock, options = SystemClock(), place.load().section(EngagementOptions)
        comparing = Comparing(DecisionLog(desk.store.database), PolicySource(store, clock), lambda: options)
        ids = policy_ids or tuple(await store.served())
        found = await comparing.compare(ids, clock.now() - timedelta(days=days))
        if as_json:
            print_json(found)
        else:
            _tell(found)

    _with_desk(place, work)


def _tell(found: "list[Compared]") -> None:
    rows = [
        (
            compared.policy_id,
            estimate.method,
            f"{estimate.value:+.4f}",
            f"{estimate.low:+.4f} to {estimate.high:+.4f}" if estimate.enough else "not enough to tell",
            f"{compared.earned:+.4f}",
            f"{estimate.effective:.0f} of {compared.decisions}",
        )
        for compared in found
        for estimate in compared.estimates
    ]
    print_table(rows, ("policy", "method", "reward", "95 %", "really earned", "worth decisions"))
    for compared in found:
        if why := compared.estimates[0].why:
            note(f"{compared.policy_id}: {why}.")


def _differences(one: "Policy", other: "Policy") -> list[tuple[str, object, object]]:
    genes = zip(msgspec.structs.asdict(one.genes).items(), msgspec.structs.asdict(other.genes).values(), strict=True)
    rows: list[tuple[str, object, object]] = [(name, mine, theirs) for (name, mine), theirs in genes]
    theirs = dict(zip(other.features, other.reward.mean, strict=True))
    rows += [
        (name, f"{mine:+.4f}", f"{theirs.get(name, 0.0):+.4f}")
        for name, mine in zip(one.features, one.reward.mean, strict=True)
    ]
    return [row for row in rows if row[1] != row[2]]


def _with_policies(place: Place, work: "Callable[[Policies], Awaitable[None]]") -> None:
    _with_desk(place, lambda _, store: work(store))


def _with_desk(place: Place, work: "Callable[[Local, Policies], Awaitable[None]]") -> None:
    from frontdesk.clock import RandomIds, SystemClock
    from frontdesk.store.policies import Policies

    async def with_desk(desk: Local) -> None:
        await work(desk, Policies(desk.store.database, SystemClock(), RandomIds()))

    asyncio.run(open_local(place.load(), with_desk))
