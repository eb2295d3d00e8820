"""`python -m frontdesk.testing.telegram`: the stand-in by itself, with a page to chat on."""

import argparse
import asyncio
import signal
import sys

from frontdesk.testing.telegram import TOKEN, FakeTelegram, Limits
from frontdesk.testing.telegram.control import Control
from frontdesk.testing.telegram.loading import loading

PORT = 8081


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="frontdesk telegram fake", description="A stand-in for Telegram.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT, help="0 takes a free port")
    parser.add_argument("--token", default=TOKEN, help="the bot's token")
    parser.add_argument("--limits", action="store_true", help="hold the bot to Telegram's rates")
    given = parser.parse_args()
    asyncio.run(_serve(given.host, given.port, given.token, given.limits))


async def _serve(host: str, port: int, token: str, limits: bool) -> None:
    telegram = FakeTelegram(token=token)
    if limits:
        telegram.limit(Limits())
    url = await telegram.start(host, port, (*Control(telegram).routes(), *loading(telegram)))
    print(f"TELEGRAM_API_URL={url}\nTELEGRAM_BOT_TOKEN={token}", flush=True)
    print(f"Give the desk these two, then write to the bot at {url}/ . Ctrl-C ends it.", file=sys.stderr, flush=True)
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    await ended.wait()
    await telegram.close()


if __name__ == "__main__":
    main()
