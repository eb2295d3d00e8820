"""`frontdesk evolution`"""

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
    from frontdesk.decision.guard import Guard
    from frontdesk.store.evolutions import Evolution

EXAMPLES = """\
frontdesk evolution list
frontdesk evolution step                       a running desk takes it
frontdesk evolution show evolution_0193…       what it found, gene by gene
frontdesk evolution trial                      how a challenger does beside the champion
frontdesk evolution take-back --reason "It is rude\""""


@click.group(cls=Group, examples=EXAMPLES)
def evolution() -> None:
    """Have strategies evolve, watch their trials, take them back."""


@evolution.command("list", examples="frontdesk evolution list --json")
@placed
@json_option
def list_steps(place: Place, as_json: bool) -> None:
    """List steps of evolution, the newest first."""

    async def work(desk: Local) -> None:
        from frontdesk.clock import RandomIds, SystemClock
        from frontdesk.store.evolutions import Evolutions

        found = await Evolutions(desk.store.database, SystemClock(), RandomIds()).page(limit=1_000)
        if as_json:
            print_json([_told(step) for step in found])
            return
        rows = [
            (step.id, step.generation, step.state, f"{step.found.fitness:.4f}", f"{step.found.gap:.4f}", step.note)
            for step in found
        ]
        print_table(rows, ("id", "step", "state", "fitness", "gap", "result"))
        if not found:
            note("No step yet. Next: frontdesk evolution step")

    asyncio.run(open_local(place.load(), work))


@evolution.command(examples="frontdesk evolution show evolution_0193…")
@placed
@click.argument("evolution_id", metavar="ID")
@json_option
def show(place: Place, evolution_id: str, as_json: bool) -> None:
    """Print what the step ID found: fitness, the gap to what nobody had looked at, and each changed gene's worth."""

    async def work(desk: Local) -> None:
        from frontdesk.clock import RandomIds, SystemClock
        from frontdesk.store.evolutions import Evolutions

        step = await Evolutions(desk.store.database, SystemClock(), RandomIds()).get(evolution_id)
        if as_json:
            print_json(_told(step))
            return
        found = step.found
        click.echo(f"step {step.generation}, {step.state}: {step.note}")
        click.echo(f"fitness {found.fitness:.4f}, held out {found.held_out:.4f}, gap {found.gap:.4f}")
        click.echo(f"gain {found.gain:.4f} ({found.gain_low:.4f} to {found.gain_high:.4f}) a decision\n")
        print_table(
            [(change.gene, change.before, change.after, f"{change.worth:.4f}") for change in found.changes],
            ("gene", "before", "after", "worth"),
        )

    asyncio.run(open_local(place.load(), work))


@evolution.command(examples="frontdesk evolution step --seed 7")
@placed
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Repeats an earlier step on the same log.")
@json_option
def step(place: Place, seed: int | None, as_json: bool) -> None:
    """Ask for one step of evolution. A running desk takes it within seconds."""
    from frontdesk.decision.options import EngagementOptions

    system = place.load()

    async def work(desk: Local) -> None:
        from frontdesk.clock import RandomIds, SystemClock
        from frontdesk.decision.evolving import ask
        from frontdesk.store.evolutions import Evolutions
        from frontdesk.store.policies import Policies

        database, clock, ids = desk.store.database, SystemClock(), RandomIds()
        evolutions, policies = Evolutions(database, clock, ids), Policies(database, clock, ids)
        begun = await ask(evolutions, policies, system.section(EngagementOptions), ids, seed=seed)
        await desk.note_act("policy.evolve", begun.id)
        if as_json:
            print_json(_told(begun))
        else:
            click.echo(begun.id)
            note(f"Step {begun.generation} is asked for. Next: frontdesk evolution show {begun.id}")

    asyncio.run(open_local(system, work))


@evolution.command(examples="frontdesk evolution trial --json")
@placed
@json_option
def trial(place: Place, as_json: bool) -> None:
    """Print how a challenger does beside the champion, by bounds that hold at every look."""

    async def work(_: Local, guard: "Guard") -> None:
        from frontdesk.decision.guard import figures_of

        verdict = await guard.trial()
        if verdict is None:
            note("No challenger has its trial.")
            if as_json:
                print_json(None)
        elif as_json:
            told = {"act": verdict.act, "rule": verdict.rule, "words": verdict.words}
            print_json(told | {"figures": figures_of(verdict)})
        else:
            click.echo(f"{verdict.act}: {verdict.words}")
            print_table([(name, f"{value:g}") for name, value in figures_of(verdict).items()], ("figure", "value"))

    _with_guard(place, work)


@evolution.command("take-back", examples='frontdesk evolution take-back --reason "It is rude"')
@placed
@click.option("--to", metavar="POLICY", help="The snapshot that serves again. Default: the one before.")
@click.option("--reason", required=True, help="Why, for those who look later.")
def take_back(place: Place, to: str | None, reason: str) -> None:
    """Take the challenger back or, where there is none, the champion."""

    async def work(desk: Local, guard: "Guard") -> None:
        serving = await guard.take_back(to=to, reason=reason, actor="terminal")
        await desk.note_act("policy.take_back", serving.champion_id)
        click.echo(serving.champion_id)
        note("This snapshot serves everybody now.")

    _with_guard(place, work)


def _with_guard(place: Place, act: Callable[[Local, "Guard"], Awaitable[None]]) -> None:
    from frontdesk.decision.options import EngagementOptions

    system = place.load()

    async def work(desk: Local) -> None:
        from frontdesk.clock import RandomIds, SystemClock
        from frontdesk.decision.guard import Guard
        from frontdesk.store.evidence import EvidenceRows
        from frontdesk.store.evolutions import Evolutions
        from frontdesk.store.policies import Policies

        database, clock, ids = desk.store.database, SystemClock(), RandomIds()
        evolutions, policies = Evolutions(database, clock, ids), Policies(database, clock, ids)
        options = system.section(EngagementOptions)
        await act(desk, Guard(EvidenceRows(database), policies, evolutions, lambda: options, desk.store.audit))

    asyncio.run(open_local(system, work))


def _told(step: "Evolution") -> dict[str, object]:
    return msgspec.to_builtins(step) | {"gap": step.found.gap}
