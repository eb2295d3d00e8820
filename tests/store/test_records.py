"""An export forgets no table, and tells no secret."""

import msgspec

from frontdesk.store.database import Database, metadata
from frontdesk.store.records import COPIES, NOT_TOLD, TOLD_ELSEWHERE, records_of
from tests.store.everything import fill, owned

BENEATH = {"refresh_tokens", "turn_events", "words"}  # rows of rows: of sessions, turns and conversations


async def test_every_table_of_a_person_is_told_here_or_by_its_subject(database: Database) -> None:
    person_id = await database.commit(lambda connection: fill(connection, "ann"))
    await database.commit(lambda connection: fill(connection, "ben"))
    told = await records_of(database, person_id)
    assert set(told) == {table.name for table in owned()} - TOLD_ELSEWHERE - COPIES - NOT_TOLD - BENEATH
    document = msgspec.json.encode(told).decode()
    for name, rows in told.items():
        assert len(rows) == 1, name
    assert "of-ann" in document
    assert "of-ben" not in document
    assert "hash" not in document


def test_what_is_told_elsewhere_are_tables() -> None:
    assert set(metadata.tables) >= TOLD_ELSEWHERE | COPIES | NOT_TOLD
