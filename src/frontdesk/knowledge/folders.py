"""Folders that are watched, and Frontdesk's own documentation, which is one of them."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from frontdesk.knowledge.options import KnowledgeOptions
from frontdesk.knowledge.readers import suffixes

OWN = "Frontdesk documentation"
LISTS = ("reference",)  # pages to look things up in; among a newcomer's answers they stand in the way of the guides


class Folder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of documents. `label` begins the source of each, so that readers see no path of the machine.

    What lies in the folder's own folders of the names in `leave_out` is not read.
    """

    label: str
    path: Path
    leave_out: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """What marks its documents."""
        return f"folder:{self.label}"

    def files(self) -> dict[str, Path]:
        """Readable files by source, hidden ones and links that lead elsewhere left out."""
        root = self.path.resolve()
        known = suffixes()
        found: dict[str, Path] = {}
        for path in sorted(root.rglob("*")):
            inside = path.relative_to(root)
            if path.suffix.lower() not in known or any(part.startswith(".") for part in inside.parts):
                continue
            if inside.parts[0] in self.leave_out:
                continue
            if path.is_file() and path.resolve().is_relative_to(root):
                found[f"{self.label}/{inside.as_posix()}"] = path
        return found


def folders_of(options: KnowledgeOptions) -> list[Folder]:
    """The configured folders, labelled by their names (by their whole paths where two have the same)."""
    paths = [Path(text).expanduser().absolute() for text in options.folders]
    folders = [Folder(label=_label(path, paths), path=path) for path in dict.fromkeys(paths)]
    own = own_documentation()
    if options.own_documentation and own is not None:
        folders.append(Folder(label=OWN, path=own, leave_out=LISTS))
    return folders


def own_documentation() -> Path | None:
    """Where Frontdesk's own documentation lies: in the package, or beside the sources of a checkout."""
    package = Path(__file__).parents[1]
    return next((path for path in (package / "docs", package.parents[1] / "docs") if path.is_dir()), None)


def _label(path: Path, every: Iterable[Path]) -> str:
    namesakes = {other for other in every if other.name == path.name}
    return path.name if len(namesakes) == 1 and path.name != OWN else str(path)
