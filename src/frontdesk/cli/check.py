"""`frontdesk check`"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb
from frontdesk.errors import BadSystemFile, FrontdeskError

if TYPE_CHECKING:
    from frontdesk.system.layout.gpu import CardPlan
    from frontdesk.system.layout.plan import Plan
    from frontdesk.system.system import System

EXAMPLES = """\
frontdesk check                                   the home's system file
frontdesk check agents                            a shipped blueprint, and how its cards are shared
frontdesk check --system desk.yaml --json         another one, for a program
ENVIRONMENT=production frontdesk check            what production would refuse"""
ENVIRONMENTS = ("development", "staging", "production")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: for this machine's environment, and in what the file says of every environment."""

    problems: tuple[FrontdeskError, ...]
    warnings: tuple[FrontdeskError, ...]
    unset: tuple[str, ...]
    unbuilt: tuple[str, ...]  # services with a role that cannot be run yet
    cards: "tuple[CardPlan, ...]"
    environment: str


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("blueprint", required=False)
@json_option
def check(place: Place, blueprint: str | None, as_json: bool) -> int:
    """Tell every mistake in the system file and the environment at once. Ends with 1 if there is one.

    Beyond the form it proves that the system could run in each of its environments: everything fits its hosts and
    cards, names and ports resolve, nothing waits for itself, pools fit the database, alerts ask for figures that exist.
    """
    place = place.with_blueprint(blueprint)
    report = _examined(place)
    if as_json:
        print_json(_plainly(report))
        return 1 if report.problems else 0
    for problem in report.problems:
        _show("error", "red", problem)
    for warning in report.warnings:
        _show("warning", "yellow", warning)
    for cards in report.cards:
        if not cards.problems:
            _show_cards(cards)
    if report.environment == "production" and report.unset:
        note(f"Not set, and not needed unless you use them: {', '.join(report.unset)}")
    if report.problems:
        return 1
    click.echo(f"{click.style('ok', fg='green')}  {place.file or 'All defaults'}")
    note(f"Next: {_next(place, report)}")
    return 0


def _next(place: Place, report: Report) -> str:
    verb = "render" if report.unbuilt else "up"  # `up` refuses what is described and not built
    if place.system:
        return f"frontdesk {verb} --system {place.system}"
    if place.blueprint:
        return f"frontdesk {verb} {'--blueprint ' if report.unbuilt else ''}{place.blueprint}"
    return f"frontdesk {verb}"


def _examined(place: Place) -> Report:
    from frontdesk.system.layout.gpu import card_plans
    from frontdesk.system.load import line_of
    from frontdesk.system.production import missing_secrets, unset_secrets

    system, problems = place.examine()
    if system:
        problems += tuple(missing_secrets(system))
    warnings = [*(system.warnings if system else ()), *(() if problems else _silence(place, system))]
    unset = sorted({binding.env.name for binding in unset_secrets(system)}) if system else []
    plans = dict(_plans(place))
    wrong, doubtful = _proved(plans, system)
    own = plans.get(system.environment) if system else None
    return Report(
        problems=tuple(sorted((*problems, *wrong), key=line_of)),
        warnings=tuple(sorted((*warnings, *doubtful), key=line_of)),
        unset=tuple(unset),
        unbuilt=tuple(each.name for each in own.services if not each.service.built) if own else (),
        cards=card_plans(own) if own else (),
        environment=system.environment if system else "",
    )


def _silence(place: Place, system: "System | None") -> "Iterator[FrontdeskError]":
    """That the file says nothing, which may not be what its owner thinks."""
    if system and place.file and not any(origin.kind == "system file" for origin in system.origins.values()):
        hint = "`frontdesk init NAME` writes a blueprint to be changed."
        yield BadSystemFile("The file says nothing: everything keeps its default", where=str(place.file), hint=hint)


def _plans(place: Place) -> "Iterator[tuple[str, Plan]]":
    """What follows from the file, in each of its environments; with mistakes, from what it says besides."""
    from frontdesk.system.layout.plan import Plan
    from frontdesk.system.load import described

    file = place.file
    if file is None:
        return
    for environment in ENVIRONMENTS:
        system, _ = described(file, environment)
        if system is not None:
            yield environment, Plan(system)


def _proved(plans: "dict[str, Plan]", system: "System | None") -> tuple[list[FrontdeskError], list[FrontdeskError]]:
    """Mistakes and warnings of all environments; what is the same in all of them is told once."""
    from frontdesk.app.proofs import stoppable
    from frontdesk.system.layout.proofs import prove
    from frontdesk.telemetry.metrics import names

    told: dict[tuple[str, str], tuple[str, FrontdeskError, list[str]]] = {}
    for environment, plan in plans.items():
        for found in (*prove(plan, names()), *stoppable(plan, system)):
            problem = found.problem
            kept = told.setdefault((problem.what, problem.where or ""), (found.severity, problem, []))
            kept[2].append(environment)
    for _, problem, environments in told.values():
        if len(environments) < len(plans):
            problem.what = f"In {' and '.join(environments)}: {problem.what}"
    wrong: list[FrontdeskError] = [problem for severity, problem, _ in told.values() if severity == "error"]
    doubtful: list[FrontdeskError] = [problem for severity, problem, _ in told.values() if severity == "warning"]
    return wrong, doubtful


def _show(word: str, colour: str, problem: FrontdeskError) -> None:
    click.echo(f"{click.style(word, fg=colour, bold=True)}  {problem.where or ''}")
    click.echo(f"    {problem.what}")
    if problem.hint and problem.hint != BadSystemFile.default_hint:  # which would name this very command
        click.echo(f"    → {problem.hint}")


def _show_cards(cards: "CardPlan") -> None:
    from frontdesk.system.layout.quantities import bytes_text

    click.echo(f"{click.style('cards', bold=True)}  {cards.host}: {cards.model or 'none'}, {cards.method}")
    click.echo(f"    {cards.reason}")
    for slot in cards.slots:
        place = f"slot {slot.number}" if slot.number else "the rest"
        profile = f"  {slot.profile}" if slot.profile else ""
        click.echo(f"    {place:<8}  {slot.service:<18} {slot.compute:>3} %  {bytes_text(slot.memory):>6}{profile}")


def _plainly(report: Report) -> dict[str, object]:
    return {
        "ok": not report.problems,
        "problems": [_plain(each) for each in report.problems],
        "warnings": [_plain(each) for each in report.warnings],
        "unset_secrets": list(report.unset),
        "cards": [
            {
                "host": cards.host,
                "model": cards.model,
                "method": cards.method,
                "reason": cards.reason,
                "slots": [
                    {
                        "service": slot.service,
                        "slot": slot.number,
                        "percent": slot.compute,
                        "bytes": slot.memory,
                        "profile": slot.profile or None,
                    }
                    for slot in cards.slots
                ],
            }
            for cards in report.cards
        ],
    }


def _plain(problem: FrontdeskError) -> dict[str, str | None]:
    return {"code": problem.code, "what": problem.what, "where": problem.where, "hint": problem.hint}
