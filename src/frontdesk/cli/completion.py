"""`frontdesk completion`"""

import click
from click.shell_completion import get_completion_class

from frontdesk.cli.shape import Verb

EXAMPLES = """\
eval "$(frontdesk completion bash)"                                          in ~/.bashrc
eval "$(frontdesk completion zsh)"                                           in ~/.zshrc
frontdesk completion fish > ~/.config/fish/completions/frontdesk.fish"""


@click.command(cls=Verb, examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what lets SHELL complete frontdesk's words."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"{shell} is not known")
    click.echo(kind(context.find_root().command, {}, "frontdesk", "_FRONTDESK_COMPLETE").source())
