"""Probes of HTTP, TCP and Redis, by the standard library alone: what a container's health check can afford."""

import http.client
import json
import socket
import ssl
from base64 import b64encode

from frontdesk.operate.probe.fault import Fault, Faulty
from frontdesk.operate.probe.target import Target

READ = 65_536  # bytes of an answer that are looked at
GONE = "Its own log says why."


def tcp(target: Target, seconds: float) -> str:
    """Connect. Raises what sockets do."""
    socket.create_connection((target.host, target.port), timeout=seconds).close()
    return "takes connections"


def http_get(target: Target, seconds: float) -> str:
    """GET, and nothing but 2xx will do: a redirect leads elsewhere, and 5xx is how a sick desk answers."""
    if target.secure:
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            target.host, target.port, timeout=seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(target.host, target.port, timeout=seconds)
    headers = {"User-Agent": "frontdesk-probe", "Accept": "*/*", "Connection": "close"}
    if target.user or target.password:
        headers["Authorization"] = f"Basic {b64encode(f'{target.user}:{target.password}'.encode()).decode()}"
    query = target.url.partition("?")[2].partition("#")[0]
    try:
        connection.request("GET", (target.path or "/") + (f"?{query}" if query else ""), headers=headers)
        answer = connection.getresponse()
        body = answer.read(READ)
    except http.client.HTTPException as error:
        raise Faulty(Fault("broken", f"{target.place} does not speak HTTP", "Is this the right port?")) from error
    finally:
        connection.close()
    if 200 <= answer.status < 300:
        return str(answer.status)
    raise Faulty(_of_status(target, answer.status, answer.getheader("Location"), body))


def _of_status(target: Target, status: int, location: str | None, body: bytes) -> Fault:
    if 300 <= status < 400:
        return Fault("status", f"{target.place} answers {status} and points elsewhere", f"Probe {location or 'there'}.")
    if status in (401, 403):
        return Fault("forbidden", f"{target.place} answers {status}", "Probe an address that needs no sign-in.")
    away = _away(body)
    if away:
        return Fault("status", f"{target.place} answers {status}, not ready: {away}", "Mend what it names.")
    return Fault("status", f"{target.place} answers {status}", GONE if status >= 500 else "Is this the right path?")


def _away(body: bytes) -> str:
    """What a desk's `/ready` says is not well."""
    try:
        checks = json.loads(body)["checks"]
        return ", ".join(f"{name} ({state})" for name, state in checks.items() if state != "ok")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def redis(target: Target, seconds: float) -> str:
    """AUTH where the address holds a password, then PING (redis.io/docs/latest/develop/reference/protocol-spec)."""
    with _line(target, seconds) as line:
        if target.password:
            who = (target.user, target.password) if target.user else (target.password,)
            _refuse(target, _command(line, "AUTH", *who))
        said = _command(line, "PING")
        _refuse(target, said)
    if said != "+PONG":
        raise Faulty(Fault("broken", f"{target.place} does not speak Redis", "Is this the right port?"))
    return "PONG"


def _line(target: Target, seconds: float) -> socket.socket:
    line = socket.create_connection((target.host, target.port), timeout=seconds)
    if not target.secure:
        return line
    try:
        return ssl.create_default_context().wrap_socket(line, server_hostname=target.host)
    except BaseException:
        line.close()
        raise


def _command(line: socket.socket, *words: str) -> str:
    """Send one command; the first line of its answer."""
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    line.sendall(b"".join(parts))
    said = b""
    while not said.endswith(b"\r\n"):
        more = line.recv(1)
        if not more or len(said) > 1000:
            raise EOFError
        said += more
    return said.decode(errors="replace").rstrip()


def _refuse(target: Target, said: str) -> None:
    """Raise what Redis says it will not do. Errors begin with a word in capitals."""
    if not said.startswith("-"):
        return
    word = said[1:].split(" ", 1)[0]
    place = target.place
    faults = {
        "WRONGPASS": Fault("password", f"Redis at {place} refuses the password", "Correct REDIS_PASSWORD."),
        "NOAUTH": Fault("password", f"Redis at {place} wants a password", "Set REDIS_PASSWORD."),
        "NOPERM": Fault("forbidden", f"Redis at {place} does not let this user ask", "Let its ACL allow PING."),
        "LOADING": Fault("starting", f"Redis at {place} is loading its data", "Wait until it has."),
        "MASTERDOWN": Fault("read-only", f"Redis at {place} is a replica that has lost its primary", "Mend the link."),
        "MISCONF": Fault("read-only", f"Redis at {place} cannot write its data to disk", "Make room on its disk."),
    }
    if word == "ERR" and "max number of clients" in said:
        remedy = "Raise its maxclients, or lower REDIS_MAX_CONNECTIONS."
        raise Faulty(Fault("exhausted", f"Redis at {place} has no connection left", remedy))
    if word == "ERR" and "AUTH" in said:
        raise Faulty(
            Fault("password", f"Redis at {place} has no password set", "Unset REDIS_PASSWORD, or set one there.")
        )
    if word == "DENIED":
        raise Faulty(Fault("forbidden", f"Redis at {place} takes nobody from outside", "Set its password or `bind`."))
    raise Faulty(faults.get(word, Fault("unknown", f"Redis at {place} answers with the error {word}")))
