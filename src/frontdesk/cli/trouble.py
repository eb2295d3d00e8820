"""Errors as three lines on stderr: what, where, and what mends it."""

import errno
import os
import traceback

import click

from frontdesk.errors import FrontdeskError

REFUSALS = {
    errno.EACCES: "Let this user own it, or name another home: --home FOLDER.",
    errno.EPERM: "Let this user own it, or name another home: --home FOLDER.",
    errno.EROFS: "Name a home that can be written: --home FOLDER.",
    errno.ENOSPC: "Make room, or name a home on another disk: --home FOLDER.",
    errno.EDQUOT: "Make room, or name a home on another disk: --home FOLDER.",
    errno.ENOTDIR: "A file stands where a folder should be.",
}


def tell(error: Exception) -> int:
    """Write the error for a person. The exit code."""
    if isinstance(error, FrontdeskError):
        for problem in error.problems or (error,):
            _write(
                problem.what,
                f"{problem.where}  [{problem.code}]" if problem.where else f"[{problem.code}]",
                problem.hint,
            )
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):  # a group alone: what it can do, and no mistake to tell
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if isinstance(error, click.UsageError):
        usage = error.ctx.get_usage() if error.ctx else ""
        hint = f"{error.ctx.command_path} --help" if error.ctx else "frontdesk --help"
        _write(error.format_message(), usage, hint)
        return 2
    if isinstance(error, click.ClickException):
        _write(error.format_message(), "", "")
        return error.exit_code
    if isinstance(error, OSError) and error.errno in REFUSALS:
        _write(f"The machine refuses: {error.strerror}", error.filename or "", REFUSALS[error.errno])
        return 1
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    _write(f"Something broke inside: {type(error).__name__}: {error}", place, "Set DEBUG=1 to see all of it.")
    if os.environ.get("DEBUG"):
        traceback.print_exception(error)
    return 1


def _write(what: str, where: str, mend: str) -> None:
    click.echo(f"{click.style('error', fg='red', bold=True)}  {what}", err=True)
    if where:
        click.echo(f"       {where}", err=True)
    if mend:
        click.echo(f"       {click.style('→', fg='green')} {mend}", err=True)
