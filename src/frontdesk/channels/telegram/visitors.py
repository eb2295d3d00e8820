"""Who writes on Telegram: people by the number that Telegram gave them, and how fast they may."""

import msgspec

from frontdesk.channels.telegram.updates import CHANNEL, Message, User
from frontdesk.errors import Conflict, RateLimited
from frontdesk.messages import Role
from frontdesk.ports import Clock, Limiter
from frontdesk.store.people import People, PersonRow

LATE = 60  # seconds after which a message was kept for the desk while it was away


class Writer(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote a message (`number`, `name`), and as whom the desk knows the chat (`subject`, `title`).

    A group is a person of its own: what is said there belongs to all who are in it, and to nobody's own account.
    """

    number: int
    name: str
    subject: int
    title: str


class Visitors:
    """People of Telegram. Numbers are theirs for ever; usernames change hands, so nobody is known by one."""

    def __init__(self, people: People, messages: Limiter, notices: Limiter, clock: Clock) -> None:
        self._people = people
        self._messages = messages
        self._notices = notices
        self._clock = clock

    async def person(self, subject: int, name: str) -> PersonRow:
        """The person of this number; the first time they become a visitor of the desk."""
        known = await self.known(subject)
        if known is not None:
            return known
        try:
            return await self._people.add(name=name, role=Role.VISITOR, identity=(CHANNEL, str(subject)))
        except Conflict:  # another process was faster
            known = await self.known(subject)
            if known is None:
                raise
            return known

    async def known(self, subject: int) -> PersonRow | None:
        """The person of this number, if they have ever written."""
        return await self._people.by_identity(CHANNEL, str(subject))

    async def may_write(self, number: int, written: int) -> bool:
        """Count a message of theirs, written at `written` (Unix seconds); False when it is one too many.

        What comes late, all at once, is counted by the minute in which it was written: nobody wrote too fast because
        the desk was away.
        """
        is_late = self._clock.now().timestamp() - written > LATE
        return await _has_room(self._messages, f"{number}@{written // LATE}" if is_late else str(number))

    async def may_be_told(self, number: int) -> bool:
        """Whether they are to be told that they write too fast: once in a while, not each time."""
        return await _has_room(self._notices, str(number))


def writer_of(message: Message) -> Writer | None:
    """Who wrote it; None for messages of bots and of Telegram itself."""
    who, chat = message.from_, message.chat
    if message.sender_chat is not None and chat.is_group:  # an administrator who does not show themselves
        who = User(id=message.sender_chat.id, first_name=message.sender_chat.title)
    if who is None or who.is_bot:
        return None
    if chat.is_group:
        title = User(id=chat.id, first_name=chat.title).name
        return Writer(number=who.id, name=who.name, subject=chat.id, title=title)
    return Writer(number=who.id, name=who.name, subject=who.id, title=who.name)


async def _has_room(limiter: Limiter, key: str) -> bool:
    try:
        await limiter.hit(key)
    except RateLimited:
        return False
    return True
