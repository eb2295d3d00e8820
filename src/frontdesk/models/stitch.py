"""Joins the text of a model that failed to the text of the one that goes on, so that nothing stands twice.

A model that is asked to go on after a text often repeats some of it: the whole text, its last lines, or the word in
which it was cut. Text is held back while it may still be such a repetition, and let through from where it is new.
"""

LONG = 12  # visible characters from which a repetition of the end is no coincidence
TAIL = 4_000  # how far back a repetition of the end is looked for


class Stitch:
    """`feed` and `end` return the text to show after `said`."""

    def __init__(self, said: str) -> None:
        self._said = said
        self._held = ""
        self._decided = not said

    def feed(self, text: str) -> str:
        if self._decided:
            return text
        self._held += text
        if self._may_repeat(self._held) or self._may_repeat(self._held.lstrip()):
            return ""
        return self.end()

    def end(self) -> str:
        """What is held back, without what repeats the end of what was said."""
        self._decided = True
        held, self._held = self._held, ""
        for candidate in (held, held.lstrip()):
            if overlap := _overlap(self._said, candidate):
                return candidate[overlap:]
            if _is_long(candidate) and self._said.startswith(candidate):
                return ""
        return held

    def _may_repeat(self, text: str) -> bool:
        """Whether all of `text` stands somewhere in what was said, so that more of it may follow."""
        return self._said.startswith(text) or text in self._said[-TAIL:]


def _overlap(said: str, text: str) -> int:
    """How many characters at the start of `text` repeat the end of `said`."""
    if text.startswith(said):
        return len(said)
    tail = said[-TAIL:]
    for size in range(min(len(tail), len(text)), 0, -1):
        if tail.endswith(text[:size]) and _counts(said, text, size):
            return size
    return 0


def _counts(said: str, text: str, size: int) -> bool:
    """Whether an overlap of `size` is a repetition: a long one, or the whole broken word at the end."""
    repeated = text[:size]
    if _is_long(repeated):
        return True
    is_word = size >= 3 and repeated.isalpha()
    return is_word and size < len(said) and not said[-size - 1].isalnum() and text[size : size + 1].isalpha()


def _is_long(text: str) -> bool:
    return sum(not character.isspace() for character in text) >= LONG
