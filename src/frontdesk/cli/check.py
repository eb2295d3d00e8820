"""`frontdesk check`"""

import click

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Verb
from frontdesk.errors import FrontdeskError

EXAMPLES = """\
frontdesk check                                   the home's system file
frontdesk check --system desk.yaml --json         another one, for a program
ENVIRONMENT=production frontdesk check            what production would refuse"""


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@json_option
def check(place: Place, as_json: bool) -> int:
    """Tell every mistake in the system file and the environment at once. Ends with 1 if there is one."""
    from frontdesk.system.production import missing_secrets, unset_secrets

    system, problems = place.examine()
    if system:
        problems += tuple(missing_secrets(system))
    warnings = system.warnings if system else ()
    unset = [binding.env.name for binding in unset_secrets(system)] if system else []
    if as_json:
        problem_list, warning_list = [_plain(each) for each in problems], [_plain(each) for each in warnings]
        print_json({"ok": not problems, "problems": problem_list, "warnings": warning_list, "unset_secrets": unset})
        return 1 if problems else 0
    for problem in problems:
        _show("error", "red", problem)
    for warning in warnings:
        _show("warning", "yellow", warning)
    if system and system.environment == "production" and unset:
        note(f"Not set, and not needed unless you use them: {', '.join(sorted(set(unset)))}")
    if problems:
        return 1
    click.echo(f"{click.style('ok', fg='green')}  {place.file or 'All defaults'}")
    note("Next: frontdesk up")
    return 0


def _show(word: str, colour: str, problem: FrontdeskError) -> None:
    click.echo(f"{click.style(word, fg=colour, bold=True)}  {problem.where or ''}")
    click.echo(f"    {problem.what}")
    if problem.hint:
        click.echo(f"    → {problem.hint}")


def _plain(problem: FrontdeskError) -> dict[str, str | None]:
    return {"code": problem.code, "what": problem.what, "where": problem.where, "hint": problem.hint}
