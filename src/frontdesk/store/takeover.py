"""Taking a conversation over from the desk, answering in its place, and giving it back.

A takeover always wins. It is two transactions. The first states the wish: it names the holder and ends the open turns,
so that from its commit on no turn of the conversation can write and no letter of the desk can be claimed (`Turns` and
`Outbox` see to that). The second withdraws the letters that still wait and, once nothing of the desk is on its way to
the channel any more, dates the takeover (`held_at`) and says in the conversation who has joined.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Literal, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.ext.asyncio import AsyncConnection

from frontdesk.errors import Conflict, NotHolder
from frontdesk.events import Inbound
from frontdesk.messages import Person
from frontdesk.outgoing import Button, Reply
from frontdesk.ports import Clock, Ids, Outlet
from frontdesk.store import words
from frontdesk.store.conversations import Conversation, conversations, find, messages
from frontdesk.store.database import Database
from frontdesk.store.inbox import set_aside
from frontdesk.store.outbox import NewLetter, outbox, put
from frontdesk.store.people import people
from frontdesk.store.places import shut_places
from frontdesk.store.surveys import SCORES, ask
from frontdesk.store.turns import TICK, turns
from frontdesk.telemetry import metrics

JOINED = "{name} has joined"
RELIEVED = "{name} has joined in place of {before}"
LEFT = "{name} has left; the desk answers again"
CLOSED = "{name} has closed the conversation"
HOW_WAS_IT = "How content were you with this conversation, from 1 (not at all) to 5 (very)?"

T = TypeVar("T")

GLANCE = 0.05  # seconds between two looks whether the desk's last letter has ended


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What an act leaves to be told: whose conversation changed, and the rows that are ready to be worked on.

    `counted` names it among the takeovers that metrics count.
    """

    conversation_id: str
    person_id: str
    message_id: str | None = None
    letters: tuple[str, ...] = ()
    turn_id: str | None = None
    counted: Literal["taken", "returned", "closed"] | None = None


class Takeover:
    """The acts of the team on conversations.

    `outlets` are the channels, by name, that are written to by letters; `pages` those that read the conversation.
    Elsewhere nothing would bring a person's words, so such a conversation cannot be taken.
    """

    def __init__(
        self, database: Database, clock: Clock, ids: Ids, outlets: Mapping[str, Outlet], *, pages: Collection[str]
    ) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._outlets = outlets
        self._pages = pages

    async def take(self, conversation_id: str, operator: Person) -> Done:
        """Answer in the desk's place, or in that of a colleague: the last one who takes it has it.

        Returns when the takeover is made: nothing that the desk wrote can reach the person any more. A letter that is
        on its way at this moment is waited for, at most until its lease ends; then it counts as `unknown`.
        Raises `NotFound`; `Conflict` when a colleague took it meanwhile, or where no person's answer would arrive.
        """
        before = await self._commit(conversation_id, lambda act: self._wish(act, operator))
        while (done := await self._commit(conversation_id, lambda act: _join(act, operator, before))) is None:
            await self._clock.sleep(GLANCE)
        return done

    async def reply(self, conversation_id: str, operator: Person, text: str, key: str | None = None) -> Done:
        """Say something to the person. The same `key` with the same text is the same message.

        A takeover that a crash has left half made is made first.

        Raises `NotFound`, `NotHolder`; `Conflict` when the key came with another text before, or when no word arrives
        there any more.
        """
        message_id = self._ids.new("msg") if key is None else _message_id(conversation_id, operator.id, key)

        async def work(act: "Act") -> Done | None:
            return await _reply(act, operator, text, message_id)

        joined: tuple[str, ...] = ()
        while (done := await self._commit(conversation_id, work)) is None:
            joined = (await self.take(conversation_id, operator)).letters
        return replace(done, letters=(*joined, *done.letters))

    async def hand_back(
        self, conversation_id: str, operator: Person, *, answer: bool = False, close: bool = False, survey: bool = False
    ) -> Done:
        """Let the desk answer again.

        With `answer` it answers what the person said last, if nobody has; with `close` the conversation ends here; with
        `survey` the person is asked how it was. Raises `NotFound`, `NotHolder`.
        """

        async def work(act: "Act") -> Done:
            _holds(act.conversation, operator)
            return await _leave(act, operator, answer=answer, close=close, survey=survey)

        return await self._commit(conversation_id, work)

    async def set_status(
        self, conversation_id: str, operator: Person, status: Literal["open", "closed"], *, survey: bool = False
    ) -> Done:
        """Close the conversation, or open it again. Raises `NotFound`; `NotHolder` while a colleague has it."""

        async def work(act: "Act") -> Done:
            if act.conversation.held_by is not None:
                _holds(act.conversation, operator)
                if status == "closed":
                    return await _leave(act, operator, answer=False, close=True, survey=survey)
            if survey:
                await act.survey(operator)
            closed_at = act.now if status == "closed" else None
            return await act.end(status=status, closed_at=closed_at, waiting_since=None)

        return await self._commit(conversation_id, work)

    async def assign(self, conversation_id: str, person_id: str | None) -> Done:
        """Say whose care it is, or nobody's. Raises `NotFound`, `Conflict` for somebody who is not of the team."""

        async def work(act: "Act") -> Done:
            if person_id is not None and await _name(act.connection, person_id, team=True) is None:
                raise Conflict("Only operators and owners take care of conversations", where="person_id")
            return await act.end(assigned_to=person_id)

        return await self._commit(conversation_id, work)

    async def _wish(self, act: "Act", operator: Person) -> str | None:
        """Name the holder and end the open turns; returns the name of the colleague who had the conversation before."""
        held_by, channel = act.conversation.held_by, act.conversation.channel
        if held_by == operator.id:
            return None
        if channel not in self._pages and channel not in self._outlets:
            raise Conflict("A program reads this conversation, so nobody can answer in it", where=act.conversation.id)
        act.check_place()
        act.head_id = await set_aside(act.connection, act.conversation, "held", act.now)
        unanswered = await _unanswered(act)
        since = act.conversation.waiting_since or (None if unanswered is None else unanswered.created_at)
        await act.end(held_by=operator.id, held_at=None, status="open", closed_at=None, waiting_since=since)
        return None if held_by is None else await _name(act.connection, held_by)

    async def _commit(self, conversation_id: str, work: "Callable[[Act], Awaitable[T]]") -> T:
        async def transaction(connection: AsyncConnection) -> T:
            conversation = await find(connection, conversation_id, None, locked=True)
            return await work(Act(connection, conversation, self._clock.now(), self._ids, self._outlets))

        done = await self._database.commit(transaction)
        if isinstance(done, Done) and done.counted:
            metrics.takeovers.labels(done.counted).inc()
        return done


class Act:
    """One act upon a conversation, in one transaction: what is said in it stands in the order of saying."""

    def __init__(
        self,
        connection: AsyncConnection,
        conversation: Conversation,
        now: datetime,
        ids: Ids,
        outlets: Mapping[str, Outlet],
    ) -> None:
        self.connection = connection
        self.conversation = conversation
        self.now = max(now, conversation.updated_at + TICK)
        self.head_id = conversation.head_id
        self._ids = ids
        self._outlet = outlets.get(conversation.channel)
        self._letters: list[str] = []

    def check_place(self) -> None:
        """Raise `Conflict` where letters bring what is said, and the chat leads to this conversation no more."""
        if self._outlet is not None and not self.conversation.place:
            raise Conflict(
                "This chat goes on in another conversation, so nothing that is said here arrives",
                where=self.conversation.id,
                hint="Open the person's newest conversation.",
            )

    async def check_open(self) -> None:
        """Raise `Conflict` where what is said would not arrive: see `check_place`, or the chat is shut."""
        self.check_place()
        chat = (self.conversation.place or "").partition("/")[0]
        spoke = sa.exists().where(  # who has written since has opened it again
            messages.c.conversation_id == self.conversation.id,
            messages.c.role == "user",
            messages.c.created_at > shut_places.c.since,
        )
        query = sa.select(shut_places.c.place).where(
            shut_places.c.channel == self.conversation.channel, shut_places.c.place == chat, ~spoke
        )
        if self._outlet is not None and (await self.connection.execute(query)).first() is not None:
            raise Conflict(
                "This chat takes nothing from the desk any more: the bot was blocked, or thrown out",
                where=self.conversation.id,
                hint="Reach the person in another way, or wait until they write again.",
            )

    async def say(
        self,
        text: str,
        author: Person,
        *,
        as_notice: bool = False,
        message_id: str | None = None,
        reply_to: str | None = None,
    ) -> str:
        """Write a message of the team after the last one, and the letters that bring it; returns its id."""
        message_id = message_id or self._ids.new("msg")
        row = self._row(message_id, "notice" if as_notice else "assistant", state="complete")
        await self.connection.execute(messages.insert(), row | {"text": text, "author_id": author.id})
        await words.index(self.connection, self.conversation.id, message_id, text)
        self.head_id = message_id
        kind = "notice" if as_notice else "person"
        reply = Reply(
            place=self.conversation.place or "",
            text=text,
            author=kind,
            author_name=author.name,
            reply_to=reply_to,
            message_id=message_id,
        )
        await self._send(reply, message_id)
        return message_id

    async def survey(self, author: Person) -> None:
        """Ask the person how it was: on a page by a row, on other channels by a letter with buttons."""
        survey_id = await ask(self.connection, self._ids, self.now, self.conversation, author.id)
        buttons = tuple(Button(label=str(score), action=f"csat:{survey_id}:{score}") for score in SCORES)
        reply = Reply(place=self.conversation.place or "", text=HOW_WAS_IT, author="notice", buttons=buttons)
        await self._send(reply, self._ids.new("asked"))

    async def queue(self, message_id: str, inbound: Inbound) -> str:
        """Have the desk answer the message after all, below what was said last; returns the new turn's id."""
        turn_id, reply_id = self._ids.new("turn"), self._ids.new("msg")
        reply = self._row(reply_id, "assistant", state="running")
        await self.connection.execute(messages.insert(), reply | {"turn_id": turn_id, "text": ""})
        turn = {"id": turn_id, "conversation_id": self.conversation.id, "person_id": self.conversation.person_id}
        turn |= {"message_id": message_id, "reply_id": reply_id, "created_at": self.now}
        await self.connection.execute(turns.insert(), turn | {"inbound": inbound, "state": "queued"})
        self.head_id = reply_id
        return turn_id

    async def silence(self) -> None:
        """Withdraw what the desk has written and nobody has taken to send yet."""
        waiting = self._of_the_desk().where(outbox.c.state == "waiting")
        await self.connection.execute(waiting.values(state="withdrawn", settled_at=self.now))

    async def desk_is_sending(self) -> bool:
        """Whether a letter of the desk is on its way. One whose sender is gone becomes `unknown` here."""
        sending = self._of_the_desk().where(outbox.c.state == "sending")
        left = sending.where(outbox.c.due_at <= self.now).values(
            state="unknown", settled_at=self.now, problem="its sender ended in the middle", fence=outbox.c.fence + 1
        )
        await self.connection.execute(left)
        query = sa.select(outbox.c.id).where(
            outbox.c.conversation_id == self.conversation.id, outbox.c.machine, outbox.c.state == "sending"
        )
        return (await self.connection.execute(query.limit(1))).scalar_one_or_none() is not None

    async def end(self, **values: object) -> Done:
        """Write the conversation's own row, and say what is to be told."""
        if self.head_id != self.conversation.head_id:
            values |= {"head_id": self.head_id, "updated_at": self.now}
        change = conversations.update().where(conversations.c.id == self.conversation.id)
        await self.connection.execute(change.values(values))
        return Done(
            conversation_id=self.conversation.id,
            person_id=self.conversation.person_id,
            letters=tuple(self._letters),
        )

    def nothing(self) -> Done:
        """Nothing was to be done."""
        return Done(conversation_id=self.conversation.id, person_id=self.conversation.person_id)

    def _row(self, message_id: str, role: str, *, state: str) -> dict[str, object]:
        self.now += TICK
        return {
            "id": message_id,
            "conversation_id": self.conversation.id,
            "person_id": self.conversation.person_id,
            "parent_id": self.head_id,
            "role": role,
            "state": state,
            "created_at": self.now,
        }

    def _of_the_desk(self) -> sa.Update:
        return outbox.update().where(outbox.c.conversation_id == self.conversation.id, outbox.c.machine)

    async def _send(self, reply: Reply, key: str) -> None:
        if self._outlet is None or not reply.place:
            return
        for number, body in enumerate(self._outlet.letters(reply)):
            self.now += TICK
            letter = NewLetter(
                key=f"said:{key}:{number}",
                channel=self.conversation.channel,
                person_id=self.conversation.person_id,
                body=body,
                place=reply.place,
                conversation_id=self.conversation.id,
                message_id=reply.message_id,
                machine=False,
            )
            self._letters.append(await put(self.connection, self._ids, self.now, letter))


# --- the steps of the acts ------------------------------------------------------


async def _join(act: Act, operator: Person, before: str | None) -> Done | None:
    """Make the takeover, or None while a letter of the desk is on its way."""
    if act.conversation.held_by != operator.id:
        raise Conflict("A colleague has taken this conversation meanwhile", where=act.conversation.id)
    if act.conversation.held_at is not None:
        return act.nothing()
    await act.silence()
    if await act.desk_is_sending():
        return None
    said = JOINED.format(name=operator.name) if before is None else RELIEVED.format(name=operator.name, before=before)
    await act.say(said, operator, as_notice=True)
    return replace(await act.end(held_at=act.now), counted="taken")


async def _reply(act: Act, operator: Person, text: str, message_id: str) -> Done | None:
    """Say it, or None while the takeover is only wished for."""
    known = sa.select(messages.c.text).where(messages.c.id == message_id)
    said = (await act.connection.execute(known)).scalar_one_or_none()
    if said is not None:
        if said != text:
            raise Conflict("This idempotency key was used for another message", hint="Use a new key for a new message.")
        return replace(act.nothing(), message_id=message_id)
    _holds(act.conversation, operator)
    if act.conversation.held_at is None:
        return None
    await act.check_open()
    await act.silence()
    asked = await _unanswered(act)
    await act.say(text, operator, message_id=message_id, reply_to=None if asked is None else asked.external_id)
    return replace(await act.end(last_from="operator", waiting_since=None), message_id=message_id)


async def _leave(act: Act, operator: Person, *, answer: bool, close: bool, survey: bool) -> Done:
    await act.silence()
    asked = await _unanswered(act) if answer and not close else None
    await act.say((CLOSED if close else LEFT).format(name=operator.name), operator, as_notice=True)
    if survey:
        await act.survey(operator)
    turn_id = None if asked is None else await act.queue(asked.message_id, asked.inbound)
    ended: dict[str, object] = {"status": "closed", "closed_at": act.now} if close else {}
    done = await act.end(held_by=None, held_at=None, waiting_since=None, **ended)
    return replace(done, turn_id=turn_id, counted="closed" if close else "returned")


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the person said last, as it came in."""

    message_id: str
    external_id: str | None
    created_at: datetime
    inbound: Inbound


async def _unanswered(act: Act) -> _Asked | None:
    """The message that ends the branch, notices aside, if it is the person's."""
    at = act.head_id
    while at is not None:
        row = (await act.connection.execute(sa.select(messages).where(messages.c.id == at))).one_or_none()
        if row is None or row.role == "assistant":
            return None
        if row.role == "user":
            query = sa.select(turns.c.inbound).where(turns.c.message_id == at).order_by(turns.c.created_at.desc())
            inbound = (await act.connection.execute(query.limit(1))).scalar_one_or_none()
            if inbound is None:
                return None
            return _Asked(message_id=at, external_id=row.external_id, created_at=row.created_at, inbound=inbound)
        at = row.parent_id
    return None


def _holds(conversation: Conversation, operator: Person) -> None:
    if conversation.held_by != operator.id:
        raise NotHolder("You do not have this conversation", where=conversation.id)


async def _name(connection: AsyncConnection, person_id: str, *, team: bool = False) -> str | None:
    query = sa.select(people.c.name).where(people.c.id == person_id)
    if team:
        query = query.where(people.c.role.in_(("owner", "operator")), people.c.state == "active")
    return (await connection.execute(query)).scalar_one_or_none()


def _message_id(conversation_id: str, operator_id: str, key: str) -> str:
    """A message's id that follows from its key, so that the primary key knows a repetition."""
    return "msg_" + sha256(f"{conversation_id}\0{operator_id}\0{key}".encode()).hexdigest()[:32]
