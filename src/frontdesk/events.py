"""A turn on its way through the house: the message that begins it, and what the reader of its answer sees."""

from datetime import datetime
from typing import Literal

import msgspec

from frontdesk.messages import Citation, Grounding, Prompt, ToolCall, ToolResult, Usage


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A message that reached the desk. (channel, external_id) is unique: the same one twice is one turn.

    `parent_id` is the message it follows (None: the newest of the conversation's current branch, or its start when
    `at_start`). `regenerate` names the user message whose answer is to be written anew, instead of new text.
    `context` is history that the caller keeps and the desk does not (clients of the OpenAI-compatible API).

    A channel with chats of its own names the chat by `place`, its address there, instead of `conversation_id`: the
    first message of a place begins its conversation. `reply_to` is the channel's id of the message to answer, `sender`
    who wrote it in a group. With `merge` the message replaces an unanswered one before it: one reply answers both.
    """

    channel: str
    external_id: str
    person_id: str
    text: str
    conversation_id: str | None = None
    parent_id: str | None = None
    at_start: bool = False
    regenerate: str | None = None
    file_ids: tuple[str, ...] = ()
    model: str | None = None
    context: tuple[Prompt, ...] = ()
    trace: str | None = None
    place: str | None = None
    reply_to: str | None = None
    sender: str = ""
    merge: bool = False


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The message is a row now, and will be answered whatever dies."""

    turn_id: str
    conversation_id: str
    message_id: str
    reply_id: str
    is_new: bool = True


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="turn.started"):
    """The first event: the ids of the turn, the question and the answer."""

    turn_id: str
    conversation_id: str
    message_id: str
    reply_id: str


class Working(msgspec.Struct, frozen=True, kw_only=True, tag="turn.working"):
    """What the desk does right now, for a status line: `activity` picks the words, `detail` fills them."""

    activity: Literal["reading", "searching", "thinking", "writing", "calling", "waiting_for_approval", "resuming"]
    detail: str = ""


class TextAdded(msgspec.Struct, frozen=True, kw_only=True, tag="text.added"):
    """The answer goes on with this text."""

    text: str


class Cited(msgspec.Struct, frozen=True, kw_only=True, tag="sources.cited"):
    """Sources of the answer so far; `number` is the mark `[1]` in its text."""

    citations: tuple[Citation, ...]


class ToolCalled(msgspec.Struct, frozen=True, kw_only=True, tag="tool.called"):
    """A tool of this server is called."""

    call: ToolCall
    server: str


class ToolReturned(msgspec.Struct, frozen=True, kw_only=True, tag="tool.returned"):
    """What the tool answered."""

    result: ToolResult


class ApprovalAsked(msgspec.Struct, frozen=True, kw_only=True, tag="approval.asked"):
    """The turn waits for a person's word on this call."""

    approval_id: str
    call: ToolCall


class ModelSwitched(msgspec.Struct, frozen=True, kw_only=True, tag="model.switched"):
    """Another model goes on, because the first one failed."""

    from_model: str
    to_model: str
    reason: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="turn.finished"):
    """The last event of a turn that went well. `can_leave_message` offers to ask a person instead."""

    reply_id: str
    grounding: Grounding
    model: str
    usage: Usage
    reason: Literal["stop", "length", "stopped", "content_filter"]
    can_leave_message: bool = False


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="turn.failed"):
    """The last event of a turn that did not: an error's code, words and hint. What was said before stays."""

    code: str
    message: str
    hint: str


class PersonAnswers(msgspec.Struct, frozen=True, kw_only=True, tag="turn.handed"):
    """The last event of a turn that the desk does not answer: a person of the team, `name`, has the conversation."""

    name: str


TurnEvent = (
    Started
    | Working
    | TextAdded
    | Cited
    | ToolCalled
    | ToolReturned
    | ApprovalAsked
    | ModelSwitched
    | Finished
    | Failed
    | PersonAnswers
)


class Numbered(msgspec.Struct, frozen=True, kw_only=True):
    """A turn's event with its place in the stream, from 1, without gaps. Shown only after it is stored."""

    seq: int
    event: TurnEvent
    at: datetime
