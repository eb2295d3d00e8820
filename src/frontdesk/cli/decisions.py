"""`frontdesk decisions`"""

import asyncio
from typing import TYPE_CHECKING, get_args

import click
import msgspec

from frontdesk.cli.local import Local, open_local
from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group
from frontdesk.engagement import Decision, DecisionState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frontdesk.decision.options import EngagementOptions
    from frontdesk.decision.replay import Replay
    from frontdesk.store.stories import Story

EXAMPLES = """\
frontdesk decisions list --customer cus_42
frontdesk decisions show dec_0193…            everything about it: message, approver, delivery, outcome
frontdesk decisions explain dec_0193…         why it came out so
frontdesk decisions replay dec_0193…          make it again and compare
frontdesk decisions replay --newest 1000      the same for many; exit code 1 if one differs
frontdesk decisions overrule dec_0193…        have a held one's message written after all"""


@click.group(cls=Group, examples=EXAMPLES)
def decisions() -> None:
    """See what was decided about customers, why, and make it again; overrule what was held."""


@decisions.command("list", examples="frontdesk decisions list --state hold --json")
@placed
@click.option("--customer", "customer_id", metavar="ID", help="Those about this customer.")
@click.option("--state", type=click.Choice(get_args(DecisionState)), help="Those that ended so.")
@click.option("--segment", help="Those about this segment.")
@click.option("--newest", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many.")
@json_option
def list_decisions(
    place: Place,
    customer_id: str | None,
    state: DecisionState | None,
    segment: str | None,
    newest: int,
    as_json: bool,
) -> None:
    """List decisions, the newest first."""
    from frontdesk.store.decisions import Decisions, Wanted

    system = place.load()

    async def work(desk: Local) -> None:
        wanted = Wanted(customer_id=customer_id, state=state, segment=segment)
        found = await Decisions(desk.store.database).page(wanted, limit=newest)
        if as_json:
            print_json([_plain(each, system.section(_options())) for each in found])
            return
        rows = [
            (each.id, each.at, each.customer_id, each.objective, each.arm, each.state, f"{each.confidence:.2f}")
            for each in found
        ]
        print_table(rows, ("id", "at", "customer", "objective", "arm", "state", "confidence"))
        if not found:
            note("Nothing was decided yet. Next: frontdesk events import FILE")

    asyncio.run(open_local(system, work))


@decisions.command(examples="frontdesk decisions show dec_0193…")
@placed
@click.argument("decision_id", metavar="ID")
@json_option
def show(place: Place, decision_id: str, as_json: bool) -> None:
    """Tell the story of the decision ID: reasons, strategy, message, approvers, delivery, outcomes."""
    from frontdesk.store.stories import Stories

    system = place.load()

    async def work(desk: Local) -> None:
        story = await Stories(desk.store.database).of(decision_id)
        if as_json:
            told = msgspec.to_builtins(story)
            print_json(told | {"decision": _plain(story.decision, system.section(_options()))})
            return
        _explain(story.decision, system.section(_options()))
        for line in _followed(story):
            click.echo(line)

    asyncio.run(open_local(system, work))


@decisions.command(examples="frontdesk decisions explain dec_0193…")
@placed
@click.argument("decision_id", metavar="ID")
def explain(place: Place, decision_id: str) -> None:
    """Say why the decision ID came out as it did, with the exact shares of its features."""
    from frontdesk.store.decisions import Decisions

    system = place.load()

    async def work(desk: Local) -> None:
        decision = await Decisions(desk.store.database).get(decision_id)
        _explain(decision, system.section(_options()))
        rows = [
            (each.feature, f"{each.against_runner_up:+.5f}", f"{each.against_nothing:+.5f}")
            for each in decision.contributions
        ]
        print_table(rows, ("feature", f"against {decision.runner_up or '–'}", "against nothing"))

    asyncio.run(open_local(system, work))


@decisions.command(examples="frontdesk decisions replay dec_0193…")
@placed
@click.argument("decision_id", metavar="[ID]", required=False)
@click.option("--newest", type=click.IntRange(1, 1_000_000), help="Replay so many of the newest instead of one.")
@json_option
def replay(place: Place, decision_id: str | None, newest: int | None, as_json: bool) -> None:
    """Make the decision ID again from what was logged of it. Exit code 1 when it comes out otherwise."""
    from frontdesk.clock import RandomIds, SystemClock
    from frontdesk.decision.replay import replay as made_again
    from frontdesk.store.decisions import Decisions, Wanted
    from frontdesk.store.policies import Policies

    if (decision_id is None) == (newest is None):
        raise click.UsageError("Name one decision, or say `--newest N`.")
    system = place.load()
    options = system.section(_options())

    async def work(desk: Local) -> None:
        found = Decisions(desk.store.database)
        policies = Policies(desk.store.database, SystemClock(), RandomIds())
        if decision_id is not None:
            chosen = [await found.get(decision_id)]
        else:
            chosen = await found.page(Wanted(), limit=newest or 1)
        known = {name: await policies.get(name) for name in {each.policy_id for each in chosen}}
        replays = [made_again(each, known[each.policy_id], options) for each in chosen]
        if as_json:
            print_json([msgspec.structs.asdict(each) | {"same": each.same} for each in replays])
        else:
            _tell(replays)
        if not all(each.same for each in replays):
            raise click.exceptions.Exit(1)

    asyncio.run(open_local(system, work))


def _tell(replays: "Sequence[Replay]") -> None:
    """What came out again, and why some could not be scored."""
    if len(replays) == 1:
        note(f"{replays[0].arm}, as before." if replays[0].same else f"It comes out as {replays[0].arm} now.")
    else:
        same = sum(each.same for each in replays)
        scored = sum(not each.not_scored for each in replays)
        note(f"{same} of {len(replays)} decisions come out the same, {scored} of them scored again bit for bit.")
    reasons = sorted({each.not_scored for each in replays} - {""})
    if reasons:
        note(f"Without scores only the draw is made again. {' '.join(reasons)}")
        note("If the desk runs another system file than this command, name it: --system FILE, or --blueprint NAME.")


@decisions.command(examples="frontdesk decisions overrule dec_0193…")
@placed
@click.argument("decision_id", metavar="ID")
def overrule(place: Place, decision_id: str) -> None:
    """Have the held decision ID's message written after all. A running desk writes it; then it waits for approval."""
    from frontdesk.clock import RandomIds, SystemClock
    from frontdesk.decision.overruling import Overruling
    from frontdesk.decision.policies import PolicySource
    from frontdesk.store.decisions import Decisions
    from frontdesk.store.policies import Policies

    system = place.load()
    options = system.section(_options())

    async def work(desk: Local) -> None:
        database, clock, ids = desk.store.database, SystemClock(), RandomIds()
        source = PolicySource(Policies(database, clock, ids), clock)
        overruling = Overruling(database, Decisions(database), source, lambda: options, clock, ids)
        outreach_id = await overruling.overrule(decision_id)
        await desk.note_act("decision.overrule", decision_id)
        note(f"{outreach_id} is to be written. Next: frontdesk approvals show {outreach_id}")

    asyncio.run(open_local(system, work))


def _options() -> "type[EngagementOptions]":
    from frontdesk.decision.options import EngagementOptions

    return EngagementOptions


def _plain(decision: Decision, options: "EngagementOptions") -> dict[str, object]:
    """As JSON's own types, with reasons, and with features where the audit is comprehensive."""
    from frontdesk.channels.engagement.deciding import shown

    return msgspec.to_builtins(shown(decision, options))


def _explain(decision: Decision, options: "EngagementOptions") -> None:
    from frontdesk.decision.explain import reasons, why_held

    click.echo(f"{decision.state}: {decision.arm} for {decision.customer_id}, to {decision.objective}")
    for reason in (*why_held(decision, options), *reasons(decision)):
        click.echo(f"  {reason}")


def _followed(story: "Story") -> list[str]:
    """What came after the decision, a line each."""
    lines: list[str] = []
    if story.strategy is not None:
        found = story.strategy
        lines.append(f"strategy: {found.strategy} ({found.origin}, generation {found.generation}), snapshot {found.id}")
    if story.message is not None:
        problem = f" ({story.message.problem})" if story.message.problem else ""
        lines.append(f"message: {story.message.id}, {story.message.state}{problem}, by {story.message.model or '–'}")
    lines += [f"{vote.verdict} by {vote.name or vote.person_id} at {vote.at:%Y-%m-%d %H:%M}" for vote in story.votes]
    if story.delivery is not None:
        lines.append(f"letter: {story.delivery.id}, {story.delivery.state} by {story.delivery.channel}")
    lines += [f"outcome: {each.kind} at {each.at:%Y-%m-%d %H:%M}" for each in story.outcomes]
    if story.reward is not None:
        lines.append(f"reward: {story.reward:.3f}")
    return lines
