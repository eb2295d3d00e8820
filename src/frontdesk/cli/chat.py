"""`frontdesk chat`"""

import asyncio
import sys
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field

import click
import msgspec

from frontdesk.cli.output import json_option, note, print_json
from frontdesk.cli.partner import Partner, elsewhere, here
from frontdesk.cli.place import Place, placed
from frontdesk.cli.prompt import on_interrupt, read_line
from frontdesk.cli.shape import Verb
from frontdesk.cli.trouble import tell
from frontdesk.errors import FrontdeskError, TooLarge
from frontdesk.errors import Usage as BadUsage
from frontdesk.events import (
    ApprovalAsked,
    Cited,
    Failed,
    Finished,
    ModelSwitched,
    PersonAnswers,
    TextAdded,
    ToolCalled,
    Working,
)
from frontdesk.messages import Citation, Usage

EXAMPLES = """\
frontdesk chat "How do I add documents?"          one question
git diff | frontdesk chat -                       the question comes through a pipe
frontdesk chat                                    a conversation; Ctrl+D ends it
frontdesk chat --json "Who are you?"              one JSON document
frontdesk chat --url https://desk.example.com     a desk that runs elsewhere; its key in FRONTDESK_KEY"""

LONGEST = 1_000_000  # bytes of a question

ACTIVITIES = {
    "reading": "reading",
    "searching": "looking in {}",
    "thinking": "thinking",
    "writing": "writing",
    "calling": "asking {}",
    "waiting_for_approval": "waiting for a yes or no",
    "resuming": "going on",
}


@click.command(cls=Verb, examples=EXAMPLES)
@placed
@click.argument("question", nargs=-1)
@click.option("--url", envvar="FRONTDESK_URL", help="Ask the desk that runs at this address (FRONTDESK_URL).")
@click.option("--key", envvar="FRONTDESK_KEY", default="", help="An API key of that desk (FRONTDESK_KEY).")
@json_option
def chat(place: Place, question: tuple[str, ...], url: str | None, key: str, as_json: bool) -> int:
    """Ask the desk a question here in the terminal: QUESTION, or `-` to read it from a pipe.

    Without --url the desk of this machine's home is opened for the occasion, running or not.
    """
    text = " ".join(question)
    if text == "-" or (not text and not sys.stdin.isatty()):
        text = _piped()
        if not text:
            raise BadUsage("There is no question", hint='frontdesk chat "How do I add documents?"')
    if as_json and not text:
        raise BadUsage("--json needs a question", hint='frontdesk chat --json "How do I add documents?"')
    partner = elsewhere(url, key) if url else _here(place)
    return asyncio.run(_once(partner, text, as_json) if text else _talk(partner))


def _piped() -> str:
    raw = sys.stdin.buffer.read(LONGEST + 1)
    if len(raw) > LONGEST:
        raise TooLarge(
            f"The question is longer than {LONGEST:,} bytes", hint="frontdesk knowledge add takes documents."
        )
    return raw.decode(errors="replace").strip()


def _here(place: Place) -> AbstractAsyncContextManager[Partner]:
    from frontdesk.telemetry import logs

    logs.set_up("ERROR", as_json=False)
    return here(place.load())


async def _once(opened: AbstractAsyncContextManager[Partner], text: str, as_json: bool) -> int:
    async with opened as partner:
        answer = Answer(shown=not as_json)
        await _listen(partner, text, answer)
    if as_json:
        print_json(answer.document(partner.conversation_id))
    return 1 if answer.failed else 0


async def _talk(opened: AbstractAsyncContextManager[Partner]) -> int:
    async with opened as partner:
        note("Ask anything. Ctrl+C stops an answer, Ctrl+D ends.")
        while True:
            text = await read_line(click.style("\n› ", bold=True))
            if text is None:
                return 0
            if text.strip():
                await _listen(partner, text.strip(), Answer(shown=True))


async def _listen(partner: Partner, text: str, answer: "Answer") -> None:
    stopping: list[asyncio.Task[None]] = []  # kept here, or they might vanish before they are done

    def stop() -> None:
        stopping.append(asyncio.ensure_future(partner.stop()))

    with on_interrupt(stop):
        async with aclosing(partner.ask(text)) as events:
            async for event in events:
                match event:
                    case TextAdded():
                        answer.add(event.text)
                    case Cited():
                        answer.citations.extend(event.citations)
                    case Working():
                        answer.status(ACTIVITIES[event.activity].format(event.detail or "what the desk knows"))
                    case ToolCalled():
                        answer.status(f"asking {event.call.name}")
                    case ModelSwitched():
                        answer.remark(f"{event.to_model} goes on for {event.from_model}")
                    case ApprovalAsked():
                        await _decide(partner, event, answer)
                    case Finished():
                        answer.finish(event)
                    case Failed():
                        answer.fail(event)
                    case PersonAnswers():
                        answer.remark(f"{event.name or 'A person of the team'} has this conversation and answers there")
                    case _:
                        pass


async def _decide(partner: Partner, asked: ApprovalAsked, answer: "Answer") -> None:
    """Ask the person; without a terminal nobody can say yes, so it is no."""
    answer.remark(f"{asked.call.name} wants to run with {asked.call.arguments}")
    approve = sys.stdin.isatty() and await asyncio.to_thread(click.confirm, "Let it run?", default=False, err=True)
    await partner.decide(asked.approval_id, approve=approve)


@dataclass(slots=True)
class Answer:
    """An answer as it comes: shown at once if `shown`, kept in any case."""

    shown: bool
    text: str = ""
    citations: list[Citation] = field(default_factory=list[Citation])
    finished: Finished | None = None
    failed: Failed | None = None
    _status: bool = False

    def add(self, text: str) -> None:
        self._clear()
        self.text += text
        if self.shown:
            click.echo(text, nl=False)
            sys.stdout.flush()

    def status(self, text: str) -> None:
        """What the desk does now, on a line that vanishes; for a terminal alone."""
        if self.shown and sys.stderr.isatty() and not self.text:
            self._clear()
            click.echo(click.style(f"{text} …", dim=True), nl=False, err=True)
            self._status = True

    def remark(self, text: str) -> None:
        self._clear()
        note(click.style(text, dim=True))

    def finish(self, event: Finished) -> None:
        self.finished = event
        self._clear()
        if not self.shown:
            return
        click.echo()
        sources = {citation.number: citation for citation in self.citations}  # one may be cited several times
        for _, citation in sorted(sources.items()):
            heading = f", {citation.heading}" if citation.heading else ""
            click.echo(f"[{citation.number}] {citation.title}{heading} — {citation.source}")
        if sys.stderr.isatty():
            note(click.style(f"{event.model}, {event.grounding.value}", dim=True))

    def fail(self, event: Failed) -> None:
        self.failed = event
        self._clear()
        if self.text and self.shown:
            click.echo()
        tell(FrontdeskError(event.message, where=event.code, hint=event.hint))

    def document(self, conversation_id: str | None) -> dict[str, object]:
        """The answer for a program."""
        done = self.finished
        return {
            "answer": self.text,
            "citations": [msgspec.structs.asdict(citation) for citation in self.citations],
            "model": done.model if done else None,
            "grounding": done.grounding.value if done else None,
            "usage": msgspec.structs.asdict(done.usage if done else Usage()),
            "conversation_id": conversation_id,
            "error": msgspec.structs.asdict(self.failed) if self.failed else None,
        }

    def _clear(self) -> None:
        if self._status:
            click.echo("\r\x1b[2K", nl=False, err=True)
            self._status = False
