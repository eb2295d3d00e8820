"""The plans of all shipped systems in all environments, and their files on disk."""

from functools import cache
from pathlib import Path

from frontdesk.render.target import Files
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described

ENVIRONMENTS = ("development", "staging", "production")
ALL = tuple((blueprint, environment) for blueprint in blueprints() for environment in ENVIRONMENTS)


@cache
def plan_of(blueprint: str, environment: str) -> Plan:
    """The plan of a shipped system; it has no mistakes."""
    system, problems = described(blueprint_file(blueprint), environment)
    assert system is not None
    assert not problems
    return Plan(system)


def write(files: Files, folder: Path) -> Path:
    """Files into a folder, which is returned."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
