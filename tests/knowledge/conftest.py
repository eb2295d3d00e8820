"""An embedder that tests can reckon with."""

import zlib

import numpy as np
import pytest

from frontdesk.errors import ModelUnavailable
from frontdesk.knowledge.words import stems

SYNONYMS = {"auto": "car", "vehicle": "car", "cost": "price"}
SIZE = 256


class WordVectors:
    """Vectors of word counts in which some words mean the same. Counts what it embeds."""

    def __init__(self, name: str = "words") -> None:
        self._name = name
        self.embedded: list[str] = []
        self.away = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimensions(self) -> int:
        return SIZE

    async def embed_query(self, text: str) -> bytes:
        if self.away:
            raise ModelUnavailable("away")
        return self._vector(text)

    async def embed_passages(self, texts: list[str]) -> list[bytes]:
        if self.away:
            raise ModelUnavailable("away")
        self.embedded += texts
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> bytes:
        vector = np.full(SIZE, 0.01, dtype="<f4")
        for word in stems(text):
            vector[zlib.crc32(SYNONYMS.get(word, word).encode()) % SIZE] += 1
        return (vector / np.linalg.norm(vector)).tobytes()


@pytest.fixture
def embedder() -> WordVectors:
    return WordVectors()
