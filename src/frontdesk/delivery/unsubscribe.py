"""The link in a letter by which its customer stops the channel that it came by.

It names the decision that the letter came of, an id that means nothing to anybody outside, under a seal that only this
desk can make. It has no end: a letter of years ago is still a promise that one can stop them.
"""

import hmac
from hashlib import sha256

PATH = "/unsubscribe"
SEAL = 32  # hexadecimal digits: 128 bits of the HMAC


class StopLinks:
    """Makes and reads the links. `key` is for them alone; without a `public_url` nobody could open any."""

    def __init__(self, public_url: str, key: bytes) -> None:
        self._public_url = public_url
        self._key = key

    def of(self, decision_id: str) -> str:
        """The link of the letter of this decision; empty where the desk does not know its own address."""
        return f"{self._public_url}{PATH}/{self.token(decision_id)}" if self._public_url else ""

    def token(self, decision_id: str) -> str:
        """The part of the link that says whose it is."""
        return f"{decision_id}.{self._seal(decision_id)}"

    def decision(self, token: str) -> str | None:
        """The decision that the token names, or None for one that this desk did not make."""
        decision_id, _, seal = token.rpartition(".")
        is_ours = hmac.compare_digest(seal.encode(errors="replace"), self._seal(decision_id).encode())
        return decision_id if is_ours else None

    def _seal(self, decision_id: str) -> str:
        return hmac.new(self._key, decision_id.encode(errors="replace"), sha256).hexdigest()[:SEAL]
