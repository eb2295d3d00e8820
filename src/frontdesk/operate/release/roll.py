"""One release takes over from another, process by process, while the others serve; it goes back if it does worse."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frontdesk.errors import FrontdeskError
from frontdesk.operate.errors import OrderFailed, ReleaseRefused
from frontdesk.operate.running.asking import answers, is_ready
from frontdesk.operate.running.supervisor import Supervisor
from frontdesk.operate.running.unit import Unit

LOOK = 0.5  # seconds between two looks at a fresh process
UNREADY = 3  # looks in a row at which it is not ready, before that counts
FEW = 20  # requests, below which a share of failures says nothing


@dataclass(frozen=True, slots=True)
class Watch:
    """For how many seconds the fresh processes of a service are watched; which share of answers may fail (5xx)."""

    seconds: float = 10.0
    worst: float = 0.05


async def roll(supervisor: Supervisor, fresh: Sequence[Unit], watch: Watch, say: Callable[[str], None]) -> None:
    """Put `fresh` in the place of what runs, service by service in the order of starting.

    Raises `ReleaseRefused` when one does not get ready, ends, or fails too often: what ran before is back then.
    """
    former = [unit for unit in supervisor.units if unit.role != "store"]
    services = list(dict.fromkeys(unit.service for unit in fresh))
    try:
        for service in services:
            for unit in (each for each in fresh if each.service == service):
                say(f"{unit.name}: a fresh process begins")
                await supervisor.replace(unit)
            await _watch(supervisor, [each for each in fresh if each.service == service], watch, say)
        for gone in {unit.name for unit in former} - {unit.name for unit in fresh}:
            say(f"{gone}: ends, the release has none")
            await supervisor.remove(gone)
    except FrontdeskError as error:
        say(f"{error.what}. The former release comes back.")
        await _back(supervisor, fresh, former, say)
        raise ReleaseRefused(f"The release went back: {error.what}", where=error.where) from error


async def _watch(supervisor: Supervisor, fresh: Sequence[Unit], watch: Watch, say: Callable[[str], None]) -> None:
    """Look at them for so long. Raises `OrderFailed` with what was seen."""
    if not watch.seconds:
        return
    say(f"{fresh[0].service}: watched for {watch.seconds:g} s")
    unready = dict.fromkeys((unit.name for unit in fresh), 0)
    began = {unit.name: supervisor.restarts(unit.name) for unit in fresh}
    until = asyncio.get_running_loop().time() + watch.seconds
    while asyncio.get_running_loop().time() < until and not supervisor.is_stopping:
        for unit in fresh:
            await _look(supervisor, unit, unready, began[unit.name], watch)
        await asyncio.sleep(LOOK)


async def _look(supervisor: Supervisor, unit: Unit, unready: dict[str, int], restarts: int, watch: Watch) -> None:
    living = supervisor.living(unit.name)
    if living is None or supervisor.restarts(unit.name) != restarts:
        raise OrderFailed(f"{unit.name} has ended by itself", where=str(unit.log))
    if living.own_port is None:
        return
    unready[unit.name] = 0 if await is_ready(living.own_port) else unready[unit.name] + 1
    if unready[unit.name] >= UNREADY:
        raise OrderFailed(f"{unit.name} is not ready any more", where=str(unit.log))
    seen = await answers(living.own_port)
    if seen is not None and seen.total >= FEW and seen.failed / seen.total > watch.worst:
        raise OrderFailed(
            f"{unit.name} has failed {seen.failed:.0f} of {seen.total:.0f} requests ({watch.worst:.0%} may)",
            where=str(unit.log),
        )


async def _back(
    supervisor: Supervisor, fresh: Sequence[Unit], former: Sequence[Unit], say: Callable[[str], None]
) -> None:
    """What cannot go back is told, and keeps nothing else from going back."""
    running = {unit.name: unit for unit in supervisor.units}
    for unit in reversed(former):
        if running.get(unit.name) is not unit:
            say(f"{unit.name}: goes back")
            try:
                await supervisor.replace(unit)
            except OrderFailed as error:
                say(f"{error.what}: it stays as it is.")
    for added in {unit.name for unit in fresh} - {unit.name for unit in former}:
        await supervisor.remove(added)
