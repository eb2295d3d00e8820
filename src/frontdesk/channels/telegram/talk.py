"""Messages of people: commands are carried out, everything else becomes a turn of the conversation."""

from collections.abc import Sequence

from frontdesk.api.fields import LONGEST_MESSAGE
from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.answers import IGNORED, Answer, notice
from frontdesk.channels.telegram.commands import Commands
from frontdesk.channels.telegram.groups import Bot, command, is_meant_for, without_name
from frontdesk.channels.telegram.media import Attached, Media
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.telegram.updates import CHANNEL, Message, User, plain
from frontdesk.channels.telegram.visitors import Visitors, Writer, writer_of
from frontdesk.errors import Conflict
from frontdesk.events import Inbound
from frontdesk.ports import Converse
from frontdesk.store.people import PersonRow
from frontdesk.store.places import Places

EDITABLE = 15 * 60  # seconds after a message in which a change of it counts


class Talk:
    """Hears what people write."""

    def __init__(
        self,
        converse: Converse,
        visitors: Visitors,
        commands: Commands,
        media: Media,
        places: Places,
        bot: Bot,
        options: TelegramOptions,
    ) -> None:
        self._converse = converse
        self._visitors = visitors
        self._commands = commands
        self._media = media
        self._places = places
        self._bot = bot
        self._options = options

    async def hear(
        self, messages: Sequence[Message], external_id: str, *, edited: bool = False, again: bool = False
    ) -> Answer:
        """Take in a message, or all of an album. Raises `CallFailed` where Telegram is needed and away.

        With `again` it was tried before, and has been counted in its writer's limit.
        """
        first = messages[0]
        if first.migrate_to_chat_id is not None:
            await self._places.move(CHANNEL, str(first.chat.id), str(first.migrate_to_chat_id))
            return Answer()
        writer = writer_of(first)
        if writer is None or first.is_service:
            return IGNORED
        if edited and first.edit_date - first.date > EDITABLE:
            return Answer(problem="edited_late")
        me = await self._bot.me() if first.chat.is_group else User(id=0)
        if first.chat.is_group and not self._is_asked(messages, me):
            return IGNORED
        person = await self._visitors.person(writer.subject, writer.title)
        if person.state != "active":
            return Answer(state="refused", problem="blocked")
        if not again and not await self._visitors.may_write(writer.number, first.edit_date if edited else first.date):
            return await self._too_fast(first, writer, person)
        order = command(first, me.username)
        if order is not None:
            return Answer(problem="edited_command") if edited else await self._commands.run(order, first, person)
        return await self._say(messages, external_id, writer, person, me, edited=edited)

    def _is_asked(self, messages: Sequence[Message], me: User) -> bool:
        if self._options.groups == "never":
            return False
        always = self._options.groups == "always"
        return any(is_meant_for(message, me, always=always) for message in messages)

    async def _too_fast(self, message: Message, writer: Writer, person: PersonRow) -> Answer:
        told = await self._visitors.may_be_told(writer.number)
        notices = (notice(message, words.TOO_FAST),) if told else ()
        return Answer(state="refused", problem="rate_limited", person_id=person.id, notices=notices)

    async def _say(
        self,
        messages: Sequence[Message],
        external_id: str,
        writer: Writer,
        person: PersonRow,
        me: User,
        *,
        edited: bool,
    ) -> Answer:
        first = messages[0]
        attached = Attached() if edited else await self._media.take(person.id, messages)
        written = [plain(without_name(message, me)) if me.id else message.words for message in messages]
        text = "\n\n".join(part for part in (*written, *attached.heard) if part)
        if edited:
            text = words.EDITED.format(text=text) if text else ""
        refusals = attached.refusals
        if not text and not attached.file_ids and not refusals:
            if edited:
                return IGNORED
            refusals = (words.NOTHING_TO_READ,)
        if len(text) > LONGEST_MESSAGE:
            text, refusals = "", (words.TOO_LONG,)
        if text or attached.file_ids:
            await self._accept(first, external_id, text or " ".join(attached.named), attached, writer, person)
        return Answer(person_id=person.id, notices=tuple(notice(first, refusal) for refusal in refusals))

    async def _accept(
        self, message: Message, external_id: str, text: str, attached: Attached, writer: Writer, person: PersonRow
    ) -> None:
        is_group = message.chat.is_group
        inbound = Inbound(
            channel=CHANNEL,
            external_id=external_id,
            person_id=person.id,
            text=text,
            file_ids=attached.file_ids,
            place=message.place,
            reply_to=str(message.message_id) if is_group else None,
            sender=writer.name if is_group else "",
            merge=self._options.merge and not is_group,
        )
        try:
            await self._converse.accept(inbound)
        except Conflict:  # it was accepted before this process took the update over; the files have other ids now
            return
