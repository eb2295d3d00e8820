"""How the command line is shaped: verbs that are imported late, help that leads with examples."""

import importlib
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import click

Verbs = Mapping[str, Mapping[str, str]]  # heading → verb → its line in the help

LONGEST = 300  # characters of a command's line in its group's help; it wraps


class _Late(MutableMapping[str, click.Command]):
    """Commands by name. `chat` is the attribute `chat` of the module `frontdesk.cli.chat`, imported when taken."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._loaded:
            self._loaded[name] = getattr(importlib.import_module(f"frontdesk.cli.{name}"), name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class _WithExamples(click.Command):
    def __init__(self, *args: Any, examples: str = "", **more: Any) -> None:  # whatever click's own classes take
        super().__init__(*args, **more)
        self.examples = examples

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What it is, how it is used, then the full form."""
        self.format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples.splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")
        formatter.write_paragraph()
        self.format_usage(ctx, formatter)
        self.format_options(ctx, formatter)
        self.format_epilog(ctx, formatter)


class Verb(_WithExamples):
    """A command whose help leads with `examples`."""


class Group(_WithExamples, click.Group):
    """A group whose help leads with `examples`; its commands are of class `Verb`."""

    command_class = Verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Each with its whole first sentence."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(LONGEST)) for name, command in commands if command])


class LazyGroup(Group):
    """The root: its verbs are imported late, and listed under headings without being imported."""

    def __init__(self, *args: Any, verbs: Verbs, **more: Any) -> None:
        super().__init__(*args, **more)
        self._verbs = verbs
        names = [name for listed in verbs.values() for name in listed]
        self.commands: MutableMapping[str, click.Command] = _Late(names)  # click looks up, and offers near names, here

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A reader who has had enough, as `head` does, is no failure; click would end with 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 — so that the flush at exit has somewhere to go
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs under their headings."""
        for heading, verbs in self._verbs.items():
            with formatter.section(heading):
                formatter.write_dl([(f"{name:<10}", line) for name, line in verbs.items()])
