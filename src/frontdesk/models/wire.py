"""What a plug-in of the group `frontdesk.models` is: a class that builds a model from its options."""

from typing import Protocol, runtime_checkable

import msgspec

from frontdesk.models.options import ModelOptions, TimeOuts
from frontdesk.ports import Clock, Embedder, Ids, Model


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk hands to a wire beside the model's options.

    `key` is the API key ("" without one), `model` the provider's id with aliases resolved, `max_tokens` and
    `temperature` what holds where a request names none.
    """

    clock: Clock
    ids: Ids
    embedder: Embedder | None = None
    key: str = ""
    model: str = ""
    max_tokens: int = 4096
    temperature: float | None = None
    time_outs: TimeOuts = TimeOuts()


@runtime_checkable
class Wire(Protocol):
    """The class of a model, as an entry point names it."""

    def build(self, options: ModelOptions, parts: Parts) -> Model:
        """A model that is ready to be asked; connections and weights come with the first question."""
        ...
