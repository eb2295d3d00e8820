"""How the bot behaves towards other bots, and where nobody knows whether it was heard."""

from pathlib import Path

from frontdesk.channels.telegram import words
from frontdesk.testing.telegram import Fault
from frontdesk.testing.upstream import Reply
from tests.channels.telegram.test_desk import bot_desk


async def test_a_bot_that_answers_always_leaves_other_bots_their_commands(tmp_path: Path) -> None:
    async with bot_desk(tmp_path, model=[Reply(text="Hi.")], settings={"telegram.groups": "always"}) as bot:
        for text in ("/help@other_bot", "/ban"):
            bot.telegram.say(-5, text, sender=8)
        assert "Hi." in (await bot.ask(-5, "Hello", sender=8)).text
        assert (await bot.ask(-5, "/help", sender=8)).text == words.HELP_IN_GROUP
        await bot.idle()
        assert len(bot.telegram.to(-5)) == 2


async def test_an_export_that_may_have_arrived_is_not_sent_again_unasked(tmp_path: Path) -> None:
    async with bot_desk(tmp_path) as bot:
        bot.telegram.fail(Fault(status=500, taken=True, method="sendDocument"))
        bot.telegram.say(7, "/export")
        assert (await bot.next(7, 0)).file_name == "my-data.json"
        assert (await bot.next(7, 1)).text == words.EXPORT_UNCLEAR
        await bot.idle()
        assert len(bot.telegram.to(7)) == 2
