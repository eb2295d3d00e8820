"""What the desk keeps of a person in tables that no subject tells of: read off the tables, so none is forgotten."""

from collections.abc import Mapping, Sequence

import msgspec
import sqlalchemy as sa

from frontdesk.store.database import Database, metadata
from frontdesk.store.people import people

TOLD_ELSEWHERE = frozenset({"conversations", "messages", "memories", "files", "handoffs", "surveys", "model_calls"})
COPIES = frozenset({"inbox", "turns"})  # of messages, on their way
NOT_TOLD = frozenset(
    {
        "notes",  # the team's own words about a conversation
        "sign_in_links",  # rights to come in
        "link_codes",
        "link_tries",
    }
)
SECRET = frozenset({"password_hash", "key_hash", "token_hash", "fence"})

Rows = Sequence[Mapping[str, object]]


async def records_of(database: Database, person_id: str) -> dict[str, Rows]:
    """By table, the rows that are the person's, as JSON's own types and without secrets."""
    found: dict[str, Rows] = {}
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            owner = table.c.id if table is people else table.c.get("person_id")
            if owner is None or table.name in TOLD_ELSEWHERE | COPIES | NOT_TOLD:
                continue
            told = [column for column in table.columns if column.name not in SECRET]
            rows = await connection.execute(sa.select(*told).where(owner == person_id))
            if here := [
                {str(name): msgspec.to_builtins(value) for name, value in row.items()} for row in rows.mappings()
            ]:
                found[table.name] = here
    return found
