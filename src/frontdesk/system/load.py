"""Loading: file, environment file, variables and options become one `System`, or all of their mistakes at once."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path as File
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from frontdesk import registry
from frontdesk.errors import BadSetting, BadSystemFile, FrontdeskError
from frontdesk.system.document import DEEPEST, Document, Value
from frontdesk.system.environment import IGNORED, SECRETS, Environment
from frontdesk.system.home import CONTAINER_HOME, blueprints, home_folder
from frontdesk.system.layout.named import Named
from frontdesk.system.mistakes import MOST_TOLD, dotted, explained, near
from frontdesk.system.options import DeskOptions
from frontdesk.system.production import placeholders, refusals
from frontdesk.system.section import Binding, Path, Section, bindings, key_of, section_at
from frontdesk.system.system import Origin, System, is_placeholder

BLUEPRINT = "blueprint"  # the keys of the file that are no section
ENVIRONMENTS = "environments"


def load(
    file: File | None = None,
    *,
    env_file: File | None = None,
    home: File | None = None,
    options: Mapping[str, object] | None = None,
    variables: Mapping[str, str] = os.environ,
) -> System:
    """The system that `file` describes; without a file, all defaults.

    A variable is stronger than the environment file (`env_file`, or `.env` next to the system file), that is stronger
    than the system file, and that than the default. `options` (`{"http.port": 8123}`: the command line's) are stronger
    than all. Raises `BadSystemFile` or `BadSetting`, with every mistake in its `problems`.
    """
    system, problems = examine(file, env_file=env_file, home=home, options=options, variables=variables)
    if system is None or problems:
        raise together(problems)
    return system


def examine(
    file: File | None = None,
    *,
    env_file: File | None = None,
    home: File | None = None,
    options: Mapping[str, object] | None = None,
    variables: Mapping[str, str] = os.environ,
    starting: bool = True,
) -> tuple[System | None, tuple[FrontdeskError, ...]]:
    """As `load`, but tells the mistakes instead of raising them. The system is None where they leave none.

    With `starting` off it is only described, not started: then a secret that production misses is no mistake, of the
    file's environments only the chosen one is looked at, and what is wrong in a section is left out of it, so that what
    the file says besides can be looked at as well: `System.left_out` says which.
    """
    home = home or home_folder(variables)
    try:
        document = Document.of(file) if file else None
        environment = Environment(
            variables, _environment_file(env_file, file, home), home / SECRETS if starting else None
        )
    except FrontdeskError as error:
        return None, (error,)
    loading = _Loading(document, environment, options or {}, leaving_out=not starting)
    sections = loading.sections()
    problems: list[FrontdeskError] = loading.problems + (_of_other_environments(loading) if starting else [])
    system = System(
        home=home,
        sections=sections,
        environment_variables=environment,
        file=file,
        blueprint=loading.blueprint,
        origins=loading.origins,
        left_out=frozenset(loading.left_out),
        again=partial(examine, file, env_file=env_file, home=home, options=options, variables=variables),
    )
    system = replace(system, warnings=(*loading.warnings, *placeholders(system)))
    if starting:
        problems.extend(refusals(system))
    problems.sort(key=line_of)
    return (system if len(sections) == len(kinds()) else None), tuple(_as_many_as_are_read(problems))


def described(
    file: File, environment: str, options: Mapping[str, object] | None = None
) -> tuple[System | None, tuple[FrontdeskError, ...]]:
    """What `file` says of one environment, and every mistake in it. This machine and its variables do not count.

    With mistakes the system is what the rest of the file says, or None where nothing can be made of that.
    """
    chosen = {**(options or {}), "desk.environment": environment}
    return examine(
        file, env_file=File(os.devnull), home=File(CONTAINER_HOME), options=chosen, variables={}, starting=False
    )


@cache
def kinds() -> Mapping[str, type[Section]]:
    """The classes of all installed sections, by the name of their key in the file. Raises `BadSetting`."""
    loaded = {name: registry.load_class("sections", name, Section) for name in registry.names("sections")}
    first = [name for name in ("desk", "http", "models", "knowledge", "tools", "conversation") if name in loaded]
    return {name: loaded[name] for name in (*first, *(name for name in loaded if name not in first))}


def together(problems: tuple[FrontdeskError, ...]) -> FrontdeskError:
    """One error for several: itself if it is alone, else one that names the place of each."""
    if len(problems) == 1:
        return problems[0]
    kind = BadSetting if all(isinstance(problem, BadSetting) for problem in problems) else BadSystemFile
    places = dict.fromkeys(problem.where or problem.what for problem in problems)
    error = kind(
        f"{len(problems)} problems keep the desk from starting",
        where=", ".join(places),
        hint="`frontdesk check` lists every problem with its remedy.",
    )
    error.problems = problems
    return error


def line_of(problem: FrontdeskError) -> int:
    """The line of a problem in a file; 0 for one of the environment."""
    number = (problem.where or "").rpartition(":")[2]
    return int(number) if number.isdigit() else 0


def _as_many_as_are_read(problems: list[FrontdeskError]) -> Iterator[FrontdeskError]:
    yield from problems[:MOST_TOLD]
    if rest := problems[MOST_TOLD:]:
        yield BadSystemFile(f"{len(rest)} more mistakes", where=rest[0].where, hint="Is it the right file?")


def _environment_file(chosen: File | None, file: File | None, home: File) -> File | None:
    if chosen:
        return chosen
    beside = (file.parent if file else home) / ".env"
    return beside if beside.is_file() else None


def _of_other_environments(loading: "_Loading") -> list[FrontdeskError]:
    """What would keep the desk from starting in the file's other environments, told once."""
    told = {str(problem) for problem in loading.problems}
    found: list[FrontdeskError] = []
    for name in loading.overlays:
        if name != loading.chosen:
            other = _Loading(loading.document, loading.environment, loading.options, chosen=name)
            other.sections()
            found += [problem for problem in other.problems if str(problem) not in told]
            told |= {str(problem) for problem in other.problems}
    return found


class _Loading:
    """One run of loading: what it found, and what it has to say about it.

    What stands in the file under `environments` for the chosen environment lies over the sections of the file.
    """

    def __init__(
        self,
        document: Document | None,
        environment: Environment,
        options: Mapping[str, object],
        chosen: str | None = None,
        *,
        leaving_out: bool = False,
    ) -> None:
        self.document = document
        self.environment = environment
        self.options = options
        self.problems: list[FrontdeskError] = list(document.problems if document else ())
        self.warnings: list[FrontdeskError] = []
        self.origins: dict[Path, Origin] = {}
        self.blueprint: str | None = None
        self.chosen = chosen
        self.leaving_out = leaving_out
        self.left_out: set[Path] = set()
        self.overlays: dict[str, dict[str, Value]] = {}
        self._within: dict[Path, Path] = {}  # which part of the file a value came from: () or one of its environments

    def sections(self) -> dict[str, Section]:
        """Each section that can be made; what keeps the others from it stands in `problems`."""
        values = dict(self.document.values) if self.document else {}
        self._note_blueprint(values.pop(BLUEPRINT, None))
        self._note_environments(values.pop(ENVIRONMENTS, None))
        self._choose(values)
        overlay = self.overlays.get(self.chosen or "", {})
        self._refuse_strangers((), values)
        self._refuse_strangers((ENVIRONMENTS, self.chosen or ""), overlay)
        made = {
            name: self._section(name, kind, self._said((), name, values), self._said(self._overlaid, name, overlay))
            for name, kind in kinds().items()
        }
        self._warn_of_variables()
        return {name: section for name, section in made.items() if section is not None}

    @property
    def _overlaid(self) -> Path:
        return (ENVIRONMENTS, self.chosen or "")

    def _note_environments(self, said: Value) -> None:
        known = get_args(DeskOptions.model_fields["environment"].annotation)
        if not isinstance(said, dict | None):
            self._problem((ENVIRONMENTS,), f"`{ENVIRONMENTS}` is a mapping", f"Known here: {', '.join(known)}.")
            return
        for name, overlay in (said or {}).items():
            if name not in known:
                hint = near(name, known) or f"Known here: {', '.join(known)}."
                self._problem((ENVIRONMENTS, name), f"There is no environment `{name}`", hint)
            elif isinstance(overlay, dict):
                self.overlays[name] = overlay
            elif overlay is not None:
                self._problem(
                    (ENVIRONMENTS, name), f"`{name}` is a mapping of sections", "Indent its sections below it."
                )

    def _choose(self, values: dict[str, Value]) -> None:
        """Which environment it is: the strongest word on `desk.environment`."""
        desk = values.get("desk")
        said = dict(desk) if isinstance(desk, dict) else {}
        if self.chosen is not None:  # asked for: stronger than any variable
            self.options = {**self.options, "desk.environment": self.chosen}
            return
        chosen = said.get("environment")
        for binding in bindings(("desk",), DeskOptions):
            if binding.path == ("desk", "environment"):
                with contextlib.suppress(BadSetting):  # told when the section is made
                    found = self.environment.get(binding.env.name)
                    chosen = found.value if found else chosen
        self.chosen = str(self.options.get("desk.environment", chosen or DeskOptions().environment))

    def _refuse_strangers(self, within: Path, values: Mapping[str, Value]) -> None:
        strangers = [name for name in values if name not in kinds()]
        for name in strangers[: MOST_TOLD + 1]:
            hint = near(name, [*kinds(), BLUEPRINT, ENVIRONMENTS]) or f"Known here: {', '.join(kinds())}."
            self._problem((*within, name), f"There is no section `{name}`", hint)

    def _said(self, within: Path, name: str, values: Mapping[str, Value]) -> dict[str, Any]:
        """What a part of the file says of a section."""
        said = values.get(name)
        if said is not None and not isinstance(said, dict):
            self._problem(
                (*within, name), f"`{name}` is a section: a mapping of settings", "Indent its settings below it."
            )
            return {}
        return dict(said or {})

    def _note_blueprint(self, name: Value) -> None:
        if name is None:
            return
        if name not in blueprints():
            hint = near(str(name), blueprints()) or f"There are: {', '.join(blueprints())}."
            self._problem((BLUEPRINT,), f"There is no blueprint `{name}`", hint)
        self.blueprint = str(name)

    def _section(self, name: str, kind: type[Section], said: dict[str, Any], overlay: dict[str, Any]) -> Section | None:
        self._within[name,] = self._overlaid if overlay else ()
        self._note_origins((name,), said, ())
        self._note_origins((name,), overlay, self._overlaid)
        values = _laid_over(said, overlay)
        for binding in bindings((name,), kind):
            self._bind(binding, values)
        for path, value in self.options.items():
            parts = tuple(path.split("."))
            if parts[0] == name:
                _put(values, parts[1:], value)
                self.origins[parts] = Origin("option", path)
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False)
        for detail in found[: MOST_TOLD + 1]:
            self._explain((name, *detail["loc"]), kind, detail)
        return self._without(name, kind, values, found) if self.leaving_out and len(found) <= MOST_TOLD else None

    def _without(
        self, name: str, kind: type[Section], values: dict[str, Any], found: Iterable[ErrorDetails]
    ) -> Section | None:
        """The section without its mistakes; None where a whole entry would have to go that others may name."""
        named = issubclass(kind, Named)
        for _ in range(DEEPEST):  # what lacks a key goes in the next round, and what lacks that in the one after
            for detail in found:
                faulty = _whole(detail["loc"][:-1] if detail["type"] == "missing" else detail["loc"])
                if not faulty or (named and len(faulty) == 1):
                    return None
                _drop(values, faulty)
                self.left_out.add((name, *faulty))
            try:
                return kind.model_validate(values)
            except ValidationError as error:
                found = error.errors(include_url=False)
        return None

    def _note_origins(self, path: Path, values: dict[str, Any] | list[Any], within: Path) -> None:
        """Where each value of a part of the file stands; a list of an environment stands in place of the one below."""
        entries = values.items() if isinstance(values, dict) else enumerate(values)
        key: str | int
        for key, value in entries:
            here = (*path, key)
            if self.document and self.document.holds((*within, *here)):
                self.origins[here] = Origin("system file", self.document.place((*within, *here)))
                self._within[here] = within
            if isinstance(value, dict | list):
                self._note_origins(here, value, within)  # pyright: ignore[reportUnknownArgumentType] — keys are text, by Document

    def _bind(self, binding: Binding, values: dict[str, Any]) -> None:
        """Put the variable's value into the section's values, and keep secrets out of the system file."""
        env, path = binding.env, binding.path
        if env.secret and self.document and any(self.document.holds((*part, *path)) for part in ((), self._overlaid)):
            self._problem(path, f"`{path[-1]}` is a secret and never stands in the system file", f"Set {env.name}.")
            _drop(values, path[1:])
            self.origins.pop(path, None)
        try:
            found = self.environment.get(env.name)
        except BadSetting as error:
            self.problems.append(error)
            return
        if found is None:
            return
        if env.secret and is_placeholder(found.value, env.placeholders):
            return  # counts as not set; `production` says so
        value = [part.strip() for part in found.value.split(",") if part.strip()] if binding.is_list else found.value
        _put(values, path[1:], value)
        self.origins[path] = Origin(found.origin, found.where)

    def _explain(self, path: Path, kind: type[Section], detail: ErrorDetails) -> None:
        """One mistake that pydantic found, in plain words and with its place."""
        if detail["type"] == "extra_forbidden":
            owner = section_at(kind, path[1:-1])
            keys = [key_of(name, field) for name, field in owner.model_fields.items()] if owner else []
            hint = near(str(path[-1]), keys) or _elsewhere(str(path[-1])) or f"Known here: {', '.join(keys)}."
            self._problem(path, f"There is no setting `{dotted(path)}`", hint)
            return
        self._problem(path, *explained(path, kind, detail))

    def _problem(self, path: Path, what: str, hint: str | None = None) -> None:
        origin = self._origin_near(path)
        if origin is not None and origin.kind == "secrets folder":
            name = File(origin.place).name
            remedy = hint or f"Put another one in its place: frontdesk secrets rotate {name}"
            self.problems.append(BadSetting(what, where=origin.place, hint=remedy))
        elif origin is not None and origin.kind in ("variable", "environment file"):
            remedy = hint or "Change or unset the variable."
            self.problems.append(BadSetting(what, where=origin.place, hint=remedy))
        elif origin is not None and origin.kind == "option":
            self.problems.append(BadSetting(what, where=origin.place, hint=hint))
        elif self.document:
            self.problems.append(BadSystemFile(what, where=self.document.place(self._in_file(path)), hint=hint))
        else:
            self.problems.append(BadSystemFile(what, where=dotted(path), hint=hint))

    def _in_file(self, path: Path) -> Path:
        """Where in the file the value at `path` stands."""
        nearest = path
        while nearest and nearest not in self._within:
            nearest = nearest[:-1]
        return (*self._within.get(nearest, ()), *path)

    def _origin_near(self, path: Path) -> Origin | None:
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins.get(path)

    def _warn_of_variables(self) -> None:
        for name, advice in self.environment.ignored():
            self.warnings.append(BadSetting(f"{name} has no effect", where=name, hint=advice))
        known = {binding.env.name for name, kind in kinds().items() for binding in bindings((name,), kind)}
        known |= {f"{name}_FILE" for name in known} | IGNORED.keys()
        for name, where in self.environment.names_of_file():
            if name not in known and (hint := near(name, known)):
                self.warnings.append(BadSetting(f"{name} is not known", where=where, hint=hint))


def _elsewhere(key: str) -> str | None:
    """Another section that knows `key`."""
    for name, kind in kinds().items():
        if key in (key_of(field, info) for field, info in kind.model_fields.items()):
            return f"Did you mean `{name}.{key}`?"
    return None


def _laid_over(values: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Mappings are joined; anything else of the overlay stands for what was there."""
    joined = dict(values)
    for key, value in overlay.items():
        below = joined.get(key)
        joined[key] = _laid_over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType] — keys are text, by Document
    return joined


def _put(values: dict[str, Any], path: Path, value: object) -> None:
    for key in path[:-1]:
        inner = values.get(str(key))
        values[str(key)] = dict(inner) if isinstance(inner, dict) else {}  # pyright: ignore[reportUnknownArgumentType] — keys are text
        values = values[str(key)]
    values[str(path[-1])] = value


def _whole(path: Path) -> Path:
    """A path up to the first list on its way: items of a list cannot go one by one, their numbers would change."""
    return path[: next((at for at, part in enumerate(path) if isinstance(part, int)), len(path))]


def _drop(values: dict[str, Any], path: Path) -> None:
    for key in path[:-1]:
        inner = values.get(str(key))
        if not isinstance(inner, dict):
            path = (key,)
            break
        values[str(key)] = dict(inner)  # pyright: ignore[reportUnknownArgumentType] — a copy: environments share it
        values = values[str(key)]
    values.pop(str(path[-1]), None)
