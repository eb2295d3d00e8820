"""What the desk keeps and forgets: retention as a chore, and the channels that people can connect."""

from collections.abc import Sequence

import structlog

from frontdesk.app.store import Store
from frontdesk.app.work import Chores
from frontdesk.channels.telegram.options import TelegramOptions
from frontdesk.channels.web.links import OtherChannel
from frontdesk.ports import Clock, Job
from frontdesk.store.retention import Retention
from frontdesk.system.options import RetentionOptions
from frontdesk.system.system import System

NIGHTLY = "daily 04:00"

log = structlog.get_logger("frontdesk.app")


def add_retention(chores: Chores, system: System, store: Store, clock: Clock) -> None:
    """Have the desk forget by the rules of `retention`, every night."""
    retention = Retention(store.database, system.section(RetentionOptions))

    async def forget(_: Job) -> None:
        for table, count in (await retention.run(clock.now())).items():
            if count:
                log.info("retention", kind=table, count=count)

    chores.add("retention", forget, NIGHTLY)


def channels_for_codes(system: System) -> Sequence[OtherChannel]:
    """The channels on which somebody can show a code that the desk's pages gave them."""
    telegram = system.section(TelegramOptions)
    return [OtherChannel(id="telegram", name="Telegram")] if telegram.bot_token.get_secret_value() else []
