"""A whole desk on Telegram: people write, and get their answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from frontdesk.channels.telegram import words
from frontdesk.messages import Role
from frontdesk.store.places import shut_places
from frontdesk.store.updates import updates
from frontdesk.testing.desk import FROM_A_PAGE, Replies, ServedDesk, served_desk
from frontdesk.testing.serve import serve
from frontdesk.testing.telegram import PNG, FakeTelegram, Fault, Sent, running_telegram
from frontdesk.testing.upstream import Received, Reply

QUICK = {
    "telegram.typing.simulated": False,
    "telegram.previews": False,
    "telegram.rates.chat_per_second": 100,
    "telegram.rates.all_per_second": 1000,
}
HOOK = {"telegram.mode": "webhook", "telegram.webhook_url": "https://desk.example/webhook"}


@dataclass
class Bot:
    """The desk, and Telegram round it."""

    telegram: FakeTelegram
    served: ServedDesk

    async def ask(self, chat: int, text: str, **more: int) -> Sent:
        """What the bot answers."""
        before = len(self.telegram.to(chat))
        self.telegram.say(chat, text, **more)
        return await self.next(chat, before)

    async def next(self, chat: int, before: int) -> Sent:
        """The message after the first `before` ones in this chat."""
        await self.telegram.until(lambda: len(self.telegram.to(chat)) > before)
        return self.telegram.to(chat)[before]

    async def idle(self) -> None:
        """All updates are settled, and nothing is left to do."""
        store = self.served.desk.store
        await self.telegram.until(lambda: not self.telegram.posting.pending)
        while await store.updates.due() or self.served.desk.work.backlog:  # noqa: ASYNC110 rows tell nobody
            await asyncio.sleep(0.02)

    async def rows(self, **where: str) -> int:
        """How many rows of updates are like this."""
        query = (
            sa.select(sa.func.count())
            .select_from(updates)
            .where(*(updates.c[name] == is_ for name, is_ in where.items()))
        )
        async with self.served.desk.store.database.read() as connection:
            return (await connection.execute(query)).scalar_one()

    def prompts(self) -> list[str]:
        """What the model was asked, newest last: the last message of each prompt."""
        return [str(json.loads(each.body)["messages"][-1]["content"]) for each in self.served.upstream.received]


@asynccontextmanager
async def bot_desk(
    home: Path,
    *,
    model: Replies = (),
    settings: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
) -> AsyncGenerator[Bot]:
    """A desk that polls the stand-in."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(running_telegram())
        named = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url} | dict(variables or {})
        served = await stack.enter_async_context(
            served_desk(home, model=model, settings=QUICK | dict(settings or {}), variables=named)
        )
        yield Bot(telegram, served)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncGenerator[Bot]:
    async with bot_desk(tmp_path, model=[Reply(text="We open at nine.")]) as bot:
        yield bot


@pytest.mark.proves("conversation-1")
async def test_a_post_to_the_webhook_gets_one_reply_in_the_right_chat(tmp_path: Path) -> None:
    async with bot_desk(tmp_path, model=[Reply(text="We open at nine.")], settings=HOOK) as bot:
        await bot.telegram.until(lambda: bool(bot.telegram.posting.url))
        assert bot.telegram.posting.url == "https://desk.example/webhook"
        bot.telegram.posting.url = f"{bot.served.address}/webhook"  # where that name would lead
        bot.telegram.say(8, "Hello")
        sent = await bot.ask(7, "When do you open?")
        assert "nine" in sent.text
        await bot.telegram.replies(8, 1)
        await bot.idle()
        assert [len(bot.telegram.to(chat)) for chat in (7, 8)] == [1, 1]
        assert await bot.telegram.posting.post(b"{}", secret="wrong") == 401


async def test_the_bots_commands_are_told_to_telegram(bot: Bot) -> None:
    await bot.telegram.until(lambda: bool(bot.telegram.world.commands))
    assert [command["command"] for command in bot.telegram.world.commands] == [name for name, _ in words.COMMANDS]


async def test_start_and_help_tell_what_there_is(bot: Bot) -> None:
    assert "How can I help?" in (await bot.ask(7, "/start")).text
    assert "/forget" in (await bot.ask(7, "/help")).text
    assert (await bot.ask(7, "/dance")).text == words.UNKNOWN_COMMAND
    assert bot.prompts() == []


async def test_reset_begins_a_new_conversation(bot: Bot) -> None:
    await bot.ask(7, "I want twelve plums")
    assert (await bot.ask(7, "/reset")).text == words.NEW_CONVERSATION
    await bot.ask(7, "How many?")
    history = json.loads(bot.served.upstream.received[-1].body)["messages"]
    assert "twelve plums" not in json.dumps(history)
    person = await bot.served.desk.store.people.by_identity("telegram", "7")
    assert person is not None
    found, _ = await bot.served.desk.store.conversations.page(person.id)
    assert [(each.place, each.status) for each in found] == [("7", "open"), (None, "closed")]


async def test_a_reset_ends_the_reply_that_is_being_made(tmp_path: Path) -> None:
    asked, thinking = asyncio.Event(), asyncio.Event()

    def reply(received: Received) -> Reply:
        if "pears" in received.body.decode():
            return Reply(text="None that I know of.")
        asked.set()
        return Reply(pieces=("Twelve", " plums."), hold=thinking)

    async with bot_desk(tmp_path, model=reply) as bot:
        bot.telegram.say(7, "How many plums?")
        await asked.wait()
        assert (await bot.ask(7, "/reset")).text == words.NEW_CONVERSATION
        thinking.set()
        assert "None" in (await bot.ask(7, "And pears?")).text
        await bot.idle()
        assert len(bot.telegram.to(7)) == 2
        store = bot.served.desk.store
        assert await store.turns.count("merged") == 1
        person = await store.people.by_identity("telegram", "7")
        assert person is not None
        [_, left], _ = await store.conversations.page(person.id)
        assert [each.text for each in await store.conversations.messages(left.id)] == ["How many plums?"]


@pytest.mark.proves("conversation-13")
async def test_export_gives_people_their_data_and_forget_removes_it(bot: Bot) -> None:
    await bot.ask(7, "My secret is plum")
    bot.telegram.say(7, "/export")
    document = await bot.next(7, 1)
    assert document.file_name == "my-data.json"
    data = json.loads(document.file or b"")
    assert "My secret is plum" in json.dumps(data["conversations"])
    assert "password_hash" not in data["person"]
    question = await bot.ask(7, "/forget")
    assert question.text == words.FORGET_SURE
    kept = bot.telegram.press(question, words.FORGET_NO)
    await bot.telegram.until(lambda: bot.telegram.world.answered[kept] == words.FORGET_KEPT)
    assert await bot.served.desk.store.people.by_identity("telegram", "7") is not None
    question = await bot.ask(7, "/forget")
    pressed = bot.telegram.press(question, words.FORGET_YES)
    await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.FORGOTTEN)
    assert question.text == words.FORGOTTEN
    await bot.idle()
    store = bot.served.desk.store
    assert await store.people.by_identity("telegram", "7") is None
    assert await bot.rows(lane="telegram:7") == 0
    files = [file.read_bytes() for file in store_files(bot)]
    assert not any(b"plum" in content for content in files)


def store_files(bot: Bot) -> list[Path]:
    return [file for file in bot.served.desk.system.home.rglob("*") if file.is_file()]


async def test_an_old_question_erases_nothing_and_nobody_else_can_answer_it(tmp_path: Path) -> None:
    async with bot_desk(tmp_path) as bot:
        question = await bot.ask(7, "/forget")
        late = question.buttons[0].data.replace(question.buttons[0].data.split(":")[1], "1")
        question.buttons = (type(question.buttons[0])("Erase everything", late),)
        pressed = bot.telegram.press(question)
        await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.FORGET_LATE)
        question = await bot.ask(7, "/forget")
        pressed = bot.telegram.press(question, sender=8)
        await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.ONLY_ALONE)
        assert await bot.served.desk.store.people.by_identity("telegram", "7") is not None


async def test_typing_can_be_turned_off(bot: Bot) -> None:
    assert (await bot.ask(7, "/typing off")).text == words.TYPING_OFF
    person = await bot.served.desk.store.people.by_identity("telegram", "7")
    assert person is not None
    found, _ = await bot.served.desk.store.conversations.page(person.id)
    assert [each.quick for each in found] == [True]
    assert (await bot.ask(7, "/reset")).text == words.NEW_CONVERSATION
    found, _ = await bot.served.desk.store.conversations.page(person.id)
    assert [each.quick for each in found] == [True, True]
    assert (await bot.ask(7, "/typing on")).text == words.TYPING_ON
    assert (await bot.ask(7, "/typing")).text == words.TYPING_HOW


async def test_a_code_connects_the_chat_with_an_account(bot: Bot) -> None:
    ann = await bot.served.client(name="Ann")
    await bot.ask(7, "I like plums")
    links = bot.served.desk.store.links
    me = (await ann.get("/api/v1/me")).json()["person"]["id"]
    code, _ = await links.offer(me, "web")
    assert (await bot.ask(7, f"/link {code}")).text == words.LINKED
    mine = (await ann.get("/api/v1/conversations")).json()["items"]
    assert [each["title"] for each in mine] == ["I like plums"]
    assert "wrong" in (await bot.ask(8, "/link ABCD-EFGH")).text
    assert "code is" in (await bot.ask(8, "/link")).text


async def test_in_a_group_the_bot_answers_when_it_is_meant(bot: Bot) -> None:
    bot.telegram.say(-5, "Lunch?", sender=7)
    named = await bot.ask(-5, "@Desk_bot, when do you open?", sender=7)
    assert "nine" in named.text
    assert named.reply_to is not None
    bot.telegram.say(-5, "Thanks", sender=8, reply_to=named)
    await bot.next(-5, 1)
    assert (await bot.ask(-5, "/help@desk_bot", sender=8)).text == words.HELP_IN_GROUP
    bot.telegram.say(-5, "/help@other_bot", sender=8)
    assert (await bot.ask(-5, "/forget@desk_bot", sender=8)).text == words.ONLY_ALONE
    bot.telegram.say(-5, "/ban", sender=8)
    await bot.idle()
    assert len(bot.telegram.to(-5)) == 4, "a command that the bot does not know is another bot's, unless it is named"
    assert (await bot.ask(-5, "/ban@desk_bot", sender=8)).text == words.UNKNOWN_COMMAND
    assert [prompt.splitlines()[-1] for prompt in bot.prompts()] == ["Person 7: when do you open?", "Person 8: Thanks"]
    person = await bot.served.desk.store.people.by_identity("telegram", "-5")
    assert person is not None
    assert person.name == "Group 5"


@pytest.mark.proves("abuse-10")
async def test_a_username_that_changed_hands_gives_nothing(bot: Bot) -> None:
    bot.telegram.chat(7, username="ada")
    await bot.ask(7, "My secret is plum")
    bot.telegram.chat(7).username = ""
    bot.telegram.chat(8, username="ada")
    await bot.ask(8, "What is my secret?")
    assert "plum" not in bot.served.upstream.received[-1].body.decode()
    first, second = [await bot.served.desk.store.people.by_identity("telegram", each) for each in ("7", "8")]
    assert first is not None
    assert second is not None
    assert first.id != second.id
    assert await bot.served.desk.store.people.by_identity("telegram", "ada") is None


async def test_who_writes_too_fast_is_told_once_and_others_are_not_held_up(bot: Bot) -> None:
    for number in range(40):
        bot.telegram.say(7, str(number))
    assert "nine" in (await bot.ask(8, "Hello")).text
    await bot.idle()
    assert bot.telegram.texts(7).count(words.TOO_FAST) == 1
    assert await bot.rows(state="refused", problem="rate_limited") == 20
    assert len(bot.telegram.to(7)) >= 2


@pytest.mark.parametrize(
    "content",
    [
        {"sticker": {"file_id": "x"}},
        {"location": {"latitude": 1.0, "longitude": 2.0}},
        {"contact": {"phone_number": "1", "first_name": "A"}},
        {"poll": {"id": "1", "question": "?"}},
        {"dice": {"emoji": "🎲", "value": 3}},
        {"text": ""},
        {"text": " \x00 "},
    ],
)
async def test_what_cannot_be_read_gets_a_kind_answer(bot: Bot, content: dict[str, object]) -> None:
    bot.telegram.send(7, content)
    assert (await bot.next(7, 0)).text == words.NOTHING_TO_READ


async def test_pictures_are_refused_kindly_where_no_model_sees(bot: Bot) -> None:
    assert not bot.served.desk.models.facts.images
    bot.telegram.photo(7)
    assert (await bot.next(7, 0)).text == words.NO_PICTURES
    bot.telegram.photo(7, caption="When do you open?")
    await bot.telegram.replies(7, 3)
    assert sorted(bot.telegram.texts(7)) == sorted([words.NO_PICTURES, words.NO_PICTURES, "We open at nine."])


async def test_a_model_that_sees_is_given_pictures(tmp_path: Path) -> None:
    model = {"name": "sees", "wire": "scripted", "model": "x"}
    async with bot_desk(tmp_path, settings={"models.list": [model], "models.order": ["sees"]}) as bot:
        assert bot.served.desk.models.facts.images
        bot.telegram.photo(7)
        assert "scripted model" in (await bot.next(7, 0)).text
        person = await bot.served.desk.store.people.by_identity("telegram", "7")
        assert person is not None
        assert [file.media_type for file in await bot.served.desk.store.files.of(person.id)] == ["image/jpeg"]


async def test_an_album_is_one_message(bot: Bot) -> None:
    bot.telegram.album(7, [PNG, PNG, PNG], caption="Three of them")
    await bot.next(7, 0)
    await bot.idle()
    person = await bot.served.desk.store.people.by_identity("telegram", "7")
    assert person is not None
    (conversation,), _ = await bot.served.desk.store.conversations.page(person.id)
    said = await bot.served.desk.store.conversations.messages(conversation.id)
    assert [message.text for message in said if message.role == "user"] == ["Three of them"]
    assert await bot.rows(state="done") == 3


async def test_documents_are_read(bot: Bot) -> None:
    bot.telegram.document(7, b"Plums cost two euros.", "prices.txt", caption="What do plums cost?")
    await bot.next(7, 0)
    assert "Plums cost two euros." in bot.prompts()[-1]
    bot.telegram.document(7, b"MZ", "game.exe", "application/x-msdownload")
    assert "cannot read this kind" in (await bot.next(7, 1)).text


async def test_a_file_that_is_too_large_is_refused_kindly(tmp_path: Path) -> None:
    async with bot_desk(tmp_path, settings={"telegram.largest_file": 1000}) as bot:
        bot.telegram.document(7, b"x" * 2000, "long.txt")
        assert "too large" in (await bot.next(7, 0)).text
        bot.telegram.world.files["lies"] = ("lies", b"x" * 2000)
        bot.telegram.send(7, {"document": {"file_id": "lies", "file_size": 10, "file_name": "a.txt"}})
        assert "too large" in (await bot.next(7, 1)).text
        bot.telegram.send(7, {"document": {"file_id": "gone", "file_name": "a.txt"}})
        assert (await bot.next(7, 2)).text == words.NOT_FETCHED


async def test_voice_notes_are_refused_kindly_where_nobody_writes_them_down(bot: Bot) -> None:
    bot.telegram.voice(7)
    assert (await bot.next(7, 0)).text == words.NO_VOICE
    bot.telegram.file(7, "video")
    assert (await bot.next(7, 1)).text == words.NO_VIDEO


async def test_a_changed_message_is_heard_again(bot: Bot) -> None:
    written = bot.telegram.say(7, "When do you clothe?")
    await bot.next(7, 0)
    bot.telegram.edit(written, "When do you close?")
    await bot.next(7, 1)
    assert bot.prompts()[-1].endswith("(edited) When do you close?")


async def test_thumbs_are_kept(bot: Bot) -> None:
    sent = await bot.ask(7, "When do you open?")
    pressed = bot.telegram.press(sent, "👎")
    await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.THANKS_DOWN)
    assert await bot.served.desk.store.feedback.unhappy() == 1
    forged = Sent(7, sent.id, "sendMessage", "", 0, buttons=(type(sent.buttons[0])("👍", "up:msg_of_somebody"),))
    pressed = bot.telegram.press(forged)
    await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.PRESS_TOO_OLD)


async def test_who_blocks_the_bot_is_remembered(bot: Bot) -> None:
    await bot.ask(7, "Hello")
    bot.telegram.block(7)
    await bot.idle()
    assert await shut(bot) == ["7"]
    bot.telegram.block(7, blocked=False)
    await bot.idle()
    assert await shut(bot) == []
    assert "nine" in (await bot.ask(7, "Hello again")).text


async def shut(bot: Bot) -> list[str]:
    """The chats that have shut the bot out."""
    async with bot.served.desk.store.database.read() as connection:
        return list((await connection.execute(sa.select(shut_places.c.place))).scalars())


async def test_a_group_keeps_its_conversation_when_it_becomes_a_supergroup(bot: Bot) -> None:
    await bot.ask(-5, "@desk_bot hello", sender=7)
    bot.telegram.migrate(-5, -1005)
    await bot.ask(-1005, "@desk_bot hello again", sender=7)
    person = await bot.served.desk.store.people.by_identity("telegram", "-1005")
    assert person is not None
    found, _ = await bot.served.desk.store.conversations.page(person.id)
    assert [each.place for each in found] == ["-1005"]
    assert "hello" in bot.served.upstream.received[-1].body.decode()


async def test_topics_are_conversations_of_their_own(bot: Bot) -> None:
    first = await bot.ask(-5, "@desk_bot hello", sender=7, thread=11)
    second = await bot.ask(-5, "@desk_bot hello", sender=7, thread=12)
    assert (first.thread, second.thread) == (11, 12)


async def test_somebody_who_is_blocked_at_the_desk_is_not_answered(bot: Bot) -> None:
    await bot.ask(7, "Hello")
    person = await bot.served.desk.store.people.by_identity("telegram", "7")
    assert person is not None
    await bot.served.desk.store.people.change(person.id, state="blocked")
    bot.telegram.say(7, "Hello?")
    await bot.idle()
    assert len(bot.telegram.to(7)) == 1
    assert await bot.rows(state="refused", problem="blocked") == 1


async def test_nothing_of_what_was_said_stays_in_a_settled_update(bot: Bot) -> None:
    await bot.ask(7, "My secret is plum")
    await bot.idle()
    query = sa.select(updates.c.body, updates.c.lane, updates.c.state)
    async with bot.served.desk.store.database.read() as connection:
        rows = (await connection.execute(query)).all()
    assert rows == [("", "", "done")]


async def test_an_owner_is_asked_for_another_owner_first(bot: Bot) -> None:
    owner = await bot.served.client(role=Role.OWNER, name="Ida")
    me = (await owner.get("/api/v1/me", headers=FROM_A_PAGE)).json()["person"]["id"]
    await bot.served.desk.store.people.link(me, "telegram", "7")
    question = await bot.ask(7, "/forget")
    pressed = bot.telegram.press(question, words.FORGET_YES)
    await bot.telegram.until(lambda: bot.telegram.world.answered[pressed] == words.FORGET_OWNER)


@pytest.mark.proves("conversation-2")
async def test_the_same_update_at_once_at_two_instances_gets_one_reply(tmp_path: Path) -> None:
    """Two desks on one database, and the update is posted to both, three times each."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(
            bot_desk(tmp_path, model=[Reply(text="We open at nine.")], settings=HOOK)
        )
        variables = {"TELEGRAM_BOT_TOKEN": first.telegram.token, "TELEGRAM_API_URL": first.telegram.url}
        second = await stack.enter_async_context(
            served_desk(tmp_path, model=[Reply(text="We open at nine.")], settings=QUICK | HOOK, variables=variables)
        )
        posting = first.telegram.posting
        await first.telegram.until(lambda: bool(posting.secret))
        posting.held = True
        written = first.telegram.say(7, "When do you open?")
        body = posting.bodies[written.update_id]
        doors = [f"{address}/webhook" for address in (first.served.address, second.address)]
        assert await asyncio.gather(*(posting.post(body, url=url) for url in doors * 3)) == [200] * 6
        await first.next(7, 0)
        posting.pending.clear()
        await first.idle()
        await second.desk.work.drain(10)
        assert first.telegram.texts(7) == ["We open at nine."]
        assert await first.rows(state="done") == 1


@pytest.mark.proves("conversation-4")
async def test_the_webhook_answers_while_the_model_thinks(tmp_path: Path, size: Callable[[int, int], int]) -> None:
    """The model takes its time; 99 of 100 posts are answered within 200 ms (a second, while other tests run)."""
    count = size(20, 500)
    thinking = asyncio.Event()
    model = [Reply(pieces=("We open", " at nine."), hold=thinking)]
    async with bot_desk(tmp_path, model=model, settings=HOOK) as bot:
        posting = bot.telegram.posting
        await bot.telegram.until(lambda: bool(posting.secret))
        posting.url = f"{bot.served.address}/webhook"
        for chat in range(1, count + 1):
            bot.telegram.say(chat, "When do you open?")
            await asyncio.sleep(0.005)
        await bot.telegram.until(lambda: len(posting.delivered) == count, seconds=30)
        assert bot.telegram.sent == []
        thinking.set()
        slowest = sorted(seconds for _, _, seconds in posting.answers)[: max(1, count * 99 // 100)][-1]
        assert slowest < (0.2 if size(0, 1) else 1)
        await bot.telegram.until(lambda: len(bot.telegram.sent) == count, seconds=60)


async def test_a_voice_note_is_written_down(tmp_path: Path) -> None:
    async def hear(request: Request) -> Response:
        async with request.form() as form:
            assert form["model"] == "whisper-1"
        return JSONResponse({"text": "When do you open?"})

    ears = Starlette(routes=[Route("/v1/audio/transcriptions", hear, methods=["POST"])])
    async with serve(ears) as url:
        variables = {"TRANSCRIPTION_URL": f"{url}/v1"}
        async with bot_desk(tmp_path, model=[Reply(text="We open at nine.")], variables=variables) as bot:
            bot.telegram.voice(7)
            assert (await bot.next(7, 0)).text == "We open at nine."
            assert bot.prompts()[-1] == "When do you open?"


async def test_a_picture_waits_for_a_telegram_that_is_slow(tmp_path: Path) -> None:
    async with bot_desk(tmp_path, model=[Reply(text="We open at nine.")]) as bot:
        bot.telegram.fail(Fault(method="getFile", status=429, retry_after=1))
        bot.telegram.document(7, b"Plums cost two euros.", "prices.txt")
        await bot.next(7, 0)
        assert "Plums cost two euros." in bot.prompts()[-1]
