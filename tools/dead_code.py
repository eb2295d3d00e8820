"""`python tools/dead_code.py`: functions, methods and classes that nothing in the product uses; exit code 1 if any.

What only tests use is dead too. Entry points count as used; `testing` is for others to use.
"""

import importlib.metadata
import sys
from pathlib import Path

import vulture

ROOT = Path(__file__).parents[1]
ROUTES_AND_VERBS = [
    "@*.get",
    "@*.post",
    "@*.put",
    "@*.patch",
    "@*.delete",
    "@*.command*",
    "@*.group*",
    "@*.tool*",
    "@*validator*",
    "@*listens_for*",
    "@compiles",
]
CALLED_BY_FRAMEWORKS = {
    "process_bind_param": "sqlalchemy.TypeDecorator",
    "process_result_value": "sqlalchemy.TypeDecorator",
    "load_dialect_impl": "sqlalchemy.TypeDecorator",
    "collect": "prometheus_client.registry.Collector",
    "connect_unix_socket": "httpcore.AsyncNetworkBackend",
    "capture_signals": "uvicorn.Server",
    "format_commands": "click.Group",
    "format_help": "click.Command",
    "readable": "io.RawIOBase",
    "ignore_aliases": "yaml.SafeDumper",
}


def unused() -> list[str]:
    """A line for each piece of dead code."""
    entries = importlib.metadata.distribution("frontdesk").entry_points
    used = {entry.attr for entry in entries} | set(CALLED_BY_FRAMEWORKS)
    scan = vulture.Vulture(ignore_names=sorted(used), ignore_decorators=ROUTES_AND_VERBS)
    scan.scavenge([ROOT / "src"], exclude=["*/frontdesk/testing/*"])
    kinds = {"function", "method", "class", "property", "unreachable_code"}
    return [item.get_report() for item in scan.get_unused_code(min_confidence=60) if item.typ in kinds]


if __name__ == "__main__":
    found = unused()
    print("\n".join(found) or "No dead code.")
    sys.exit(bool(found))
