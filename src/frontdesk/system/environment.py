"""Environment variables, the environment file, files that hold one value (`NAME_FILE`), and the desk's kept secrets."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from frontdesk.errors import BadSetting

LARGEST = 100_000  # bytes of an environment file, and of a file that holds one value
SECRETS = "secrets"  # the folder of kept secrets in the home: a file each, called like its variable

IGNORED = {
    "JAEGER_AGENT_HOST": "Jaeger's agent is gone: send OTLP, with OTEL_EXPORTER_OTLP_ENDPOINT.",
    "JAEGER_AGENT_PORT": "Jaeger's agent is gone: send OTLP, with OTEL_EXPORTER_OTLP_ENDPOINT.",
    "VECTOR_DB_URL": "Vectors lie in the desk's own database, with the text that they belong to.",
    "VECTOR_DB_API_KEY": "Vectors lie in the desk's own database, with the text that they belong to.",
}

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(?:"((?:[^"\\]|\\.)*)"|'([^']*)')\s*(?:#.*)?""")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Variable:
    """A value, where it was found, and at which rank."""

    value: str
    where: str
    origin: Literal["variable", "environment file", "secrets folder"]


class Environment:
    """Looks names up: first in the process's variables, then in the environment file; in each `NAME`, then `NAME_FILE`;
    last in the folder of kept `secrets`, where a file is called `NAME`.

    An empty variable counts as not set, and hides the same name in the environment file and among the secrets.
    """

    def __init__(self, variables: Mapping[str, str], file: Path | None = None, secrets: Path | None = None) -> None:
        self.file = file
        self._kept = _kept_in(secrets) if secrets else {}
        self._process = {name: Variable(value, name, "variable") for name, value in variables.items()}
        self._file = dict(_read(file)) if file else {}

    def get(self, name: str) -> Variable | None:
        """The value of `name`. Raises `BadSetting` when its file cannot be read, or when it is given both ways."""
        for layer in (self._process, self._file):
            direct, named = layer.get(name), layer.get(f"{name}_FILE")
            if direct and direct.value and named and named.value:
                raise BadSetting(f"{name} and {name}_FILE are both set", where=named.where, hint="Keep one of them.")
            if named and named.value:
                return Variable(_content(name, Path(named.value), named.where), f"{name}_FILE", named.origin)
            if direct:
                return direct if direct.value else None
        if name in self._kept:
            file = self._kept[name]
            return Variable(_content(name, file), str(file), "secrets folder")
        return None

    def is_in_file(self, name: str) -> bool:
        """Whether the environment file itself holds the value of `name`, and nothing stronger does."""
        held = self._file.get(name)
        return bool(held and held.value) and name not in self._process and f"{name}_FILE" not in self._process

    def ignored(self) -> Iterator[tuple[str, str]]:
        """Variables that are set and have no effect any more, and what to do instead."""
        for name, advice in IGNORED.items():
            if name in self._process or name in self._file:
                yield name, advice

    def names_of_file(self) -> tuple[tuple[str, str], ...]:
        """Each name in the environment file and its place."""
        return tuple((name, variable.where) for name, variable in self._file.items())


def _kept_in(folder: Path) -> dict[str, Path]:
    try:
        return {file.name: file for file in folder.iterdir() if _NAME.fullmatch(file.name)}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise BadSetting(f"The kept secrets cannot be read: {error.strerror}", where=str(folder)) from error


def _content(name: str, file: Path, named: str = "") -> str:
    """What `file` holds; `named` is where its path stands."""
    where = f"{named} → {file}" if named else str(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise BadSetting(f"The file of {name} is larger than {LARGEST:,} bytes", where=where)
        return raw.decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSetting(
            f"The file of {name} cannot be read: {reason}",
            where=where,
            hint=f"Let {name}_FILE name a readable file, or set {name}." if named else "Let the desk's user own it.",
        ) from error


def _read(file: Path) -> Iterator[tuple[str, Variable]]:
    """`NAME=value` lines: comments, `export`, single quotes (verbatim), double quotes (escapes). The last wins."""
    try:
        text = file.read_bytes()[: LARGEST + 1].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadSetting(f"The environment file cannot be read: {reason}", where=str(file)) from error
    if len(text) > LARGEST:
        raise BadSetting(f"The environment file is larger than {LARGEST:,} bytes", where=str(file))
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{file}:{number}"
        found = _ASSIGNMENT.fullmatch(line)
        if not found:
            raise BadSetting("This line of the environment file is no `NAME=value`", where=where)
        yield found[1], Variable(_value(found[2].strip(), where), where, "environment file")


def _value(text: str, where: str) -> str:
    if text[:1] not in ('"', "'"):
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].strip()
    quoted = _QUOTED.fullmatch(text)
    if not quoted:
        raise BadSetting("A quotation mark is not closed on its line", where=where)
    if quoted[1] is None:
        return quoted[2]
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), quoted[1])
