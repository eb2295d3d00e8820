"""What becomes of an update: how its row ends, and the notices that go back to the chat in the same transaction."""

import msgspec

from frontdesk.channels.telegram.updates import Message
from frontdesk.outgoing import Button, Reply
from frontdesk.store.updates import State


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """How the update's row ends. `notices` are for the person `person_id`."""

    state: State = "done"
    problem: str | None = None
    person_id: str = ""
    notices: tuple[Reply, ...] = ()


IGNORED = Answer(problem="not_for_the_desk")


def notice(message: Message, text: str, buttons: tuple[Button, ...] = ()) -> Reply:
    """The bot's own words in the message's chat; in a group they answer the message."""
    reply_to = str(message.message_id) if message.chat.is_group else None
    return Reply(place=message.place, text=text, author="notice", reply_to=reply_to, buttons=buttons)
