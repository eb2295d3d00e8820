"""Asking a process over loopback: whether it is ready, and how its answers have gone."""

import asyncio
import contextlib
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 3.0  # seconds for one answer
REQUESTS = "http_requests_total"


@dataclass(frozen=True, slots=True)
class Answers:
    """How many requests were answered, and how many of them with a fault of ours (5xx)."""

    total: float = 0
    failed: float = 0


async def get(port: int, path: str, *, host: str = "127.0.0.1", seconds: float = PATIENCE) -> tuple[int, bytes] | None:
    """Status and body of GET `path` at a port of loopback or another `host`; None when nobody answers in time."""
    name = f"[{host}]" if ":" in host else host
    writer = None
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            return int(head.split(None, 2)[1]), await reader.read()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
        return None
    finally:
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def is_ready(port: int) -> bool:
    """Whether the process says that it can work."""
    answer = await get(port, "/ready")
    return answer is not None and answer[0] == 200


async def answers(port: int) -> Answers | None:
    """How its requests have gone since it began; None when it tells no metrics."""
    told = await get(port, "/metrics")
    if told is None or told[0] != 200:
        return None
    total = failed = 0.0
    for family in text_string_to_metric_families(told[1].decode()):
        for sample in family.samples:
            if sample.name == REQUESTS:
                total += sample.value
                failed += sample.value if sample.labels.get("status", "").startswith("5") else 0
    return Answers(total, failed)
