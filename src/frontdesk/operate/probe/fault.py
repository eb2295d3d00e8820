"""What can be wrong with something that is asked over a network, in plain words that hold no password."""

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "dns",  # the name leads nowhere
    "refused",  # the machine is there, and nothing listens at the port
    "unreachable",  # no way leads to the machine
    "silent",  # nothing came back in time: a firewall, a policy, or a program that hangs
    "broken",  # it answered, and broke off or spoke another language
    "tls",
    "password",
    "forbidden",  # the user or the address may not connect
    "no database",
    "exhausted",  # every connection is taken
    "starting",  # or shutting down, or loading its data
    "read-only",
    "status",  # an HTTP status that is no success
    "missing",  # a file or a process is not there
    "package",  # what would ask is not installed
    "unknown",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in a sentence, and what mends it."""

    kind: FaultKind
    cause: str
    remedy: str = ""


class Faulty(Exception):
    """Raised within a probe by what found out the fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.cause)
        self.fault = fault


def of_network(error: BaseException, place: str) -> Fault:
    """The fault behind an error of sockets or TLS. `place` is host:port."""
    if isinstance(error, ssl.SSLError):
        return _of_tls(error, place)
    if isinstance(error, socket.gaierror):
        host = place.rpartition(":")[0]
        return Fault("dns", f"The name {host} leads to no address", "Correct the name, or mend the name server.")
    if isinstance(error, TimeoutError):
        remedy = "It hangs, or a firewall or network policy drops what is sent: try it from the machine itself."
        return Fault("silent", f"{place} did not answer in time", remedy)
    if isinstance(error, ConnectionRefusedError):
        return Fault("refused", f"Nothing listens at {place}", "Start it, or correct its host and port.")
    if isinstance(error, (ConnectionResetError, BrokenPipeError, EOFError)):
        return Fault("broken", f"{place} broke the connection off", "Its own log says why.")
    if isinstance(error, OSError) and error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN):
        return Fault("unreachable", f"No way leads to {place}", "Mend the network, or start the machine.")
    return Fault("unknown", f"{place} could not be asked: {type(error).__name__}")


def _of_tls(error: ssl.SSLError, place: str) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message or "it is not trusted"
        remedy = "Renew it, or let SSL_CERT_FILE name the authority that signed it."
        return Fault("tls", f"The certificate of {place} is refused: {words}", remedy)
    if error.reason == "WRONG_VERSION_NUMBER":
        return Fault("tls", f"{place} does not speak TLS", "Take http:// or redis://, or switch TLS on there.")
    if "CERTIFICATE_REQUIRED" in (error.reason or ""):
        return Fault("tls", f"{place} wants a client's certificate", "It takes mutual TLS alone: ask it from a client.")
    return Fault("tls", f"TLS with {place} failed: {error.reason or type(error).__name__}")
