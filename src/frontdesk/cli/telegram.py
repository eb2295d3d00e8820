"""`frontdesk telegram`"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import click

from frontdesk.cli.output import json_option, note, print_json, print_table
from frontdesk.cli.place import Place, placed
from frontdesk.cli.shape import Group
from frontdesk.errors import BadSetting, Unprocessable

if TYPE_CHECKING:
    from frontdesk.channels.telegram.client import TelegramClient

EXAMPLES = """\
frontdesk telegram fake               a stand-in for Telegram, to try the desk without a bot
frontdesk telegram status             is the bot known, where do updates go, what went wrong last
frontdesk telegram set-webhook        tell Telegram where to post, and the bot's commands"""
STAND_IN = "frontdesk.testing.telegram"


@click.group(cls=Group, examples=EXAMPLES)
def telegram() -> None:
    """Look after the bot, or try the desk without one."""


@telegram.command(
    examples="frontdesk telegram fake --port 8081",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def fake(words: tuple[str, ...]) -> None:
    """Run a stand-in for Telegram with a page to chat on. `--help` lists its options."""
    import runpy
    import sys

    sys.argv = [STAND_IN, *words]
    runpy.run_module(STAND_IN, run_name="__main__")


@telegram.command(examples="frontdesk telegram status --json")
@placed
@json_option
def status(place: Place, as_json: bool) -> None:
    """Ask Telegram who the bot is and how its updates come."""
    from frontdesk.app.telegram import status_of

    async def work(client: "TelegramClient") -> None:
        found = await status_of(client)
        if as_json:
            print_json(found)
            return
        updates = found.webhook or "fetched by polling"
        rows = [("bot", f"@{found.username}"), ("updates", updates), ("waiting", found.waiting)]
        print_table([*rows, ("last error", found.last_error or None)], ("fact", "value"))

    asyncio.run(_with_client(place, work))


@telegram.command(
    "set-webhook", examples="TELEGRAM_WEBHOOK_URL=https://desk.example/webhook frontdesk telegram set-webhook"
)
@placed
def set_webhook(place: Place) -> None:
    """Tell Telegram where to post updates and which commands the bot knows. A running desk does so by itself."""
    from frontdesk.app.rooms import secrets_of
    from frontdesk.app.telegram import announce, secret_of
    from frontdesk.channels.telegram.options import TelegramOptions

    system = place.load()
    options = system.section(TelegramOptions)
    if options.polls:
        raise BadSetting(
            "The desk polls, so there is no address to tell",
            where="TELEGRAM_WEBHOOK_URL",
            hint="Set it to the desk's public address, like https://desk.example/webhook.",
        )

    async def work(client: "TelegramClient") -> None:
        await announce(client, options, secret_of(options, secrets_of(system).desk))
        note(f"Telegram posts to {options.webhook_url} now. Next: frontdesk telegram status")

    asyncio.run(_with_client(place, work))


async def _with_client(place: Place, work: "Callable[[TelegramClient], Awaitable[None]]") -> None:
    from frontdesk.app.telegram import client_of
    from frontdesk.channels.telegram.client import CallFailed, Refused
    from frontdesk.channels.telegram.options import TelegramOptions

    options = place.load().section(TelegramOptions)
    if not options.enabled:
        raise BadSetting(
            "No bot is set up",
            where="TELEGRAM_BOT_TOKEN",
            hint="Ask @BotFather for a token, or try `frontdesk telegram fake`.",
        )
    client = client_of(options)
    try:
        await work(client)
    except Refused as error:
        raise Unprocessable(f"Telegram refused: {error.description}", where="TELEGRAM_WEBHOOK_URL") from error
    except CallFailed as error:
        hint = "Check TELEGRAM_API_URL, and whether this machine reaches it."
        raise Unprocessable("Telegram does not answer", where=error.reason, hint=hint) from error
    finally:
        await client.close()
