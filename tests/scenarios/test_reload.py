"""A system file that changes while the desk runs: a sound one is taken over, another one changes nothing."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from frontdesk.app.reload import Reload
from frontdesk.decision.options import EngagementOptions
from frontdesk.store.audit import Audit
from frontdesk.store.database import Database
from frontdesk.system.load import load
from frontdesk.testing.clock import FakeClock


@dataclass
class Watched:
    """A desk's file, and what was handed on of it."""

    file: Path
    reload: Reload
    audit: Audit
    taken: list[EngagementOptions] = field(default_factory=list)
    _saved: int = 0

    def save(self, text: str) -> None:
        """Write the file, a second later each time."""
        self._saved += 1
        self.file.write_text(text)
        os.utime(self.file, (self._saved, self._saved))

    async def acts(self) -> list[str]:
        return [row.subject for row in await self.audit.page()]


@pytest.fixture
async def watched(tmp_path: Path, database: Database, clock: FakeClock) -> Watched:
    file = tmp_path / "system.yaml"
    file.write_text("engagement:\n  risk_tolerance: 0.05\n")
    audit = Audit(database, clock, b"k" * 32)
    taken: list[EngagementOptions] = []
    return Watched(file, Reload(load(file, home=tmp_path, variables={}), taken.append, audit), audit, taken)


async def test_a_changed_section_is_taken_over_once_and_audited(watched: Watched) -> None:
    await watched.reload.look()
    assert watched.taken == []
    watched.save("engagement:\n  risk_tolerance: 0.01\n  mode: supervised\n")
    for _ in range(2):
        await watched.reload.look()
    assert [options.risk_tolerance for options in watched.taken] == [0.01]
    assert await watched.acts() == ["risk_tolerance"]


async def test_a_mistake_changes_nothing_until_it_is_mended(watched: Watched) -> None:
    watched.save("engagement:\n  risk_tolerance: many\n")
    await watched.reload.look()
    watched.file.unlink()
    await watched.reload.look()
    assert (watched.taken, await watched.acts()) == ([], [])
    watched.save("engagement:\n  risk_tolerance: 0.02\n")
    await watched.reload.look()
    assert [options.risk_tolerance for options in watched.taken] == [0.02]


async def test_other_sections_wait_for_a_restart(watched: Watched) -> None:
    watched.save("desk:\n  name: Other\nengagement:\n  risk_tolerance: 0.05\n")
    await watched.reload.look()
    assert (watched.taken, await watched.acts()) == ([], [])
