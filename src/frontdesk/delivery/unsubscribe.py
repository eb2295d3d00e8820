"""The link in a letter by which its customer stops the channel that it came by.

It names the decision that the letter came of, an id that means nothing to anybody outside, under a seal that only this
desk can make. It has no end: a letter of years ago is still a promise that one can stop them.
"""

import hmac
from hashlib import sha256

from frontdesk.delivery.options import DeliveryOptions
from frontdesk.engagement import Channel, Exit, Exits

PATH = "/unsubscribe"
SEAL = 32  # hexadecimal digits: 128 bits of the HMAC
SLOT = "{unsubscribe}"  # where the link stands in the footer


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


def exits(options: DeliveryOptions, links: StopLinks) -> Exits:
    """How letters of each channel are stopped. A mail says it below its text as well: a header is for mailboxes, and
    not all of them show a button. A gateway gets the link alone, for it knows how much room there is."""

    def of(channel: Channel, decision_id: str) -> Exit:
        adapter = options.adapter(channel)
        url = links.of(decision_id)
        if adapter == "telegram" or not url:  # a chat has its own way to stop a bot
            return Exit()
        return Exit(url=url, footer=options.smtp.footer.replace(SLOT, url) if adapter == "smtp" else "")

    return of
