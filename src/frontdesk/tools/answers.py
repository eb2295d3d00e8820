"""What a call of a tool comes to, in the desk's own terms. Of untrusted origin: bounded text, no control characters."""

import re
from dataclasses import dataclass

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the tool said; `is_error` where it says that it failed."""

    text: str
    is_error: bool


class CallBroken(Exception):
    """The server took the call, or may have, and no answer came. Whether it had an effect is not known."""


class CallFailed(Exception):
    """The server answered with a protocol error instead of a result; its words are untrusted."""


def bounded(text: str, limit: int) -> str:
    """`text` without control characters and invisible tag letters, cut with a mark that says so."""
    plain = _CONTROLS.sub("\ufffd", text.replace("\r\n", "\n"))
    if len(plain) <= limit:
        return plain
    return f"{plain[:limit]}\n[cut: {len(plain)} characters, the first {limit} are shown]"
