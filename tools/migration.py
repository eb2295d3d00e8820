"""`python tools/migration.py "what changes"`: drafts the next revision from the tables in `store`, for you to read.

Search tables, triggers and generated columns are beyond Alembic's comparison: write them by hand, for each dialect.
"""

import importlib
import pkgutil
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.script import ScriptDirectory

import frontdesk.store


def main() -> None:
    """Write the draft and print its path."""
    if len(sys.argv) != 2 or not sys.argv[1]:
        sys.exit('Say what changes: make migration NAME="add widgets"')
    for module in pkgutil.iter_modules(frontdesk.store.__path__):  # each registers its tables
        importlib.import_module(f"frontdesk.store.{module.name}")
    with sa.create_engine("sqlite://").begin() as connection:
        config = Config(
            attributes={
                "connection": connection,
                "drafting": {"render_item": render, "include_name": ours, "render_as_batch": True},
            }
        )
        config.set_main_option("script_location", str(Path(frontdesk.store.__path__[0]) / "migrations"))
        command.upgrade(config, "head")
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        command.revision(config, sys.argv[1], autogenerate=True, rev_id=f"{number:04}")


def render(kind: str, item: object, _context: AutogenContext) -> str | bool:
    """A revision spells the plain column type behind a type of the product, and defaults that fit every dialect."""
    if kind == "type" and isinstance(item, sa.TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    if kind == "server_default" and isinstance(item, sa.DefaultClause) and isinstance(item.arg, sa.True_ | sa.False_):
        return f"sa.{item.arg}()"
    return False


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is described in `store`, and is not part of a search table."""
    return not (kind == "table" and str(name).startswith("passages_search"))


if __name__ == "__main__":
    main()
