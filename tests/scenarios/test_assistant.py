"""The assistant blueprint, end to end: a real desk on loopback, a scripted model."""

from pathlib import Path

import pytest

from frontdesk.testing.desk import served_desk, text_of
from frontdesk.testing.upstream import Reply


@pytest.mark.proves("assistant-2")
async def test_a_person_signs_in_by_link_and_reads_the_reply_as_it_comes(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="We open at nine.")]) as served:
        ann = await served.client()
        said = await served.ask(ann, "When do you open?")
        assert [said[0].tag, said[-1].tag] == ["turn.started", "turn.finished"]
        assert text_of(said) == "We open at nine."
