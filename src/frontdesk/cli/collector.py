"""The garbage collector, out of the way of a start: it looks through all that a start makes, which is no garbage."""

import gc

_USUAL = gc.get_threshold()
_WHILE_STARTING = (50_000, 20, 50)  # a tenth of the rounds; they take a seventh of a start otherwise


def look_seldom() -> None:
    """While modules are imported and parts are put together. For a process of our own alone."""
    gc.set_threshold(*_WHILE_STARTING)


def keep_what_is_here() -> None:
    """Pass over what the start has made: it lives as long as the process, and looking through it again and again holds
    every answer up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_USUAL)
