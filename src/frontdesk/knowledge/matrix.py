"""All vectors as one matrix in memory, kept like the rows they were read from; search in it is exact."""

import asyncio
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from frontdesk.knowledge.shelf import Shelf, VectorsOf

GROWTH = 1.25
AT_ONCE = 500  # documents whose vectors are read in one go


Rows = NDArray[np.float32]
Numbers = NDArray[np.int64]


class Nearest(msgspec.Struct, frozen=True):
    """The nearest passages' numbers, best first, with their cosines; mean and deviation of the cosines of all."""

    pairs: tuple[tuple[int, float], ...] = ()
    mean: float = 0.0
    deviation: float = 0.0


class Matrix:
    """Rows of unit vectors. `refresh` reads again what has changed since, document by document."""

    def __init__(self, shelf: Shelf, dimensions: int) -> None:
        self._shelf = shelf
        self._rows: Rows = np.empty((0, dimensions), dtype=np.float32)
        self._seqs: Numbers = np.empty(0, dtype=np.int64)
        self._owners: Numbers = np.empty(0, dtype=np.int64)  # which document a row belongs to, by number
        self._used = 0
        self._shown = (self._rows, self._seqs)  # what searches see: replaced as a whole
        self._numbers: dict[str, int] = {}
        self._next_number = 1
        self._stamps: dict[str, int] = {}
        self._stamp = 0
        self._lock = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._shown[1])

    async def refresh(self, stamp: int) -> None:
        """Follow the shelf to `stamp`. Whoever comes while this is under way waits for it."""
        if stamp == self._stamp:
            return
        async with self._lock:
            if stamp == self._stamp:
                return
            stamps = await self._shelf.stamps()
            changed = [key for key, value in stamps.items() if self._stamps.get(key) != value]
            gone = [key for key in self._stamps if key not in stamps]
            await asyncio.to_thread(self._drop, [*gone, *changed])
            for start in range(0, len(changed), AT_ONCE):
                some = await self._shelf.vectors(changed[start : start + AT_ONCE])
                await asyncio.to_thread(self._add, some)
            self._shown = (self._rows[: self._used], self._seqs[: self._used])
            self._stamps, self._stamp = stamps, stamp

    def nearest(self, vector: bytes, limit: int) -> Nearest:
        """The passages whose vectors lie nearest. Blocks for some milliseconds: call it in a thread."""
        rows, seqs = self._shown
        if not len(rows):
            return Nearest()
        cosines: NDArray[np.float32] = rows @ np.frombuffer(vector, dtype="<f4")
        count = min(limit, len(cosines))
        best = np.argpartition(cosines, len(cosines) - count)[-count:]
        best = best[np.argsort(-cosines[best], kind="stable")]
        pairs = tuple((int(seqs[place]), float(cosines[place])) for place in best)
        return Nearest(pairs, float(cosines.mean()), float(cosines.std()))

    def _drop(self, document_ids: Sequence[str]) -> None:
        numbers = [self._numbers.pop(key) for key in document_ids if key in self._numbers]
        if not numbers:
            return
        keep = ~np.isin(self._owners[: self._used], numbers)
        self._rows = self._rows[: self._used][keep]  # new arrays: a search under way keeps the old ones
        self._seqs = self._seqs[: self._used][keep]
        self._owners = self._owners[: self._used][keep]
        self._used = len(self._seqs)

    def _add(self, several: Sequence[VectorsOf]) -> None:
        needed = self._used + sum(len(vectors.seqs) for vectors in several)
        if needed > len(self._seqs):
            self._grow(int(needed * GROWTH) if self._used else needed)
        for vectors in several:
            start, end = self._used, self._used + len(vectors.seqs)
            self._rows[start:end] = np.frombuffer(vectors.data, dtype="<f4").reshape(len(vectors.seqs), -1)
            self._seqs[start:end] = vectors.seqs
            self._owners[start:end] = self._next_number
            self._numbers[vectors.document_id] = self._next_number
            self._next_number += 1
            self._used = end

    def _grow(self, size: int) -> None:
        rows, seqs, owners = self._rows, self._seqs, self._owners
        self._rows = np.empty((size, rows.shape[1]), dtype=np.float32)
        self._seqs = np.empty(size, dtype=np.int64)
        self._owners = np.empty(size, dtype=np.int64)
        for old, new in ((rows, self._rows), (seqs, self._seqs), (owners, self._owners)):
            new[: self._used] = old[: self._used]
