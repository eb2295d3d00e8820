"""Listening: finding and taking a port, and telling who holds one that is taken."""

import errno
import os
import random
import socket
from pathlib import Path

from frontdesk.errors import BadSetting, PortInUse

FREE = (20_000, 32_000)  # below the ports that systems give to outgoing connections


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    while True:
        port = random.randrange(*FREE)  # noqa: S311 — no secret
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether nothing listens on this loopback port now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def listen(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket bound to `host:port` (0: a free one). Raises `PortInUse`, or `BadSetting` where we may not.

    `option` of the command line is what another port is chosen by.
    """
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise BadSetting(f"{host} is no address of this machine: {error.strerror}", where="http.host") from error
    listener = socket.socket(family, kind, protocol)
    if os.name == "posix":  # elsewhere the option would let two programs share a port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            holder = holder_of(port)
            hint = f"Choose another one with `{option}`, or stop the other program."
            what = f"Port {port} is taken{f' by {holder}' if holder else ''}"
            raise PortInUse(what, where=where, hint=hint) from error
        if error.errno == errno.EACCES:
            hint = "Choose a port from 1024 on, and put a proxy in front of it."
            raise BadSetting(f"This user may not listen on port {port}", where=where, hint=hint) from error
        raise BadSetting(f"The desk cannot listen here: {error.strerror}", where=where) from error
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """The address to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    return address_at(host, port)


def address_at(host: str, port: int) -> str:
    """The address by which this machine reaches what listens on `host`; of what listens on all, by loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 — shown
    return f"http://{host}:{port}"


def holder_of(port: int) -> str | None:
    """The program that listens on `port`, as `name (process 123)`: on Linux, where this user may see it."""
    inodes = _listening(Path("/proc/net/tcp"), port) | _listening(Path("/proc/net/tcp6"), port)
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_target(handle) in inodes for handle in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:  # somebody else's process, or one that has just ended
            continue
    return None


def _target(handle: Path) -> str:
    try:
        return os.readlink(handle)
    except OSError:  # closed meanwhile
        return ""


def _listening(table: Path, port: int) -> set[str]:
    """The handles (`socket:[inode]`) that listen on `port`, by the kernel's table (man 5 proc, /proc/net/tcp)."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return set()
    rows = [line.split() for line in lines]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
