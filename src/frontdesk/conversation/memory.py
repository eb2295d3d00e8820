"""What the desk remembers about a person: said by them, found again for them, and for nobody else."""

import re

import msgspec
import numpy as np

from frontdesk.ports import Embedder
from frontdesk.store.memories import Memories, Memory
from frontdesk.telemetry import metrics

ASKED = re.compile(
    r"^\s*(?:please\s+|bitte\s+)?(?:remember|note|keep in mind|merk(?:e)? dir|recuerda)"
    r"(?:\s+(?:that|dass|que))?[\s:,]+(?P<fact>.{3,400})$",
    re.IGNORECASE | re.DOTALL,
)
TOLD = re.compile(
    r"^\s*(?:hi|hello|hey)?[\s,.!]*(?P<fact>(?:my [\w' -]{2,40} (?:is|are) |i(?:'m| am) (?:allergic|from|called) "
    r"|i (?:live|work|prefer|study) |call me |mein\w* [\w -]{2,40} (?:ist|heißt) |ich (?:heiße|wohne|arbeite) "
    r"|me llamo |vivo en )[^?\n]{2,200})$",
    re.IGNORECASE,
)
ABOUT_ME = re.compile(r"\b(?:my|mine|me|i|i'm|mein\w*|mich|mir|ich|mi|mis|yo)\b", re.IGNORECASE)
WORD = re.compile(r"\w+")
ASKING = frozenset(
    ("what", "which", "who", "where", "when", "how", "why", "is", "are", "do", "does", "did", "can", "my", "me", "i")
)
CLOSE = 0.82  # cosine of multilingual-e5: unrelated pairs were measured up to 0.80, a question and its fact from 0.83
MOST_RECALLED = 8


class Recalled(msgspec.Struct, frozen=True, kw_only=True):
    """A fact; `closeness` is its cosine to the question, or the share of common words without an embedder."""

    text: str
    closeness: float


class PersonMemory:
    """Noticing facts in what people say, and recalling those that bear on a question."""

    def __init__(self, memories: Memories, embedder: Embedder | None) -> None:
        self._memories = memories
        self._embedder = embedder

    def notice(self, text: str) -> str | None:
        """The fact that the person asks to remember, or tells of themselves."""
        asked = ASKED.match(text)
        if asked:
            return asked["fact"].strip()
        told = TOLD.match(text)
        return told["fact"].strip() if told else None

    async def keep(self, person_id: str, fact: str, message_id: str) -> None:
        """Remember the fact."""
        await self._memories.add(person_id, fact, vector=await self.vector(fact), message_id=message_id)

    async def vector(self, fact: str) -> bytes | None:
        """The fact's embedding, when there is an embedder."""
        return None if self._embedder is None else (await self._embedder.embed_passages([fact]))[0]

    async def recall(self, person_id: str, question: str) -> list[Recalled]:
        """The facts that bear on the question, closest first."""
        with metrics.memory_retrieval.time():
            known = await self._memories.of(person_id)
            if not known:
                return []
            if self._embedder is None:
                found = [Recalled(text=memory.text, closeness=_shared(question, memory.text)) for memory in known]
            else:
                asked = np.frombuffer(await self._embedder.embed_query(question), dtype="<f4")
                found = [Recalled(text=memory.text, closeness=_closeness(asked, memory)) for memory in known]
            return sorted(found, key=lambda fact: -fact.closeness)[:MOST_RECALLED]


def about_the_asker(question: str) -> bool:
    """Whether the question speaks of the person who asks."""
    return ABOUT_ME.search(question) is not None


def _shared(question: str, fact: str) -> float:
    wanted = {word for word in WORD.findall(question.casefold()) if word not in ASKING}
    return len(wanted & set(WORD.findall(fact.casefold()))) / max(1, len(wanted))


def _closeness(asked: "np.ndarray[tuple[int], np.dtype[np.float32]]", memory: Memory) -> float:
    if memory.vector is None:
        return 0.0
    return float(asked @ np.frombuffer(memory.vector, dtype="<f4"))
