"""HTTP clients for the services that the owner names: webhooks, sign-in providers, a speech service."""

import functools
import ssl

import httpx2


@functools.cache
def _authorities() -> ssl.SSLContext:
    """Who vouches for servers, read once for all clients of this process: to read it takes longer than a call."""
    return httpx2.create_ssl_context()


def outward_client(*, seconds: float = 5) -> httpx2.AsyncClient:
    """A client that follows no redirects and gives a call up after `seconds` of silence."""
    return httpx2.AsyncClient(verify=_authorities(), timeout=seconds, follow_redirects=False)
