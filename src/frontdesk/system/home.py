"""Where the desk keeps what it stores, and the blueprints that it ships with."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

BLUEPRINTS = Path(__file__).parent / "blueprints"
SYSTEM_FILE = "system.yaml"  # in the home
CONTAINER_HOME = "/var/lib/frontdesk"  # the home within a container


def home_folder(variables: Mapping[str, str] = os.environ) -> Path:
    """`FRONTDESK_HOME`, or the platform's folder for a user's data. It need not exist yet."""
    chosen = variables.get("FRONTDESK_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "frontdesk"
    if sys.platform == "win32":
        return Path(variables.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "frontdesk"
    data = variables.get("XDG_DATA_HOME", "")  # the specification says that a relative one is to be ignored
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "frontdesk"


def blueprints() -> tuple[str, ...]:
    """The names of the systems that ship with the product."""
    return tuple(sorted(file.stem for file in BLUEPRINTS.glob("*.yaml")))


def blueprint_file(name: str) -> Path:
    """The annotated system file of a blueprint; the name must be one of `blueprints()`."""
    return BLUEPRINTS / f"{name}.yaml"
