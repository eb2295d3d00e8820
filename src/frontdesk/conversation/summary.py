"""What fell out of the window, in short: written by a strong model, or kept as first sentences."""

from collections.abc import Sequence

from frontdesk.errors import FrontdeskError
from frontdesk.messages import ModelRequest, Prompt, TextDelta, TextPart
from frontdesk.ports import Model
from frontdesk.store.conversations import Conversation, Conversations, Message

LONGEST = 2_000
STEP = 10  # messages that fall out of the window before they are summed up: a summary for each would double the calls
LONGEST_GAP = 3 * STEP  # messages before the window that a turn reads: enough to find where the summary ends
TASK = "Sum up this conversation in at most 120 words. Keep names, numbers, decisions and open questions. Text only."


class Summaries:
    """Keeps the summary of each conversation a step behind its window."""

    def __init__(self, conversations: Conversations, model: Model) -> None:
        self._conversations = conversations
        self._model = model

    async def of(
        self, conversation: Conversation, older: Sequence[Message], account: str
    ) -> tuple[str, Sequence[Message]]:
        """What came before the window, in short, and the newest of it in full, which is not summed up yet.

        `older` are the messages before the window, at most `LONGEST_GAP` of them.
        """
        places = [message.id for message in older]
        before, fresh = "", older
        if conversation.summary_upto in places:
            before, fresh = conversation.summary, older[places.index(conversation.summary_upto) + 1 :]
        elif len(older) >= LONGEST_GAP:  # the summary ends further back than was read
            before = conversation.summary
        if len(fresh) < STEP:
            return before, fresh
        summary = await self._write(before, fresh, account)
        await self._conversations.keep_summary(conversation.id, summary, places[-1])
        return summary, ()

    async def _write(self, before: str, fresh: Sequence[Message], account: str) -> str:
        plain = shortened(before, fresh)
        if self._model.facts.strength != "strong":
            return plain
        told = "\n\n".join(f"{message.role}: {message.text}" for message in fresh)
        request = ModelRequest(
            messages=(
                Prompt(role="system", parts=(TextPart(text=TASK),)),
                Prompt(role="user", parts=(TextPart(text=f"{before}\n\n{told}"),), untrusted=True),
            ),
            max_tokens=400,
            streamed=False,
            account=account,
        )
        try:
            written = [event.text async for event in self._model.stream(request) if isinstance(event, TextDelta)]
        except FrontdeskError:
            return plain
        return "".join(written).strip()[:LONGEST] or plain


def shortened(summary: str, older: Sequence[Message]) -> str:
    """The first sentence of each message; the newest are kept when it grows too long."""
    lines = [f"{'They' if message.role == 'user' else 'Desk'}: {_first_sentence(message.text)}" for message in older]
    return "\n".join(filter(None, [summary, *lines]))[-LONGEST:]


def _first_sentence(text: str) -> str:
    line = " ".join(text.split())
    end = min((line.find(stop) + 1 for stop in (". ", "? ", "! ") if stop in line), default=len(line))
    return line[: min(end, 200)]
