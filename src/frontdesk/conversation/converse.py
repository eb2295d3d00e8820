"""The one handler of all channels: accept a message, follow its turn, stop it."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import structlog
from opentelemetry import trace

from frontdesk.conversation import words
from frontdesk.conversation.feed import Feeds
from frontdesk.conversation.log import TurnLog
from frontdesk.conversation.turn import Turn, TurnParts
from frontdesk.errors import FrontdeskError, Overloaded, StoreUnavailable
from frontdesk.messages import Accepted, Failed, Finished, Grounding, Inbound, Numbered, TextAdded
from frontdesk.ports import Clock, Dispatcher
from frontdesk.store.conversations import Fault
from frontdesk.store.turns import Lease, LostLease, is_last

log = structlog.get_logger("frontdesk.conversation")
tracer = trace.get_tracer("frontdesk")

BREATHER = 5.0  # seconds that whoever was turned away is asked to wait
LOOK_AGAIN = 1.0  # seconds after which a follower reads the database, in case the turn runs in another process


class Conversation:
    """Turns of this process, and streams of all. `name` tells this process from others in leases."""

    def __init__(self, parts: TurnParts, dispatcher: Dispatcher, clock: Clock, name: str) -> None:
        self._parts = parts
        self._dispatcher = dispatcher
        self._clock = clock
        self._name = name
        self._feeds = Feeds()
        self._running: dict[str, TurnLog] = {}

    async def accept(self, inbound: Inbound) -> Accepted:
        if self._dispatcher.backlog >= self._parts.options.most_waiting:
            raise Overloaded("The desk has more to answer than it can right now", retry_after=BREATHER)
        accepted = await self._parts.inbox.accept(inbound)
        if accepted.is_new:
            await self._dispatcher.ready("turn", accepted.turn_id)
        return accepted

    async def follow(self, turn_id: str, *, after: int = 0) -> AsyncIterator[Numbered]:
        seen = after
        with self._feeds.follow(turn_id) as live:
            while True:
                for item in await self._parts.turns.events(turn_id, seen):
                    yield item
                    seen = item.seq
                    if is_last(item.event):
                        return
                await self._parts.turns.owner(turn_id)  # raises when the conversation has been deleted meanwhile
                while (item := await _next(live)) is not None:
                    if item.seq <= seen:
                        continue
                    if item.seq != seen + 1:
                        break  # this follower was too slow for the live events: the database has them
                    yield item
                    seen = item.seq
                    if is_last(item.event):
                        return

    async def stop(self, turn_id: str) -> None:
        if await self._parts.turns.request_stop(turn_id) and turn_id in self._running:
            self._running[turn_id].stop.set()

    async def run(self, turn_id: str) -> None:
        """Take the turn if it is free and make its reply. For the dispatcher."""
        seconds = self._parts.options.lease_seconds
        lease = await self._parts.turns.claim(self._name, seconds, turn_id)
        if lease is None:
            return
        turn_log = TurnLog(lease, self._parts.turns, self._feeds, self._clock)
        self._running[turn_id] = turn_log
        heartbeat = asyncio.create_task(self._keep(lease, turn_log), name=f"lease-{turn_id}")
        try:
            with tracer.start_as_current_span("turn", attributes={"frontdesk.channel": lease.inbound.channel}):
                await self._reply(turn_log)
        except LostLease:
            log.warning("lease_lost", turn=turn_id)
        finally:
            heartbeat.cancel()
            await self._parts.approvals.withdraw(turn_id)
            del self._running[turn_id]
        following = await self._parts.turns.open_in(lease.conversation_id)
        if following is not None and following != turn_id:
            await self._dispatcher.ready("turn", following)

    async def _reply(self, turn_log: TurnLog) -> None:
        turn = Turn(self._parts, turn_log)
        answer = asyncio.create_task(turn.answer(), name=f"answer-{turn_log.lease.turn_id}")
        stop = asyncio.create_task(turn_log.stop.wait())
        try:
            await asyncio.wait({answer, stop}, timeout=self._parts.options.turn_seconds, return_when="FIRST_COMPLETED")
            if not answer.done():
                await self._cut_short(turn, turn_log, answer)
                return
            grounding = answer.result()
        except (LostLease, StoreUnavailable):
            raise
        except FrontdeskError as error:
            await self._fail(turn, turn_log, error.code, error.what, error.hint)
        except Exception:
            log.exception("turn_failed", turn=turn_log.lease.turn_id)
            await self._fail(turn, turn_log, "internal", "Something broke while I was answering", "Please ask again.")
        else:
            await self._finish(turn, turn_log, grounding)
        finally:
            stop.cancel()
            answer.cancel()
            await asyncio.gather(stop, answer, return_exceptions=True)

    async def _finish(self, turn: Turn, turn_log: TurnLog, grounding: Grounding) -> None:
        outcome = turn.outcome("complete", grounding)
        await turn_log.finish(self._finished(turn, turn_log, grounding, outcome.can_leave_message), outcome)

    async def _cut_short(self, turn: Turn, turn_log: TurnLog, answer: asyncio.Task[Grounding]) -> None:
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        if not turn_log.stop.is_set():
            turn_log.put(TextAdded(text=("\n\n" if turn_log.text else "") + words.STOPPED_BY_TIME))
        await turn_log.flushed()
        grounding = Grounding.UNSOURCED if turn_log.text else Grounding.NOTICE
        outcome = turn.outcome("stopped", grounding)
        await turn_log.finish(self._finished(turn, turn_log, grounding, False, stopped=True), outcome)

    async def _fail(self, turn: Turn, turn_log: TurnLog, code: str, message: str, hint: str) -> None:
        fault = Fault(code=code, message=message, hint=hint)
        outcome = msgspec.structs.replace(turn.outcome("failed", None), error=fault, can_leave_message=True)
        await turn_log.finish(Failed(code=code, message=message, hint=hint), outcome)

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

    async def _keep(self, lease: Lease, turn_log: TurnLog) -> None:
        seconds = self._parts.options.lease_seconds
        while True:
            await self._clock.sleep(seconds / 3)
            try:
                if await self._parts.turns.renew(lease, seconds):
                    turn_log.stop.set()
            except LostLease:
                turn_log.stop.set()
                return
            except StoreUnavailable:
                continue  # the next renewal may find the database again before the lease runs out


async def _next(live: asyncio.Queue[Numbered]) -> Numbered | None:
    try:
        async with asyncio.timeout(LOOK_AGAIN):
            return await live.get()
    except TimeoutError:
        return None
