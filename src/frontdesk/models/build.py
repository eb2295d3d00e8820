"""From the section `models` to a router, through the plug-in door."""

from collections.abc import Callable

from frontdesk import registry
from frontdesk.errors import BadSetting
from frontdesk.models.member import Member
from frontdesk.models.options import ModelOptions, ModelsOptions
from frontdesk.models.router import Router
from frontdesk.models.wire import Parts, Wire
from frontdesk.ports import Budget, Clock, Embedder, Ids, Ledger


def build(
    options: ModelsOptions,
    *,
    clock: Clock,
    ids: Ids,
    embedder: Embedder | None = None,
    ledger: Ledger | None = None,
    budget: Budget | None = None,
    secret: Callable[[str], str | None] | None = None,
) -> Router:
    """All models of the section. `secret` reads the variable that a listed model names for its key.

    Raises `BadSetting` for a name in `order` that no model has, a name given twice, or a key that is not set, and
    `MissingExtra` where a wire needs a package that is absent.
    """
    keys = {"OPENAI_API_KEY": options.openai_api_key, "ANTHROPIC_API_KEY": options.anthropic_api_key}

    def member(model: ModelOptions) -> Member:
        key = ""
        if model.key_variable is not None:
            key = keys.get(model.key_variable) or (secret(model.key_variable) if secret else None) or ""
            if not key and model.key_variable not in keys:
                hint = f"Set {model.key_variable}, or {model.key_variable}_FILE to the file that holds it."
                raise BadSetting(f"The model {model.name!r} has no key", where=model.key_variable, hint=hint)
        parts = Parts(
            clock=clock,
            ids=ids,
            embedder=embedder,
            key=key,
            model=options.resolve(model.model),
            max_tokens=model.max_tokens or options.max_tokens,
            temperature=options.temperature if model.temperature is None else model.temperature,
            time_outs=model.time_outs or options.time_outs,
        )
        wire = registry.load("models", model.wire, Wire)
        return Member(
            wire.build(model, parts),
            clock=clock,
            wire=model.wire,
            model_id=parts.model or model.name,
            max_tokens=parts.max_tokens,
            time_outs=parts.time_outs,
            circuit=options.circuit,
        )

    every = options.every()
    order = options.order or [model.name for model in every]
    members = {model.name: member(model) for model in every}
    _check(order, [model.name for model in every])
    return Router(
        [members[name] for name in order],
        others=[one for name, one in members.items() if name not in order],
        aliases=options.aliases | {options.openai_model: options.resolve(options.openai_model)},
        clock=clock,
        retry=options.retry,
        budget=budget,
        ledger=ledger,
        largest=options.largest_answer,
    )


def _check(order: list[str], names: list[str]) -> None:
    if twice := {name for name in names if names.count(name) > 1}:
        hint = "Give each model in `models.list` a `name` of its own."
        raise BadSetting(f"Two models are called {twice.pop()!r}", where="models.list", hint=hint)
    if unknown := [name for name in order if name not in names]:
        raise BadSetting(f"There is no model {unknown[0]!r}", where="models.order", hint=f"Models: {', '.join(names)}.")
