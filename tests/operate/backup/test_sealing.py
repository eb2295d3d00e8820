"""Sealed pieces: what was changed, moved, left out or cut off does not open."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frontdesk.errors import FrontdeskError
from frontdesk.operate.backup import sealing
from frontdesk.operate.backup.checking import check
from frontdesk.operate.backup.packing import pack, unpack
from frontdesk.operate.backup.sealing import HEAD, TAG, seal, unseal
from frontdesk.operate.backup.shelves import Folder
from frontdesk.operate.errors import BackupDamaged
from tests.operate.backup.conftest import KEY, NAME, backed_up, fill_desk, subject

CHUNK = 64  # bytes, so that few bytes make many chunks
SEALED = CHUNK + TAG
ALWAYS = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CHUNK", CHUNK)
    monkeypatch.setattr(sealing, "SEALED", SEALED)


def sealed(plain: bytes, piece: str = "files") -> bytes:
    return b"".join(seal([plain], KEY, NAME, piece))


def opened(whole: bytes, piece: str = "files") -> bytes:
    return b"".join(unseal([whole], KEY, NAME, piece))


@ALWAYS
@given(st.lists(st.binary(max_size=3 * CHUNK), max_size=6), st.integers(1, 200))
def test_what_is_sealed_in_any_parts_opens_in_any_parts(parts: list[bytes], size: int) -> None:
    whole = b"".join(seal(parts, KEY, NAME, "files"))
    pieces = (whole[start : start + size] for start in range(0, len(whole), size))
    assert b"".join(unseal(pieces, KEY, NAME, "files")) == b"".join(parts)


@ALWAYS
@given(st.binary(max_size=5 * CHUNK), st.data())
def test_a_flipped_bit_anywhere_is_noticed(plain: bytes, data: st.DataObject) -> None:
    whole = bytearray(sealed(plain))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BackupDamaged):
        opened(bytes(whole))


@ALWAYS
@given(st.binary(max_size=5 * CHUNK), st.data())
def test_an_end_that_was_cut_off_or_added_is_noticed(plain: bytes, data: st.DataObject) -> None:
    whole = sealed(plain)
    with pytest.raises(BackupDamaged):
        opened(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BackupDamaged):
        opened(whole + data.draw(st.binary(min_size=1, max_size=2 * SEALED)))


@ALWAYS
@given(st.permutations(range(5)), st.integers(1, CHUNK))
def test_chunks_in_another_order_are_noticed(order: list[int], rest: int) -> None:
    whole = sealed(random.Random(0).randbytes(4 * CHUNK + rest))
    chunks = [whole[start : start + SEALED] for start in range(HEAD, len(whole), SEALED)]
    moved = whole[:HEAD] + b"".join(chunks[index] for index in order)
    if moved == whole:
        assert len(opened(moved)) == 4 * CHUNK + rest
        return
    with pytest.raises(BackupDamaged):
        opened(moved)


def test_chunks_that_are_missing_repeated_or_of_another_piece_are_noticed() -> None:
    whole, other = sealed(bytes(5 * CHUNK)), sealed(bytes(5 * CHUNK))
    second, end = HEAD + SEALED, HEAD + 2 * SEALED
    for changed in (
        whole[:second] + whole[end:],
        whole[:end] + whole[second:],
        whole[:second] + other[second:end] + whole[end:],
    ):
        with pytest.raises(BackupDamaged):
            opened(changed)
    with pytest.raises(BackupDamaged):
        opened(whole, piece="keys")


@ALWAYS
@given(st.lists(st.binary(), max_size=5), st.data())
def test_what_is_packed_unpacks_and_its_end_is_not_missed(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pack(parts))
    assert b"".join(unpack([whole], "files")) == b"".join(parts)
    with pytest.raises(BackupDamaged):
        b"".join(unpack([whole[: data.draw(st.integers(0, len(whole) - 1))]], "files"))


@pytest.mark.proves("promise-19", "agents-16")
@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_any_flipped_byte_and_any_missing_piece_of_a_backup_is_noticed(
    home: Path, shelf: Folder, empty_database_url: str, chance: random.Random
) -> None:
    await fill_desk(empty_database_url)
    await backed_up(subject(home, empty_database_url), shelf)
    for file in sorted((shelf.path / NAME).iterdir()):
        whole = file.read_bytes()
        small = len(whole) < 100
        for place in range(len(whole)) if small else sorted(chance.sample(range(len(whole)), 25)):
            changed = bytearray(whole)
            changed[place] ^= chance.randrange(1, 256)
            file.write_bytes(changed)
            with pytest.raises(FrontdeskError):
                await check(shelf, NAME, KEY)
        file.unlink()
        with pytest.raises(BackupDamaged, match="missing"):
            await check(shelf, NAME, KEY)
        file.write_bytes(whole)
    await check(shelf, NAME, KEY)
