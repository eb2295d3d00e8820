"""What must answer so that a process of the desk can work."""

from functools import partial

from frontdesk.app.metrics import ping
from frontdesk.app.rooms import Desk
from frontdesk.channels.health import Check
from frontdesk.errors import ShuttingDown


def checks_of(desk: Desk) -> dict[str, Check]:
    """The checks of `/ready`, by what each is about."""

    async def taking_work() -> None:
        if desk.work.draining:
            raise ShuttingDown("This process is about to end")

    checks: dict[str, Check] = {"database": desk.store.database.ping, "process": taking_work}
    if desk.door.redis is not None:
        checks["redis"] = partial(ping, desk.door.redis)
    if desk.bell is not None:
        checks["queue"] = desk.bell.check
    return checks
