"""Embedders: text → vectors of unit length. Each is a plug-in of `frontdesk.embedders`."""

from collections.abc import Callable

import msgspec

from frontdesk import registry
from frontdesk.knowledge.options import EmbedderOptions
from frontdesk.ports import Embedder

NONE = "none"


class EmbedderKind(msgspec.Struct, frozen=True):
    """How an embedder is opened. Raises `MissingExtra` or `BadSetting` where it cannot work here."""

    open: Callable[[EmbedderOptions], Embedder]


def open_embedder(options: EmbedderOptions) -> Embedder | None:
    """The chosen embedder, None for `none`. Loads weights: call it in a thread."""
    if options.kind == NONE:
        return None
    return registry.load("embedders", options.kind, EmbedderKind).open(options)
