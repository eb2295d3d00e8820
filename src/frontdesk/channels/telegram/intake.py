"""Updates at work: taken from their rows one at a time in each chat, in Telegram's order, and settled once."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog

from frontdesk.channels.telegram import words
from frontdesk.channels.telegram.answers import Answer
from frontdesk.channels.telegram.client import LimitReached, NotReached
from frontdesk.channels.telegram.presses import Presses
from frontdesk.channels.telegram.talk import Talk
from frontdesk.channels.telegram.updates import CHANNEL, Joined, parse
from frontdesk.channels.telegram.visitors import Visitors
from frontdesk.errors import Overloaded, StoreUnavailable, TelegramTokenRefused
from frontdesk.outgoing import Reply
from frontdesk.ports import Clock, Dispatcher, Outlet
from frontdesk.store.outbox import NewLetter
from frontdesk.store.places import Places
from frontdesk.store.updates import LostUpdate, Update, Updates

log = structlog.get_logger("frontdesk.telegram")

LEASE = 15.0  # seconds, renewed while an update is worked on
TOO_LONG = 180.0  # seconds after which a try is given up
IN_A_ROW = 20  # updates of one chat, before others have their turn
TRIES = 5
MOST_CLAIMS = 8  # after so many takes without an end an update is given up: it may be what ends its processes
FIRST_WAIT = 2.0  # seconds before the second try; each further one waits twice as long
BREATHER = 5.0  # seconds while what is needed is away


class Intake:
    """Works on the updates of Telegram. Its unit of work is a lane: a chat, whose updates follow each other."""

    def __init__(
        self,
        updates: Updates,
        talk: Talk,
        presses: Presses,
        visitors: Visitors,
        places: Places,
        outlet: Outlet,
        dispatcher: Dispatcher,
        clock: Clock,
    ) -> None:
        self._updates = updates
        self._talk = talk
        self._presses = presses
        self._visitors = visitors
        self._places = places
        self._outlet = outlet
        self._dispatcher = dispatcher
        self._clock = clock

    async def run(self, lane: str) -> None:
        """Work on what waits in the lane; with much of it, part now and the rest after the other lanes."""
        for _ in range(IN_A_ROW):
            update = await self._updates.claim(lane, LEASE)
            if update is None or not await self._one(update):
                return
        await self._dispatcher.ready("update", lane)

    async def sweep(self) -> list[str]:
        """Lanes in which something was left lying."""
        return await self._updates.due()

    async def _one(self, update: Update) -> bool:
        """Work on it; whether its lane has more that can be worked on now."""
        if update.attempts > MOST_CLAIMS:
            log.error("update_given_up", row=update.external_id)
            return await self._failed(update, "never_ended")
        try:
            async with self._kept(update):
                answer = await self._handle(update)
            return await self._settle(update, answer)
        except LostUpdate:
            log.warning("lease_lost", kind="update", row=update.external_id)
        except asyncio.CancelledError:
            with contextlib.suppress(StoreUnavailable):  # the process ends: another goes on at once
                await self._updates.again(update, 0, counted=False, problem="interrupted")
            raise
        except (StoreUnavailable, Overloaded, LimitReached, NotReached, TelegramTokenRefused) as error:
            seconds = getattr(error, "retry_after", None) or BREATHER
            await self._updates.again(update, seconds, counted=False, problem=type(error).__name__)
        except Exception as error:
            log.exception("update_failed", row=update.external_id, attempt=update.attempts)
            return await self._failed(update, type(error).__name__)
        return False

    async def _handle(self, update: Update) -> Answer:
        told = [parse(body) for body in update.bodies]
        first, again = told[0], update.fence > 1
        if first.message is not None:
            messages = [each.message for each in told if each.message is not None]
            return await self._talk.hear(messages, update.external_id, again=again)
        if first.edited_message is not None:
            return await self._talk.hear([first.edited_message], update.external_id, edited=True, again=again)
        if first.callback_query is not None:
            return await self._presses.press(first.callback_query)
        if first.my_chat_member is not None:
            await self._joined(first.my_chat_member)
        return Answer()

    async def _joined(self, joined: Joined) -> None:
        place = str(joined.chat.id)
        if not joined.is_out:
            await self._places.reopen(CHANNEL, place)
        elif (person := await self._visitors.known(joined.chat.id)) is not None:
            await self._places.shut(CHANNEL, place, person.id)

    async def _settle(self, update: Update, answer: Answer) -> bool:
        letters = self._letters(update, answer.person_id, answer.notices)
        settled = await self._updates.settle(update, answer.state, problem=answer.problem, letters=letters)
        for letter_id in settled.letters:
            await self._dispatcher.ready("letter", letter_id)
        return settled.more

    def _letters(self, update: Update, person_id: str, notices: tuple[Reply, ...]) -> list[NewLetter]:
        bodies = [(reply.place, body) for reply in notices for body in self._outlet.letters(reply)]
        return [
            NewLetter(
                key=f"{CHANNEL}:{update.external_id}:{number}",
                channel=CHANNEL,
                person_id=person_id,
                body=body,
                place=place,
            )
            for number, (place, body) in enumerate(bodies)
        ]

    async def _failed(self, update: Update, problem: str) -> bool:
        if update.attempts < TRIES:
            await self._updates.again(update, FIRST_WAIT * 2 ** (update.attempts - 1), counted=True, problem=problem)
            return False
        answer = Answer(state="dead", problem=problem)
        person = await self._visitors.known(int(update.lane.partition(":")[2]))
        if person is not None and update.kind == "message":
            sorry = Reply(place=update.lane.partition(":")[2], text=words.FAILED, author="notice", apology=True)
            answer = Answer(state="dead", problem=problem, person_id=person.id, notices=(sorry,))
        return await self._settle(update, answer)

    @asynccontextmanager
    async def _kept(self, update: Update) -> AsyncGenerator[None]:
        """Hold the lease while the update is worked on, and give up what never ends."""
        keeping = asyncio.create_task(self._keep(update), name=f"lease-{update.external_id}")
        try:
            async with asyncio.timeout(TOO_LONG):
                yield
        finally:
            keeping.cancel()

    async def _keep(self, update: Update) -> None:
        while True:
            await self._clock.sleep(LEASE / 3)
            with contextlib.suppress(StoreUnavailable):  # the next renewal may find it again before the lease runs out
                if not await self._updates.renew(update, LEASE):
                    return
