"""Orders to a running supervisor: a line of JSON over loopback, with the word that its state file holds.

The supervisor answers with lines of what it does, and a last one that says how it ended.
"""

import asyncio
import hmac
import json
import secrets
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager

import structlog

from frontdesk.errors import Conflict, FrontdeskError
from frontdesk.operate.errors import NotLookedAfter, OrderFailed
from frontdesk.operate.running.state import Control, Instance

LONGEST = 1_000_000  # bytes of an order
LAST_SECONDS = 15.0  # for whoever is being obeyed when all ends
log = structlog.get_logger("frontdesk.running")

Order = Mapping[str, object]
Say = Callable[[str], None]
Obey = Callable[[Order, Say], Awaitable[Mapping[str, object]]]


def order(instance: Instance, what: Order, say: Say, *, seconds: float = 3600) -> dict[str, object]:
    """Have the supervisor of an instance do something; what it answers at the end.

    Raises `NotLookedAfter` when it does not listen, and `OrderFailed` when it could not do it.
    """
    if not instance.is_looked_after:
        raise NotLookedAfter(f"The supervisor of {instance.name} has gone", where=instance.home)
    try:
        with socket.create_connection(("127.0.0.1", instance.control.port), timeout=5) as connection:
            connection.settimeout(seconds)
            connection.sendall(json.dumps({**what, "token": instance.control.token}).encode() + b"\n")
            for told in _lines(connection):
                if "say" in told:
                    say(str(told["say"]))
                elif "failed" in told:
                    raise OrderFailed(str(told["failed"]), where=str(told["where"]), hint=str(told["hint"]))
                else:
                    return told
    except OSError as error:
        raise NotLookedAfter(f"The supervisor of {instance.name} does not answer", where=instance.home) from error
    raise NotLookedAfter(f"The supervisor of {instance.name} broke off", where=instance.home)


def _lines(connection: socket.socket) -> Iterator[dict[str, object]]:
    with connection.makefile("rb") as lines:
        for line in lines:
            yield json.loads(line)


def reserved() -> tuple[socket.socket, Control]:
    """A listening socket for orders, and what leads to it."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, Control(listener.getsockname()[1], secrets.token_urlsafe(24))


@asynccontextmanager
async def obeying(listener: socket.socket, control: Control, obey: Obey) -> AsyncGenerator[None]:
    """Take orders meanwhile, one at a time; at the end, let the last one be answered."""
    busy = asyncio.Lock()
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)

        def tell(answer: Mapping[str, object]) -> None:
            if not writer.is_closing():
                writer.write(json.dumps(answer).encode() + b"\n")

        try:
            tell(await _obeyed(await reader.readline(), control, obey, busy, lambda text: tell({"say": text})))
            await writer.drain()
        except (OSError, ValueError):  # whoever gave the order has left, or sent no order
            log.debug("order_broken_off")
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, sock=listener, limit=LONGEST)
    try:
        yield
    finally:
        server.close()
        if serving:
            await asyncio.wait(serving, timeout=LAST_SECONDS)


async def _obeyed(line: bytes, control: Control, obey: Obey, busy: asyncio.Lock, say: Say) -> Mapping[str, object]:
    what = json.loads(line)
    if not isinstance(what, dict) or not hmac.compare_digest(str(what.pop("token", "")), control.token):  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] — JSON
        raise ValueError("not ours")
    try:
        if busy.locked():
            raise Conflict("Another order is being carried out", hint="Wait for its end: frontdesk ps")
        async with busy:
            return await obey(what, say)  # pyright: ignore[reportUnknownArgumentType] — JSON
    except FrontdeskError as error:
        first, *_ = error.problems or (error,)
        words = "; ".join(each.what for each in error.problems) or error.what
        return {"failed": words, "where": first.where or "", "hint": first.hint}
