"""From settings to models."""

import pytest
from pydantic import ValidationError

from frontdesk.errors import BadSetting
from frontdesk.models.build import build
from frontdesk.models.options import ModelOptions, ModelsOptions
from frontdesk.models.router import Router
from frontdesk.ports import Models
from frontdesk.testing.clock import CountingIds, FakeClock
from frontdesk.testing.upstream import OpenAIWire, Upstream
from tests.models.asking import ask, hear


def built(secret=None, **settings: object) -> Router:
    return build(ModelsOptions(**settings), clock=FakeClock(), ids=CountingIds(), secret=secret)


def test_without_any_setting_a_small_model_answers_and_quotes_are_at_hand() -> None:
    router: Models = built()
    assert router.names == ("local", "quote")
    assert router.facts.strength == "small"


def test_with_keys_the_strong_models_come_first() -> None:
    router = built(openai_api_key="k", anthropic_api_key="k")
    assert router.names == ("openai", "anthropic", "local", "quote")
    assert router.facts.strength == "strong"


def test_an_own_server_needs_no_key() -> None:
    assert built(openai_base_url="http://127.0.0.1:8080/v1").names[0] == "openai"


def test_gpt_4_is_an_alias_and_still_found_by_its_old_name() -> None:
    router = built(openai_api_key="k")
    assert router.health()[0].model == "gpt-4.1"
    assert router.model("gpt-4").name == "openai"
    assert built(openai_api_key="k", aliases={}).health()[0].model == "gpt-4"


def test_a_ring_of_aliases_ends() -> None:
    assert ModelsOptions(aliases={"a": "b", "b": "a"}).resolve("a") == "b"


def test_the_scripted_model_is_there_only_where_it_is_named() -> None:
    assert built(order=["scripted"]).names == ("scripted", "local", "quote")
    assert "scripted" not in built().names


def test_the_owners_order_holds_and_the_rest_can_be_had_by_name() -> None:
    router = built(openai_api_key="k", order=["quote", "openai"])
    assert router.names == ("quote", "openai", "local")


async def test_a_listed_model_has_its_own_address_and_key() -> None:
    async with Upstream(OpenAIWire()) as upstream:
        own = ModelOptions(name="fast", wire="openai", model="m-1", base_url=upstream.url, key_variable="FAST_KEY")
        router = built(list=(own,), secret={"FAST_KEY": "secret-key"}.get)
        said = await hear(router, ask())
        await router.close()
    assert said.done is not None
    assert said.done.model == "fast"
    assert upstream.received[0].headers["authorization"] == "Bearer secret-key"
    assert upstream.received[0].json()["model"] == "m-1"


def test_mistakes_are_named() -> None:
    with pytest.raises(BadSetting, match="'nope'"):
        built(order=["nope"])
    with pytest.raises(BadSetting, match="'x'") as twice:
        built(list=(ModelOptions(name="x", wire="scripted"), ModelOptions(name="x", wire="scripted")))
    with pytest.raises(BadSetting, match="carrier-pigeon"):
        built(list=(ModelOptions(name="x", wire="carrier-pigeon"),))
    with pytest.raises(BadSetting, match="no key") as keyless:
        built(list=(ModelOptions(name="x", wire="openai", key_variable="ABSENT"),))
    assert twice.value.hint == "Give each model in `models.list` a `name` of its own."
    assert keyless.value.hint == "Set ABSENT, or ABSENT_FILE to the file that holds it."
    with pytest.raises(ValidationError):
        ModelOptions(name="x", wire="openai", modle="y")


async def test_a_scripted_model_plays_its_script() -> None:
    script = {"words": 3, "echo": r"n:\d+"}
    router = built(list=[{"name": "s", "wire": "scripted", "script": script}], order=["s"])
    said = await hear(router, ask("First n:1, then n:2?"))
    assert said.text == "n:1 n:2 This is the"


def test_a_script_says_what_is_wrong_with_its_pattern() -> None:
    with pytest.raises(ValidationError, match="no regular expression"):
        ModelOptions(name="s", wire="scripted", script={"echo": "("})
