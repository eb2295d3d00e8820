"""An index of the updates that wait or are worked on."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OPEN = "state IN ('waiting', 'working')"


def upgrade() -> None:
    op.create_index(
        "ix_updates_open",
        "updates",
        ["lane", "number", "external_id"],
        unique=False,
        postgresql_where=sa.text(OPEN),
        sqlite_where=sa.text(OPEN),
    )
