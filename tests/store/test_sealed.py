"""People's words lie sealed in both databases, open with every key of the ring, and with no other."""

import asyncio
import sqlite3
import subprocess
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from frontdesk.clock import RandomIds
from frontdesk.errors import WrongKey
from frontdesk.events import Inbound
from frontdesk.messages import Role
from frontdesk.store.conversations import Conversations, conversations, messages
from frontdesk.store.database import Database, metadata
from frontdesk.store.feedback import Feedback
from frontdesk.store.files import Files, files
from frontdesk.store.handoffs import Handoffs
from frontdesk.store.inbox import Inbox
from frontdesk.store.memories import Memories
from frontdesk.store.outbox import NewLetter, put
from frontdesk.store.people import People
from frontdesk.store.rotation import Step, columns, rotate, status
from frontdesk.store.sealed import SealedColumn
from frontdesk.testing.clock import FakeClock
from frontdesk.testing.keys import KEY, key_ring
from tests.servers import PostgresServer

OLD, NEW = KEY, "another key, of 32 characters ok"
CANARIES = ("canary-said-1", "canary-fact-2", "canary-file-3", "canary-name-4", "canary-handoff-5", "canary-mail-6")


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects that keep words, on one database."""

    database: Database
    person_id: str
    conversation_id: str
    file_id: str


async def live(database: Database, clock: FakeClock) -> Desk:
    """Somebody leaves a canary in everything that takes words."""
    ids = RandomIds()
    ann = await People(database, clock, ids).add(name="Ann", role=Role.MEMBER)
    accepted = await Inbox(database, clock, ids).accept(
        Inbound(channel="web", external_id="1", person_id=ann.id, text=f"My code is {CANARIES[0]}")
    )
    await Memories(database, clock, ids).add(ann.id, CANARIES[1], vector=CANARIES[1].encode(), message_id="m")
    file = await Files(database, clock, ids).add(ann.id, CANARIES[3], "text/plain", CANARIES[2].encode())
    await Handoffs(database, clock, ids, notice="webhook").leave(
        ann.id, accepted.conversation_id, CANARIES[4], CANARIES[5]
    )
    await Feedback(database, clock).give(ann.id, accepted.reply_id, -1, CANARIES[0])
    letter = NewLetter(key="k", channel="web", person_id=ann.id, body=CANARIES[0])
    await database.commit(lambda connection: put(connection, ids, clock.now(), letter))
    await Conversations(database, clock).keep_summary(accepted.conversation_id, CANARIES[0], accepted.message_id)
    return Desk(database=database, person_id=ann.id, conversation_id=accepted.conversation_id, file_id=file.id)


def written(url: str, server: PostgresServer) -> str:
    """Every byte that the database holds: its files, or its dump."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        return "".join(path.read_bytes().decode("latin-1") for path in file.parent.glob(f"{file.name}*"))
    dump = subprocess.run([server.binaries / "pg_dump", url], capture_output=True, text=True, check=True).stdout
    for canary in CANARIES:  # bytea is dumped in hexadecimal
        dump = dump.replace(canary.encode().hex(), canary)
    return dump


@pytest.mark.proves("conversation-12")
async def test_words_in_the_database_are_unreadable_without_the_key(
    database: Database, database_url: str, clock: FakeClock, postgres: PostgresServer
) -> None:
    await live(database, clock)
    text = written(database_url, postgres)
    assert "fd1$" in text
    assert [canary for canary in CANARIES if canary in text] == []


@pytest.mark.proves("conversation-12")
async def test_after_a_rotation_old_messages_read_and_the_old_key_is_needed_no_more(
    database: Database, database_url: str, clock: FakeClock
) -> None:
    desk = await live(database, clock)
    both = await Database.open(database_url, ring=key_ring(NEW, OLD))
    try:
        await reads(both, clock, desk)
        assert sum(each.older for each in await status(both)) > 8
        steps = [step async for step in rotate(both)]
        assert all(step.done == step.total for step in last_of_each(steps))
        assert [each.column for each in await status(both) if each.older or each.open] == []
    finally:
        await both.close()
    only_new = await Database.open(database_url, ring=key_ring(NEW))
    try:
        await reads(only_new, clock, desk)
        found, _ = await Conversations(only_new, clock).page(desk.person_id, query="canary")
        assert [conversation.id for conversation in found] == [desk.conversation_id], "the index has a key of its own"
    finally:
        await only_new.close()
    with pytest.raises(WrongKey):
        await Conversations(database, clock).messages(desk.conversation_id)


async def reads(database: Database, clock: FakeClock, desk: Desk) -> None:
    said = await Conversations(database, clock).messages(desk.conversation_id)
    assert said[0].text == f"My code is {CANARIES[0]}"
    ids = RandomIds()
    [memory] = await Memories(database, clock, ids).of(desk.person_id)
    assert (memory.text, memory.vector) == (CANARIES[1], CANARIES[1].encode())
    file, data = await Files(database, clock, ids).data(desk.person_id, desk.file_id)
    assert (file.name, data) == (CANARIES[3], CANARIES[2].encode())
    again = await Memories(database, clock, ids).add(desk.person_id, CANARIES[1])
    assert again.id == memory.id, "a fact stands once, though its text never looks the same"


def last_of_each(steps: list[Step]) -> list[Step]:
    return list({step.column: step for step in steps}.values())


async def test_a_rotation_that_is_cut_off_goes_on_where_it_was_and_overwrites_nothing(
    database: Database, database_url: str, clock: FakeClock
) -> None:
    ids, ann = RandomIds(), await People(database, clock, RandomIds()).add(name="Ann", role=Role.MEMBER)
    inbox = Inbox(database, clock, ids)
    for number in range(30):
        await inbox.accept(Inbound(channel="web", external_id=str(number), person_id=ann.id, text=f"Number {number}"))
    both = await Database.open(database_url, ring=key_ring(NEW, OLD))
    try:
        async for step in rotate(both, batch=7):
            if step.column == "messages.text" and step.done >= 7:
                break
        left = {each.column: each.older for each in await status(both)}
        assert 0 < left["messages.text"] < 60
        async for _ in rotate(both, batch=7):  # while others write
            await inbox.accept(Inbound(channel="web", external_id=ids.new("x"), person_id=ann.id, text="Meanwhile"))
        found, _ = await Conversations(both, clock).page(ann.id, limit=1_000)
        texts = [(await Conversations(both, clock).messages(each.id))[0].text for each in found]
        assert {f"Number {number}" for number in range(30)} < set(texts)
    finally:
        await both.close()


async def test_a_wrong_key_is_told_and_gives_no_garbage(
    database: Database, database_url: str, clock: FakeClock
) -> None:
    desk = await live(database, clock)
    for ring, reason in ((key_ring(NEW), "does not have the key"), (None, "without keys")):
        other = await Database.open(database_url, ring=ring)
        try:
            for asked in (
                Conversations(other, clock).messages(desk.conversation_id),
                Files(other, clock, RandomIds()).data(desk.person_id, desk.file_id),
                Memories(other, clock, RandomIds()).add(desk.person_id, "More"),
                Conversations(other, clock).page(desk.person_id, query="code"),
            ):
                with pytest.raises(WrongKey, match=reason) as told:
                    await asked
                assert "ENCRYPTION_KEY" in told.value.hint
        finally:
            await other.close()


async def test_a_value_that_was_changed_or_moved_does_not_open(database: Database, clock: FakeClock) -> None:
    desk = await live(database, clock)
    raw = sa.type_coerce(messages.c.text, sa.Text)

    async def move(connection: sa.ext.asyncio.AsyncConnection) -> None:
        said = (await connection.execute(sa.select(raw).where(messages.c.role == "user"))).scalar_one()
        await connection.execute(conversations.update().values(title=sa.literal(said, sa.Text)))
        change = said[:-8] + ("A" if said[-8] != "A" else "B") + said[-7:]
        await connection.execute(messages.update().values(text=sa.literal(change, sa.Text)))

    await database.commit(move)
    with pytest.raises(WrongKey, match="changed"):
        await Conversations(database, clock).messages(desk.conversation_id)
    with pytest.raises(WrongKey, match="changed"):
        await Conversations(database, clock).get(desk.conversation_id, desk.person_id)


async def test_text_from_before_its_column_was_sealed_is_read_and_sealed_by_a_rotation(
    database: Database, clock: FakeClock
) -> None:
    desk = await live(database, clock)

    async def unseal(connection: sa.ext.asyncio.AsyncConnection) -> None:
        await connection.execute(messages.update().values(text=sa.literal("open words", sa.Text)))
        await connection.execute(files.update().values(data=sa.literal(b"open bytes", sa.LargeBinary)))

    await database.commit(unseal)
    assert (await Conversations(database, clock).messages(desk.conversation_id))[0].text == "open words"
    assert sum(each.open for each in await status(database)) == 3
    async for _ in rotate(database):
        pass
    assert sum(each.open for each in await status(database)) == 0
    assert (await Conversations(database, clock).messages(desk.conversation_id))[0].text == "open words"
    _, data = await Files(database, clock, RandomIds()).data(desk.person_id, desk.file_id)
    assert data == b"open bytes"


def test_every_column_of_peoples_words_is_sealed() -> None:
    sealed = {column.type.place for column in columns() if isinstance(column.type, SealedColumn)}
    assert sealed >= {
        "messages.text",
        "messages.tools",
        "messages.citations",
        "conversations.title",
        "conversations.summary",
        "inbox.message",
        "turns.inbound",
        "turn_events.event",
        "outbox.body",
        "memories.text",
        "memories.vector",
        "handoffs.text",
        "handoffs.contact",
        "feedback.reason",
        "approvals.arguments",
        "files.name",
        "files.data",
    }
    assert all(str(column) == column.type.place for column in columns() if isinstance(column.type, SealedColumn))


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_no_sealed_value_is_written_twice_alike(database: Database, database_url: str, clock: FakeClock) -> None:
    ids, ann = RandomIds(), await People(database, clock, RandomIds()).add(name="Ann", role=Role.MEMBER)
    inbox = Inbox(database, clock, ids)
    await asyncio.gather(
        *(
            inbox.accept(Inbound(channel="web", external_id=str(number), person_id=ann.id, text="The same"))
            for number in range(50)
        )
    )
    connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
    stored = [row[0] for row in connection.execute("SELECT text FROM messages WHERE role = 'user'")]
    connection.close()
    assert len(set(stored)) == 50


def test_tables_of_the_store_are_all_known() -> None:
    assert {"messages", "words", "word_key"} <= set(metadata.tables)
