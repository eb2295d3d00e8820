"""Full-text search of passages: an FTS5 table kept by triggers on SQLite, a generated column on PostgreSQL."""

from alembic import op

revision = "0002"
down_revision = "0001"

SQLITE = (
    """CREATE VIRTUAL TABLE passages_search USING fts5(
        title, heading, text, content='passages', content_rowid='seq',
        tokenize='porter unicode61 remove_diacritics 2')""",
    """CREATE TRIGGER passages_search_insert AFTER INSERT ON passages BEGIN
        INSERT INTO passages_search(rowid, title, heading, text) VALUES (new.seq, new.title, new.heading, new.text);
        END""",
    """CREATE TRIGGER passages_search_delete AFTER DELETE ON passages BEGIN
        INSERT INTO passages_search(passages_search, rowid, title, heading, text)
        VALUES ('delete', old.seq, old.title, old.heading, old.text); END""",
    """CREATE TRIGGER passages_search_update AFTER UPDATE OF title, heading, text ON passages BEGIN
        INSERT INTO passages_search(passages_search, rowid, title, heading, text)
        VALUES ('delete', old.seq, old.title, old.heading, old.text);
        INSERT INTO passages_search(rowid, title, heading, text) VALUES (new.seq, new.title, new.heading, new.text);
        END""",
)
POSTGRES = (
    """ALTER TABLE passages ADD COLUMN search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english', title || ' ' || heading), 'A') || setweight(to_tsvector('english', text), 'B')
    ) STORED""",
    "CREATE INDEX ix_passages_search ON passages USING gin (search)",
)


def upgrade() -> None:
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRES:
        op.execute(statement)
