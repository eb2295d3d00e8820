"""What a load run is to do, and what is known of the desk that it loads."""

import ipaddress
from urllib.parse import urlsplit

import msgspec

from frontdesk.errors import Usage
from frontdesk.outgoing import Rhythm


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """`people` write every `least` to `most` seconds for `seconds`, as many at a time as `shape` says.

    A message that is not answered `patience` seconds after the end counts as lost.
    """

    people: int
    least: float
    most: float
    seconds: float
    shape: str = "steady"
    patience: float = 60
    seed: int = 1


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk's scripted model takes for an answer, and how typing is played before it; None: not at all."""

    first_delay: float = 0
    words_per_second: float | None = None
    rhythm: Rhythm | None = None

    def first(self) -> float:
        """Seconds until the first word, were there no desk in between."""
        return self.first_delay

    def whole(self, text: str) -> float:
        """Seconds until `text` is whole and typed. Typing begins with the writing, so the longer of the two counts."""
        words = 0 if self.words_per_second is None else (len(text.split()) - 1) / self.words_per_second
        return max(self.first_delay + words, 0 if self.rhythm is None else self.rhythm.seconds(len(text)))


def span(text: str) -> tuple[float, float]:
    """`10-30` as two numbers. Raises `Usage`."""
    least, dash, most = text.partition("-")
    try:
        low, high = float(least), float(most if dash else least)
    except ValueError:
        low = high = -1
    if not 0 < low <= high:
        raise Usage(f"{text!r} is no stretch of seconds", where="--every", hint="Write it as `--every 10-30`.")
    return low, high


def checked(address: str, *, owned: bool, option: str = "--address") -> str:
    """The address, which `option` gives, if it leads to this machine or to one's own server. Raises `Usage`."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Usage(f"{address!r} is no http(s) address", where=option)
    if owned or parts.hostname == "localhost":
        return address.rstrip("/")
    try:
        inside = ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        inside = False
    if not inside:
        raise Usage(
            f"{parts.hostname} is not this machine, and a load run on somebody else's server is an attack",
            where=option,
            hint="If the server is yours, add `--yes-i-own-this-server`.",
        )
    return address.rstrip("/")
