"""What leaves the desk on a channel of its own accord: replies as letters, typing signals, and news for open pages."""

from datetime import datetime
from typing import Literal

import msgspec

from frontdesk.messages import Citation


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A button under a message. `action` (at most 64 bytes) comes back when somebody presses it."""

    label: str
    action: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """Words for the chat at `place`, a channel's own address.

    `reply_to` is the channel's id of the message that they answer. `author` says whose words they are: the desk's, a
    person's of the team (`author_name`), or a notice about the conversation itself. `message_id` and `turn_id` are the
    desk's own ids, where there are any. `citations` are the sources of the marks in the text, `asked_at` is when the
    message that is answered came in, and `apology` says that the desk could not answer it.
    """

    place: str
    text: str
    author: Literal["desk", "person", "notice"] = "desk"
    author_name: str = ""
    reply_to: str | None = None
    message_id: str | None = None
    turn_id: str | None = None
    buttons: tuple[Button, ...] = ()
    citations: tuple[Citation, ...] = ()
    asked_at: datetime | None = None
    apology: bool = False


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel plays typing: characters a second, the least and the most seconds, and when it is renewed."""

    per_second: float = 25
    least: float = 0.8
    most: float = 8
    renew: float = 4

    def seconds(self, length: int) -> float:
        """How long somebody would type `length` characters."""
        return min(self.most, max(self.least, length / self.per_second))


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """News of a conversation for pages that show it. It only saves time: the database is the truth.

    `changed`: fetch it again. `typing`: the person types. `answering`: somebody of the team types, `name`.
    """

    conversation_id: str
    person_id: str
    kind: Literal["changed", "typing", "answering"]
    name: str = ""
