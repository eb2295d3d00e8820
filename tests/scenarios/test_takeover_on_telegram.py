"""A person of the team answers on Telegram: from the taking over to the score."""

import asyncio
from pathlib import Path

import httpx2

from frontdesk.channels.telegram import words
from frontdesk.messages import Role
from frontdesk.testing.desk import PATIENCE, served_desk
from frontdesk.testing.telegram import running_telegram
from frontdesk.testing.upstream import Reply

SETTINGS = {"telegram.typing.simulated": False, "telegram.previews": False, "telegram.rates.chat_per_second": 100}


async def test_a_person_joins_a_chat_answers_and_asks_how_it_was(tmp_path: Path) -> None:
    async with running_telegram() as telegram:
        variables = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        model = [Reply(text="We open at nine.")]
        async with served_desk(tmp_path, model=model, settings=SETTINGS, variables=variables) as served:
            olga = await served.client(Role.OPERATOR, "Olga")
            telegram.say(7, "When do you open?")
            await telegram.replies(7, 1)
            [line] = (await olga.get("/api/v1/console/inbox", params={"channel": "telegram"})).json()["items"]
            path = f"/api/v1/console/inbox/{line['id']}"

            assert (await olga.post(f"{path}/take")).status_code == 204
            telegram.say(7, "Can I bring my dog?")
            await said(olga, path, "Can I bring my dog?")
            assert (await olga.post(f"{path}/typing")).status_code == 204
            assert (await olga.post(f"{path}/reply", json={"text": "Dogs are welcome."})).status_code == 201
            assert (await olga.post(f"{path}/hand-back", json={"close": True, "survey": True})).status_code == 204
            await telegram.until(lambda: len(telegram.to(7)) == 5)
            texts = telegram.texts(7)
            assert "nine" in texts[0]
            assert "Olga has joined" in texts[1]
            assert texts[2] == "Olga\nDogs are welcome."
            assert "Olga has closed the conversation" in texts[3]
            assert [chat for chat, _, _ in telegram.typing] == [7]

            question = telegram.to(7)[4]
            pressed = telegram.press(question, "4")
            await telegram.until(lambda: telegram.world.answered[pressed] == words.THANKS_SCORE)
            told = (await olga.get("/api/v1/console/satisfaction")).json()
            assert (told["asked"], told["answered"], told["average"]) == (1, 1, 4.0)


async def said(olga: httpx2.AsyncClient, path: str, text: str) -> None:
    """Return when the team can read it."""
    async with asyncio.timeout(PATIENCE):
        while text not in (await olga.get(path)).text:  # noqa: ASYNC110 the poller's rows tell nobody
            await asyncio.sleep(0.02)
