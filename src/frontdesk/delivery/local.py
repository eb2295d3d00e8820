"""Channels that reach nobody outside: the letter is kept, and the console shows it."""

from frontdesk.store.outbox import Letter


class Local:
    """Delivery's `Sender` where a channel has no adapter: the letter in the outbox is all that happens."""

    async def send(self, letter: Letter) -> str:
        return ""
