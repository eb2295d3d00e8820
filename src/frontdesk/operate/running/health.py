"""How what runs here is: each process asked itself, and each store."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

import msgspec

from frontdesk.operate.ports import is_free
from frontdesk.operate.running.asking import get
from frontdesk.operate.running.state import Instance, Process


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How a process or an address is. `alive`: it answers /health. `checks`: what its /ready says of each part.

    `address` is where it was asked, unless that is a port which is its supervisor's alone.
    """

    name: str
    alive: bool
    ready: bool
    checks: dict[str, str] = {}
    release: int | None = None
    pid: int | None = None
    address: str = ""


async def of_instance(instance: Instance) -> list[Health]:
    """Of each process, in the order of starting."""
    alive = instance.alive()
    return list(await asyncio.gather(*(_of(process, process in alive) for process in instance.processes)))


async def of_address(name: str, address: str) -> Health:
    """Of whatever answers at `http://host:port`."""
    place = urlsplit(address)
    asked = partial(get, place.port or 80, host=place.hostname or "127.0.0.1")
    health, ready = await asyncio.gather(asked("/health"), asked("/ready"))
    return Health(
        name=name,
        address=address,
        alive=health is not None and health[0] == 200,
        ready=ready is not None and ready[0] == 200,
        checks=_checks(ready[1]) if ready else {},
    )


def all_well(found: Sequence[Health]) -> bool:
    """Whether everything lives and can work."""
    return all(each.alive and each.ready for each in found)


async def _of(process: Process, lives: bool) -> Health:
    pid = process.process.pid if process.process else None
    known = Health(name=process.name, alive=False, ready=False, release=process.release, pid=pid)
    if process.role == "store":
        answers = lives and all(not is_free(port) for port in _ports(process))
        return msgspec.structs.replace(known, alive=lives, ready=answers)
    if not lives or process.own_port is None:
        return known
    told = await of_address(process.name, f"http://127.0.0.1:{process.own_port}")
    return msgspec.structs.replace(told, release=known.release, pid=known.pid, address="")


def _ports(process: Process) -> Iterator[int]:
    for address in process.addresses:
        yield int(address.rpartition(":")[2])


def _checks(body: bytes) -> dict[str, str]:
    try:
        return msgspec.convert(msgspec.json.decode(body)["checks"], dict[str, str])
    except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError):
        return {}
