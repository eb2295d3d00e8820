"""The bot's commands."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import msgspec

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.answers import Answer, notice
from frontdesk.channels.telegram.client import File, TelegramClient, Unclear
from frontdesk.channels.telegram.groups import Command
from frontdesk.channels.telegram.methods import SentMessage
from frontdesk.channels.telegram.updates import CHANNEL, Message
from frontdesk.errors import Conflict, FrontdeskError
from frontdesk.outgoing import Button
from frontdesk.ports import Clock
from frontdesk.store.people import PersonRow
from frontdesk.store.places import Places

LARGEST_EXPORT = 50_000_000  # bytes of a file that a bot may send
EXPORT_SECONDS = 120.0

ExportAll = Callable[[str], Awaitable[bytes]]  # a person's id → all that is kept of them, as JSON


class Links(Protocol):
    """Connecting channels by a code; the store fulfils it."""

    async def offer(self, person_id: str, channel: str) -> tuple[str, datetime]: ...

    async def redeem(self, code: str, *, person_id: str, channel: str) -> str: ...


class SendDocument(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#senddocument, without the document."""

    chat_id: int
    caption: str


class BotCommand(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#botcommand"""

    command: str
    description: str


class SetMyCommands(msgspec.Struct, frozen=True, kw_only=True):
    """https://core.telegram.org/bots/api#setmycommands"""

    commands: tuple[BotCommand, ...] = tuple(
        BotCommand(command=name, description=description) for name, description in words.COMMANDS
    )


class Commands:
    """Carries commands out. `greeting` is the desk's own first line."""

    def __init__(
        self, places: Places, links: Links, export: ExportAll, client: TelegramClient, clock: Clock, greeting: str
    ) -> None:
        self._places = places
        self._links = links
        self._export_all = export
        self._client = client
        self._clock = clock
        self._greeting = greeting
        self._alone = {"export": self._export, "forget": self._forget, "link": self._link}  # in groups: not for all

    async def run(self, command: Command, message: Message, person: PersonRow) -> Answer:
        """Do it and say so. Raises `CallFailed` where Telegram is away."""
        # What follows /start came with a link that anybody can make (t.me/bot?start=…): it is never taken for a code.
        if command.name in ("start", "help"):
            said = words.HELP_IN_GROUP if message.chat.is_group else self._help(command)
        elif command.name == "reset":
            said = await self._reset(message, person)
        elif command.name == "typing":
            said = await self._typing(command, message, person)
        elif command.name not in self._alone:
            said = words.UNKNOWN_COMMAND
        elif message.chat.is_group:
            said = words.ONLY_ALONE
        else:
            said = await self._alone[command.name](command, message, person)
        buttons = self._sure() if said == words.FORGET_SURE else ()
        return Answer(person_id=person.id, notices=(notice(message, said, buttons),) if said else ())

    def _help(self, command: Command) -> str:
        return f"{self._greeting}\n\n{words.HELP}" if command.name == "start" else words.HELP

    async def _reset(self, message: Message, person: PersonRow) -> str:
        try:
            await self._places.begin_anew(CHANNEL, message.place, person.id, person.name)
        except Conflict:
            return words.HELD
        return words.NEW_CONVERSATION

    async def _typing(self, command: Command, message: Message, person: PersonRow) -> str:
        if command.rest not in ("on", "off"):
            return words.TYPING_HOW
        quick = command.rest == "off"
        await self._places.be_quick(CHANNEL, message.place, person.id, person.name, quick=quick)
        return words.TYPING_OFF if quick else words.TYPING_ON

    async def _export(self, command: Command, message: Message, person: PersonRow) -> str:
        data = await self._export_all(person.id)
        if len(data) > LARGEST_EXPORT:
            return words.EXPORT_TOO_LARGE
        file = File(field="document", name="my-data.json", media_type="application/json", data=data)
        send = SendDocument(chat_id=message.chat.id, caption=words.EXPORTED)
        try:
            await self._client.call("sendDocument", send, SentMessage, files=[file], seconds=EXPORT_SECONDS)
        except Unclear:  # as with letters: what may have arrived is not sent again unasked
            return words.EXPORT_UNCLEAR
        return ""

    async def _forget(self, command: Command, message: Message, person: PersonRow) -> str:
        return words.FORGET_SURE

    def _sure(self) -> tuple[Button, ...]:
        asked = int(self._clock.now().timestamp())
        return (
            Button(label=words.FORGET_YES, action=f"forget:{asked}"),
            Button(label=words.FORGET_NO, action="keep:"),
        )

    async def _link(self, command: Command, message: Message, person: PersonRow) -> str:
        try:
            if command.rest:
                await self._links.redeem(command.rest[:64], person_id=person.id, channel=CHANNEL)
                return words.LINKED
            code, until = await self._links.offer(person.id, CHANNEL)
        except FrontdeskError as error:
            if error.status >= 500:
                raise
            return f"{error.what}. {error.hint}".rstrip()
        return words.LINK_CODE.format(code=code, time=f"{until:%H:%M}")
