"""What a model reads: instructions, what is known of the person, a summary, the branch, files."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from frontdesk.conversation import words
from frontdesk.conversation.guardrails import Guards, Refusal
from frontdesk.conversation.memory import Recalled
from frontdesk.errors import FrontdeskError
from frontdesk.messages import ImagePart, Part, Prompt, TextPart, ToolCall
from frontdesk.store.conversations import Message
from frontdesk.store.files import Files

ReadFile = Callable[[str, str, bytes], Awaitable[str]]  # name, media type, bytes → text; raises UnreadableDocument

IMAGES = ("image/png", "image/jpeg", "image/webp", "image/gif")
LONGEST_FILE = 60_000  # characters of one file that a model reads


class PromptWriter:
    """Builds the messages of a request."""

    def __init__(self, files: Files, read_file: ReadFile, guards: Guards) -> None:
        self._files = files
        self._read_file = read_file
        self._guards = guards

    def instructions(self, role: str, facts: Sequence[Recalled], summary: str) -> list[Prompt]:
        """The trusted part, who the desk is; then, as data, what it knows of the person and of earlier talk."""
        prompts = [_prompt("system", role)]
        if facts:
            known = "\n".join(f"- {fact.text}" for fact in facts)
            prompts.append(_prompt("user", f"What I told you about me earlier:\n{known}", untrusted=True))
        if summary:
            prompts.append(_prompt("user", f"Our conversation so far, in short:\n{summary}", untrusted=True))
        return prompts

    async def history(self, person_id: str, messages: Sequence[Message], *, images: bool) -> list[Prompt]:
        """The branch as a model reads it: texts, tool calls with results, and files of the person's messages."""
        prompts: list[Prompt] = []
        for message in messages:
            if message.role == "notice":
                continue
            if message.role == "user":
                prompts.append(await self._said(person_id, message, images))
                continue
            prompts.extend(_tools(message))
            if message.text:
                prompts.append(_prompt("assistant", message.text))
        return prompts

    async def _said(self, person_id: str, message: Message, images: bool) -> Prompt:
        masked = self._guards.incoming(message.text)
        parts: list[Part] = [TextPart(text=masked.reply if isinstance(masked, Refusal) else masked)]
        for file_id in message.file_ids:
            parts.append(await self._file(person_id, file_id, images))
        return Prompt(role="user", parts=tuple(parts))

    async def _file(self, person_id: str, file_id: str, images: bool) -> Part:
        try:
            file, data = await self._files.data(person_id, file_id)
            if file.media_type in IMAGES:
                return ImagePart(media_type=file.media_type, data=data) if images else TextPart(text=words.NO_IMAGES)
            text = await self._read_file(file.name, file.media_type, data)
        except FrontdeskError as error:
            return TextPart(text=words.UNREADABLE.format(reason=error.what))
        return TextPart(text=f"\n\nThe file “{file.name}” that I attach:\n{text[:LONGEST_FILE]}")


def window(messages: Sequence[Message], size: int) -> tuple[Sequence[Message], Sequence[Message]]:
    """The branch in two: what is only summed up, and the newest `size` messages."""
    return messages[: max(0, len(messages) - size)], messages[-size:]


def _tools(message: Message) -> list[Prompt]:
    done = [use for use in message.tools if use.result is not None]
    if not done:
        return []
    calls = tuple(ToolCall(id=use.call_id, name=use.name, arguments=use.arguments) for use in done)
    return [
        Prompt(role="assistant", tool_calls=calls),
        *(tool_answer(use.call_id, use.result or "") for use in done),
    ]


def tool_answer(call_id: str, text: str) -> Prompt:
    """A tool's result as a model reads it: untrusted."""
    return Prompt(role="tool", parts=(TextPart(text=text),), tool_call_id=call_id, untrusted=True)


def _prompt(role: Literal["system", "user", "assistant"], text: str, *, untrusted: bool = False) -> Prompt:
    return Prompt(role=role, parts=(TextPart(text=text),), untrusted=untrusted)
