"""When a message in a group is meant for the bot, and what it says without the bot's name."""

import msgspec

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.client import TelegramClient
from frontdesk.channels.telegram.updates import Entity, Message, User

KNOWN = frozenset({"start", *(name for name, _ in words.COMMANDS)})


class Bot:
    """Who the bot is; asked once."""

    def __init__(self, client: TelegramClient) -> None:
        self._client = client
        self._me: User | None = None

    async def me(self) -> User:
        """The bot's id and name. Raises `CallFailed`, `TelegramTokenRefused`."""
        if self._me is None:
            self._me = await self._client.call("getMe", None, User)
        return self._me


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command at the beginning of a message: its name without slash, and the words after it."""

    name: str
    rest: str


def command(message: Message, username: str = "") -> Command | None:
    """The command that the message begins with, unless it is another bot's (`/help@other_bot`)."""
    name, addressee, rest = _ordered(message)
    if not name or (addressee and username and addressee != username.casefold()):
        return None
    return Command(name=name, rest=rest)


def is_meant_for(message: Message, me: User, *, always: bool = False) -> bool:
    """Whether the message names the bot, answers it, or is a command for it; with `always`, or is no command at all.

    In a group are other bots with commands of their own, so one that the bot does not know and that names nobody is
    none for it.
    """
    answered = message.reply_to_message
    if answered is not None and answered.from_ is not None and answered.from_.id == me.id:
        return True
    name, addressee, _ = _ordered(message)
    if name:
        return addressee == me.username.casefold() if addressee else name in KNOWN
    return always or any(_names(message, mark, me) for mark in message.marks)


def without_name(message: Message, me: User) -> str:
    """What the message says, the bot's name left out."""
    source = (message.text if message.text is not None else message.caption or "").encode("utf-16-le")
    for mark in sorted(message.marks, key=lambda mark: -mark.offset):
        if mark.type == "mention" and _names(message, mark, me):
            source = source[: mark.offset * 2] + source[(mark.offset + mark.length) * 2 :]
    return " ".join(source.decode("utf-16-le", "ignore").split(" ")).strip(" ,:")


def _ordered(message: Message) -> tuple[str, str, str]:
    """The name of the command that the message begins with, the bot that it names, and what follows; or nothing."""
    text = message.text or ""
    if not text.startswith("/") or not any(
        mark.type == "bot_command" and mark.offset == 0 for mark in message.entities
    ):
        return "", "", ""
    word, _, rest = text.partition(" ") if " " in text.split("\n")[0] else text.partition("\n")
    name, _, addressee = word[1:].partition("@")
    return name.casefold(), addressee.casefold(), rest.strip()


def _names(message: Message, mark: Entity, me: User) -> bool:
    if mark.type == "text_mention":
        return mark.user is not None and mark.user.id == me.id
    if mark.type != "mention":
        return False
    source = (message.text if message.text is not None else message.caption or "").encode("utf-16-le")
    named = source[mark.offset * 2 : (mark.offset + mark.length) * 2].decode("utf-16-le", "ignore")
    return named.casefold() == f"@{me.username}".casefold()
