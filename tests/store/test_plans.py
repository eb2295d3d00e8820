"""How the databases find rows: no statement of the hot path may read a whole table, and no reference may either."""

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import msgspec
import pytest
import sqlalchemy as sa

from frontdesk.store.database import Database, metadata
from frontdesk.store.prepared import Prepared

# Every message makes rows of these. They grow for as long as the desk runs.
GROWING = {"conversations", "messages", "turns", "turn_events", "inbox", "outbox", "updates", "files", "memories"}


def prepared() -> Iterator[tuple[str, Prepared]]:
    """All statements that the store prepares, by their names."""
    for module in [module for name, module in sys.modules.items() if name.startswith("frontdesk.store.")]:
        for name, value in vars(module).items():
            among = value.values() if isinstance(value, dict) else [value]
            yield from ((f"{module.__name__}.{name}", each) for each in among if isinstance(each, Prepared))


def read_whole(plan: Mapping[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set[str]()
    return own.union(*(read_whole(part) for part in plan.get("Plans", ())))


@pytest.mark.parametrize("database_kind", ["postgres"], indirect=True)
async def test_a_plan_that_was_made_for_a_young_database_reads_no_growing_table_whole(
    empty_database_url: str,
) -> None:
    # PostgreSQL soon keeps one plan for all values of a prepared statement, until it has counted the table's rows.
    database = await Database.open(empty_database_url)
    async with database.engine.begin() as made:
        await made.run_sync(metadata.create_all)
    connection = await asyncpg.connect(empty_database_url, statement_cache_size=0)
    try:
        found: dict[str, set[str]] = {}
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        for number, (name, statement) in enumerate(prepared()):
            sql = statement.compiled(database.engine.dialect).sql
            count = max((int(place) for place in re.findall(r"\$(\d+)", sql)), default=0)
            values = f"({', '.join(['NULL'] * count)})" if count else ""
            await connection.execute(f"PREPARE statement_{number} AS {sql}")
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE statement_{number}{values}")
            found[name] = read_whole(msgspec.json.decode(plan)[0]["Plan"]) & GROWING
    finally:
        await connection.close()
        await database.close()
    assert len(found) > 100
    assert {name: tables for name, tables in found.items() if tables} == {}


def test_whoever_refers_to_a_row_that_goes_is_found_by_an_index() -> None:
    unfound: list[str] = []
    for table in metadata.sorted_tables:
        keys = [constraint for constraint in table.constraints if isinstance(constraint, sa.UniqueConstraint)]
        leading = {next(iter(index.columns)) for index in [*table.indexes, *keys, table.primary_key]}
        unfound += [str(key.parent) for key in table.foreign_keys if key.parent not in leading]
    assert unfound == []
