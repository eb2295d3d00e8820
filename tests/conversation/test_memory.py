"""What the desk remembers about people is found again, and how long that takes is known."""

import pytest

from frontdesk.conversation.memory import PersonMemory
from frontdesk.messages import Role
from frontdesk.store.database import Database
from frontdesk.store.memories import Memories
from frontdesk.store.people import People
from frontdesk.telemetry import metrics
from frontdesk.testing.clock import CountingIds, FakeClock


def measured() -> float | None:
    return metrics.registry.get_sample_value("frontdesk_memory_retrieval_seconds_count")


@pytest.mark.proves("agents-10")
async def test_how_long_it_takes_to_recall_what_is_known_of_somebody_is_measured(
    embedded: Database, clock: FakeClock, ids: CountingIds
) -> None:
    ada = await People(embedded, clock, ids).add(name="Ada", role=Role.MEMBER)
    memory = PersonMemory(Memories(embedded, clock, ids), None)
    before = measured()
    assert before is not None
    assert await memory.recall(ada.id, "What is my dog called?") == []
    await memory.keep(ada.id, "my dog is called Rex", "msg_1")
    assert [fact.text for fact in await memory.recall(ada.id, "What is my dog called?")] == ["my dog is called Rex"]
    assert measured() == before + 2
