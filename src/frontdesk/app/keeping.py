"""What the desk forgets by itself, as a chore of every night."""

import structlog

from frontdesk.app.store import Store
from frontdesk.app.work import Chores
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
