"""Cursors of lists: a moment and an id, so that the next page goes on there, whatever has come in meanwhile."""

from datetime import datetime

import sqlalchemy as sa

from frontdesk.errors import NotFound
from frontdesk.store.database import UtcDateTime


def cursor(moment: datetime, identity: str) -> str:
    """Where a page ends."""
    return f"{moment.isoformat()}~{identity}"


def seen(cursor: str) -> sa.Tuple:
    """The same to compare with the columns of moment and id. Raises `NotFound` for what was never a cursor."""
    moment, _, identity = cursor.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise NotFound("There is no such page", where="cursor") from None
    return sa.tuple_(sa.literal(at, UtcDateTime), sa.literal(identity))
