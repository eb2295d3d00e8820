"""A desk of several processes on real servers: web processes and workers that are started, killed and started again."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from frontdesk.operate.ports import free_port
from frontdesk.testing.telegram import FakeTelegram, running_telegram
from tests.scenarios.processes import Process

SECRET = "a-secret-of-the-webhook"


class Member(Process):
    """One process of a role."""

    def __init__(self, home: Path, role: str, settings: Mapping[str, object], variables: Mapping[str, str]) -> None:
        super().__init__(home, "", settings, variables)
        self.role = role
        self.arguments = ("--role", role)

    async def _greeted(self) -> None:
        if self.role == "web":
            await super()._greeted()
        else:
            await self._told(r"a worker takes (.+)\.")


class Fleet:
    """The processes of a desk, and the Telegram whose bot it is."""

    def __init__(self, members: Sequence[Member], telegram: FakeTelegram) -> None:
        self.members = members
        self.telegram = telegram

    @property
    def workers(self) -> list[Member]:
        return [member for member in self.members if member.role == "worker"]

    @property
    def web(self) -> list[Member]:
        return [member for member in self.members if member.role == "web"]

    async def replace(self, member: Member) -> None:
        """Kill the process, as a crash does, and start another in its place."""
        await member.kill()
        await member.start()

    async def pause(self, member: Member, seconds: float) -> None:
        """Stop the process in the middle of what it does, and let it go on later."""
        member.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        member.send(signal.SIGCONT)


@asynccontextmanager
async def fleet(
    folder: Path,
    database_url: str,
    redis_url: str,
    *,
    web: int = 2,
    workers: int = 2,
    settings: Mapping[str, object] | None = None,
) -> AsyncGenerator[Fleet]:
    """`web` processes and `workers` on one database and one Redis, which answer on a Telegram of their own."""
    async with AsyncExitStack() as stack:
        telegram = await stack.enter_async_context(running_telegram())
        port = free_port()
        common = {
            "conversation.lease_seconds": 1.0,
            "delivery.seconds": 2,
            "delivery.lease_seconds": 3,
            "telegram.typing.simulated": False,
            "telegram.previews": False,
            "telegram.feedback": False,
            "telegram.merge": False,
            "telegram.messages_per_minute": 100_000,
            "telegram.rates.chat_per_second": 1000,
            "telegram.rates.all_per_second": 1000,
            "telemetry.metrics_port": None,
        } | dict(settings or {})
        variables = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "TELEGRAM_BOT_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_WEBHOOK_URL": f"http://127.0.0.1:{port}/webhook",
            "TELEGRAM_WEBHOOK_SECRET": SECRET,
        }
        members = [
            Member(folder / f"web-{number}", "web", common, variables | ({"PORT": str(port)} if number == 0 else {}))
            for number in range(web)
        ]
        members += [Member(folder / f"worker-{number}", "worker", common, variables) for number in range(workers)]
        for member in members:
            stack.push_async_callback(member.close)
        await members[0].start()
        await asyncio.gather(*(member.start() for member in members[1:]))
        await telegram.until(lambda: bool(telegram.posting.url), seconds=30)
        yield Fleet(members, telegram)
