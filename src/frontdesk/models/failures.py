"""How a model call fails, in words that the router can act upon."""

from typing import Literal

from frontdesk.errors import ModelUnavailable

Reason = Literal[
    "time_out",
    "connection",
    "rate_limited",
    "server_error",
    "cut",
    "malformed",
    "too_large",
    "too_long",
    "credentials",
    "not_found",
    "unavailable",
]

AGAIN: frozenset[Reason] = frozenset({"time_out", "connection", "cut", "rate_limited", "server_error"})


class CallFailed(ModelUnavailable):
    """A call of one model failed; another model may do better.

    `reason` names the way; `again` says that the same model may answer if asked once more: after a time-out, a lost
    connection, 429 and 5xx, and never otherwise.
    """

    def __init__(
        self, what: str, *, reason: Reason, where: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(what, where=where, retry_after=retry_after)
        self.reason: Reason = reason
        self.again = reason in AGAIN
