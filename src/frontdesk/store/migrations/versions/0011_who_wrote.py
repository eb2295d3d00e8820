"""Indexes of what people of the team wrote, so that whoever is erased is found without reading every message."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

WRITTEN = "author_id IS NOT NULL"


def upgrade() -> None:
    op.create_index(
        "ix_messages_author_id",
        "messages",
        ["author_id"],
        unique=False,
        postgresql_where=sa.text(WRITTEN),
        sqlite_where=sa.text(WRITTEN),
    )
    op.create_index("ix_notes_author_id", "notes", ["author_id"], unique=False)
    op.create_index("ix_surveys_asked_by", "surveys", ["asked_by"], unique=False)
