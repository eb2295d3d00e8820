"""The one handler of all channels: accept a message, follow its turn, stop it; and the running of turns here."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec
import structlog
from opentelemetry import trace

from frontdesk.conversation import words
from frontdesk.conversation.feed import Feeds
from frontdesk.conversation.live import LiveNews
from frontdesk.conversation.log import Scribe, TurnLog
from frontdesk.conversation.turn import Turn, TurnParts
from frontdesk.conversation.typing import Silent, Typing
from frontdesk.errors import FrontdeskError, Overloaded, StoreUnavailable
from frontdesk.events import Accepted, Failed, Finished, Inbound, Numbered, PersonAnswers, TextAdded
from frontdesk.messages import Grounding
from frontdesk.outgoing import Reply, Signal
from frontdesk.ports import Clock, Dispatcher, Live, Outlet
from frontdesk.store.conversations import Fault
from frontdesk.store.outbox import NewLetter
from frontdesk.store.turns import Lease, LostLease, Outcome, is_last

log = structlog.get_logger("frontdesk.conversation")
tracer = trace.get_tracer("frontdesk")

BREATHER = 5.0  # seconds that whoever was turned away is asked to wait
LOOK_ROUND = 0.5  # seconds between two looks whether a turn that runs here is still wanted
MOST_CLAIMS = 8  # after so many takes without an end a turn is given up: it may be what ends its processes
STREAM_COST = 0.001  # seconds that a stream, per storing, may cost a process that serves nothing else
QUIET_PACE = 10.0  # seconds between two storings of a reply that nobody reads before it is whole


class Conversation:
    """Turns of this process, and streams of all. `name` tells this process from others in leases.

    `outlets` are the channels, by name, on which replies leave as letters.
    """

    def __init__(
        self,
        parts: TurnParts,
        dispatcher: Dispatcher,
        clock: Clock,
        name: str,
        *,
        outlets: Mapping[str, Outlet] | None = None,
        feeds: Feeds | None = None,
        live: Live | None = None,
    ) -> None:
        self._parts = parts
        self._dispatcher = dispatcher
        self._clock = clock
        self._name = name
        self._outlets = outlets or {}
        self._feeds = feeds or Feeds()
        self._scribe = Scribe(parts.turns, self._feeds, clock)
        self._live = live or LiveNews()
        self._running: dict[str, TurnLog] = {}
        self._watching: asyncio.Task[None] | None = None

    async def accept(self, inbound: Inbound) -> Accepted:
        if self._dispatcher.backlog >= self._parts.options.most_waiting:
            raise Overloaded("The desk has more to answer than it can right now", retry_after=BREATHER)
        accepted = await self._parts.inbox.accept(inbound)
        if accepted.is_new:
            await self._dispatcher.ready("turn", accepted.turn_id)
            await self._changed(accepted.conversation_id, inbound.person_id)
        return accepted

    async def follow(self, turn_id: str, *, after: int = 0) -> AsyncIterator[Numbered]:
        seen = after
        with self._feeds.follow(turn_id) as live:
            news = await self._look(turn_id, seen)
            while True:
                for item in news:
                    if item.seq == seen + 1:
                        yield item
                        seen = item.seq
                        if is_last(item.event):
                            return
                news = await live.news()
                if not news or news[0].seq > seen + 1:  # too slow for the live events: the database has them
                    news = await self._look(turn_id, seen)

    async def stop(self, turn_id: str) -> None:
        if await self._parts.turns.request_stop(turn_id) and turn_id in self._running:
            self._running[turn_id].stop.set()

    async def run(self, turn_id: str) -> None:
        """Take the turn if it is free and make its reply. For the dispatcher."""
        seconds = self._parts.options.lease_seconds
        lease = await self._parts.turns.claim(self._name, seconds, turn_id)
        if lease is None:
            return
        quiet = lease.inbound.channel in self._outlets
        turn_log = TurnLog(lease, self._scribe, self._clock, pace=self._pace_of(quiet), quiet=quiet)
        self._running[turn_id] = turn_log
        self._watch()
        try:
            with tracer.start_as_current_span("turn", attributes={"frontdesk.channel": lease.inbound.channel}):
                await self._reply(turn_log)
        except LostLease:
            log.warning("lease_lost", turn=turn_id)
        finally:
            if self._parts.toolbox.specs():
                await self._parts.approvals.withdraw(turn_id)
            del self._running[turn_id]
        await self._changed(lease.conversation_id, lease.person_id)

    def _pace_of(self, quiet: bool) -> Callable[[], float]:
        """Seconds that streamed words wait for more: with many streams longer, so that all of them stay live."""
        if quiet:
            return lambda: QUIET_PACE
        return lambda: max(self._parts.options.stream_pace, STREAM_COST * len(self._running))

    async def _reply(self, turn_log: TurnLog) -> None:
        turn = Turn(self._parts, turn_log)
        if turn_log.lease.claims > MOST_CLAIMS:
            log.error("turn_given_up", turn=turn_log.lease.turn_id)
            await self._fail(turn, turn_log, "given_up", words.GIVEN_UP, words.ASK_AGAIN, dead=True)
            return
        async with self._typing(turn_log) as typing:
            await self._answer(turn, turn_log, typing)

    def _typing(self, turn_log: TurnLog) -> Typing | Silent:
        """What is seen of the making of this reply before it is sent."""
        lease = turn_log.lease
        outlet = self._outlets.get(lease.inbound.channel)
        if lease.quick or outlet is None or outlet.rhythm is None or lease.inbound.place is None:
            return Silent()
        return Typing(outlet, outlet.rhythm, lease.inbound.place, lease.turn_id, lambda: turn_log.text, self._clock)

    async def _answer(self, turn: Turn, turn_log: TurnLog, typing: Typing | Silent) -> None:
        answer = asyncio.create_task(turn.answer(), name=f"answer-{turn_log.lease.turn_id}")
        stop = asyncio.create_task(turn_log.stop.wait())
        try:
            await asyncio.wait({answer, stop}, timeout=self._parts.options.turn_seconds, return_when="FIRST_COMPLETED")
            if not answer.done():
                await self._cut_short(turn, turn_log, answer)
                return
            grounding = answer.result()
            typed = asyncio.create_task(typing.finished(turn_log.text))
            await asyncio.wait({typed, stop}, return_when="FIRST_COMPLETED")
            typed.cancel()
        except (LostLease, StoreUnavailable):
            raise
        except FrontdeskError as error:
            await self._fail(turn, turn_log, error.code, error.what, error.hint)
        except Exception:
            log.exception("turn_failed", turn=turn_log.lease.turn_id)
            await self._fail(turn, turn_log, "internal", words.BROKEN, words.ASK_AGAIN)
        else:
            await self._finish(turn, turn_log, grounding)
        finally:
            stop.cancel()
            answer.cancel()
            await asyncio.gather(stop, answer, return_exceptions=True)

    async def _finish(self, turn: Turn, turn_log: TurnLog, grounding: Grounding) -> None:
        outcome = turn.outcome("complete", grounding)
        last = self._finished(turn, turn_log, grounding, outcome.can_leave_message)
        await self._end(turn_log, last, outcome)

    async def _cut_short(self, turn: Turn, turn_log: TurnLog, answer: asyncio.Task[Grounding]) -> None:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        if not turn_log.stop.is_set():
            turn_log.put(TextAdded(text=("\n\n" if turn_log.text else "") + words.STOPPED_BY_TIME))
        await turn_log.flushed()
        grounding = Grounding.UNSOURCED if turn_log.text else Grounding.NOTICE
        outcome = turn.outcome("stopped", grounding)
        await self._end(turn_log, self._finished(turn, turn_log, grounding, False, stopped=True), outcome)

    async def _fail(
        self, turn: Turn, turn_log: TurnLog, code: str, message: str, hint: str, *, dead: bool = False
    ) -> None:
        fault = Fault(code=code, message=message, hint=hint)
        outcome = msgspec.structs.replace(turn.outcome("failed", None), error=fault, can_leave_message=True)
        await self._end(turn_log, Failed(code=code, message=message, hint=hint), outcome, dead=dead)

    async def _end(self, turn_log: TurnLog, last: Finished | Failed, outcome: Outcome, *, dead: bool = False) -> None:
        """Store the turn's end and, on a channel with an outlet, the letters that bring the reply; go on with both."""
        letters = self._letters(turn_log.lease, outcome)
        ended = await turn_log.finish(last, outcome, letters, dead=dead)
        for letter_id in ended.letters:
            await self._dispatcher.ready("letter", letter_id)
        if ended.following is not None:
            await self._dispatcher.ready("turn", ended.following)

    def _letters(self, lease: Lease, outcome: Outcome) -> list[NewLetter]:
        outlet, place = self._outlets.get(lease.inbound.channel), lease.inbound.place
        if outlet is None or place is None:
            return []
        failed = "" if outcome.error is None else f"{outcome.error.message}. {outcome.error.hint}".strip()
        text = "\n\n".join(filter(None, (outcome.text, failed)))
        reply = Reply(
            place=place,
            text=text,
            author="notice" if outcome.error is not None or outcome.grounding is Grounding.NOTICE else "desk",
            reply_to=lease.inbound.reply_to,
            message_id=lease.reply_id,
            turn_id=lease.turn_id,
            citations=outcome.citations,
            asked_at=lease.created_at,
            apology=outcome.error is not None,
        )
        bodies = outlet.letters(reply)
        if not bodies and outcome.state == "complete":  # nobody is left in silence, whatever the model made of it
            sorry = msgspec.structs.replace(reply, text=words.NOTHING_SAID, author="notice", apology=True)
            bodies = outlet.letters(sorry)
        return [
            NewLetter(
                key=f"reply:{lease.turn_id}:{number}",
                channel=lease.inbound.channel,
                person_id=lease.person_id,
                body=body,
                place=place,
                conversation_id=lease.conversation_id,
                message_id=lease.reply_id,
            )
            for number, body in enumerate(bodies)
        ]

    def _finished(
        self, turn: Turn, turn_log: TurnLog, grounding: Grounding, can_leave: bool, *, stopped: bool = False
    ) -> Finished:
        return Finished(
            reply_id=turn_log.lease.reply_id,
            grounding=grounding,
            model=turn.model,
            usage=turn.usage,
            reason="stopped" if stopped else turn.reason,
            can_leave_message=can_leave,
        )

    async def _changed(self, conversation_id: str, person_id: str) -> None:
        await self._live.tell(Signal(conversation_id=conversation_id, person_id=person_id, kind="changed"))

    async def _look(self, turn_id: str, seen: int) -> list[Numbered]:
        """What is stored of a stream, or its end where the desk does not answer. Raises when the turn was deleted."""
        events = await self._parts.turns.events(turn_id, seen)
        if events or await self._parts.turns.state(turn_id) not in ("held", "merged"):
            return events
        name = await self._parts.turns.holder(turn_id)
        return [Numbered(seq=seen + 1, event=PersonAnswers(name=name), at=self._clock.now())]

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._look_round(), name="turns-wanted")

    async def _look_round(self) -> None:
        """Keep the leases of the turns that run here, and tell those that should end, whoever said so and wherever."""
        seconds = self._parts.options.lease_seconds
        kept_at = self._clock.monotonic()
        while self._running:
            await self._clock.sleep(min(LOOK_ROUND, seconds / 3))
            held = {turn_id: turn_log.lease.fence for turn_id, turn_log in self._running.items()}
            with contextlib.suppress(StoreUnavailable):  # the next round may find it again before a lease runs out
                if held and self._clock.monotonic() - kept_at >= seconds / 3:
                    await self._parts.turns.keep(held, seconds)
                    kept_at = self._clock.monotonic()
                for turn_id in await self._parts.turns.unwanted(held):
                    turn_log = self._running.get(turn_id)
                    if turn_log is not None and turn_log.lease.fence == held[turn_id]:  # and not taken anew meanwhile
                        turn_log.stop.set()
