"""Writes docs/reference/ from the code: settings, commands, routes, errors, metrics, events.

`python tools/reference.py` writes the pages. Every entry is one item of a list whose first words name it, so that the
desk, which reads its own documentation, can quote one alone.
"""

import asyncio
import enum
import importlib
import inspect
import pkgutil
import re
import tempfile
import types
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import msgspec
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

import frontdesk
from frontdesk import messages
from frontdesk.app.http import routed
from frontdesk.app.rooms import open_desk
from frontdesk.cli.main import VERBS
from frontdesk.cli.main import frontdesk as root
from frontdesk.errors import FrontdeskError
from frontdesk.events import TurnEvent
from frontdesk.gate.policy import Policy, Rule
from frontdesk.system.environment import IGNORED
from frontdesk.system.load import kinds, load
from frontdesk.system.section import Env, Section, alternatives, key_of
from frontdesk.telemetry import metrics

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PLACED = ("--home", "--system", "--blueprint", "--env-file")  # options that all verbs share

OTHER_ROUTES = {
    "GET /health": "200 while the process lives.",
    "GET /ready": "200 when the desk can work; 503 names what does not answer.",
    "GET /metrics": "Metrics in Prometheus' text form.",
    "GET /": "The chat.",
    "GET /sign-in": "The page where people sign in.",
    "GET /console": "The console.",
    "GET /console/{path:path}": "One view of the console.",
    "GET /c/{conversation_id}": "One conversation in the chat.",
    "GET /assets/{path:path}": "Scripts, styles and pictures of the pages.",
    "GET /mark.svg": "The desk's mark.",
    "GET /theme.js": "Chooses light or dark before a page is drawn.",
    "GET /widget.js": "The script that shows the widget on a site's pages.",
    "GET /widget": "The widget's chat, for the frame that the script makes; `?site=` names the site.",
    "GET /widget/demo": "A page with the widget on it, while developing.",
    "GET /unsubscribe/{token}": "Where the link of a letter to a customer leads: it asks, and changes nothing.",
    "POST /unsubscribe/{token}": "Stops the channel that the letter came by, from that page or a mailbox (RFC 8058).",
    "GET /api/v1/openapi.json": "The OpenAPI document of the native API.",
    "POST /v1/chat/completions": "OpenAI's chat completions, whole or streamed.",
    "POST /v1/responses": "OpenAI's responses. Those of the desk itself are kept, so `previous_response_id` works.",
    "POST /v1/embeddings": "OpenAI's embeddings, made by the desk's own embedder.",
    "GET /v1/models": "The names that can be asked for: `frontdesk`, the desk's models, its embedder.",
    "GET /v1/models/{id:path}": "One of those names.",
    "POST /webhook": "Updates from Telegram, with its secret in the header `X-Telegram-Bot-Api-Secret-Token`.",
    "POST /mcp": "The desk as an MCP server, with the tools `search_knowledge` and `ask`.",
}
GROUPS = {"/v1": "OpenAI-compatible", "/mcp": "MCP", "/api/v1": "Its own description"}
PAGES = "Pages and health"

Entry = tuple[str, str]  # what it is called, what it means
Route = tuple[str, str, str]  # method and path, what it does, who may call it


def pages() -> dict[str, str]:
    """Each page of the reference by its file's name."""
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "api.md": api_page(),
        "errors.md": errors_page(),
        "metrics.md": metrics_page(),
        "events.md": events_page(),
    }


# --- settings ---------------------------------------------------------------


def settings_page() -> str:
    lines = [
        "# Settings",
        "Every setting of the system file, section by section: its key, the variable that sets it, its meaning, its "
        "default. A secret is set by its variable alone. [How the system file works](../guides/system-file.md).",
    ]
    for name, kind in kinds().items():
        lines += [f"## The section `{name}`", first_paragraph(kind)]
        lines += ["\n".join(_setting(path, field) for path, field in settings((name,), kind))]
    lines += ["## Variables without a setting", "\n".join(f"- `{name}`: {text}" for name, text in variables())]
    ignored = "\n".join(f"- `{name}`: {advice}" for name, advice in sorted(IGNORED.items()))
    return page(*lines, "## Variables without an effect", "Set, they bring a warning and do nothing.", ignored)


def settings(path: tuple[str, ...], kind: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Every field, dotted; of lists and mappings of sections also the fields inside: `models.list[].name`."""
    named = kind.__annotations__.get("__pydantic_extra__")  # a mapping whose keys its owner chooses
    if named is not None and (inner := _section_in(typing.get_args(named)[1])) is not None:
        yield from settings((*path, "NAME"), inner)
    for name, field in kind.model_fields.items():
        here = (*path, key_of(name, field))
        inner = _section_in(field.annotation)
        if inner is not None and field.annotation is inner:
            yield from settings(here, inner)
            continue
        yield ".".join(here), field
        if inner is not None:
            within = here if inner in alternatives(field.annotation) else (*here[:-1], f"{here[-1]}[]")
            yield from settings(within, inner)


def variables() -> list[Entry]:
    """Variables that no section binds: the desk's home, options of commands, the terminal's."""
    found = {
        "FRONTDESK_HOME": "The folder of everything that the desk stores.",
        "NAME_FILE": "For every variable NAME above: the path of a file that holds its value.",
        "NO_COLOR": "Any value switches colours off.",
        "DEBUG": "In the terminal, an error that nobody foresaw is shown with its traceback.",
    }
    for _, command in commands(root):
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.envvar, str):
                found[option.envvar] = re.sub(r"\s*\([A-Z_]+\)", "", option.help or "")
    return sorted(found.items())


def _setting(path: str, field: FieldInfo) -> str:
    envs = [mark for mark in field.metadata if isinstance(mark, Env)]
    env = envs[0] if envs else None
    choices = [each for kind in alternatives(field.annotation) for each in _choices(kind)]
    default = _default(field)
    said = [
        f"`{path}`"
        + (f" (`{'`, `'.join(each.name for each in envs)}`)" if envs else "")
        + f": {sentence(field.description)}",
        f"One of {', '.join(f'`{each}`' for each in choices)}." if choices else "",
        f"Default: {default}." if default else "Must be given.",
        "A secret: only by variable." if env and env.secret else "",
        "Production needs it." if env and env.required_in_production else "",
    ]
    return "- " + " ".join(part for part in said if part)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value: object = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_defaults=True) or "as below"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    if isinstance(value, dict):
        return ", ".join(f"`{key}: {each}`" for key, each in value.items()) or "empty"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{each}`" for each in typing.cast("Sequence[object]", value)) or "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _choices(kind: object) -> tuple[object, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()


def _section_in(annotation: object) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _section_in(part))), None)


# --- commands ---------------------------------------------------------------


def commands_page() -> str:
    lines = ["# Commands", "Data go to standard output, messages to standard error.", "## Exit codes"]
    lines += ["\n".join(f"- `{code}`: {meaning}" for code, meaning in exit_codes())]
    shared = {option.opts[0]: option.help for option in root.commands["up"].params if isinstance(option, click.Option)}
    lines += ["## Options that most commands share"]
    lines += ["\n".join([f"- `{name}`: {shared[name]}" for name in PLACED] + ["- `--help`: Show what a command does."])]
    for words, command in commands(root):
        context = click.Context(command, info_name=words)
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"## `{words}`", inspect.cleandoc(command.help or "").replace("\b\n", "")]
        lines += [fenced(f"{words} {usage}", "console"), "\n".join(_options(command))]
        lines += ["For example:\n\n" + fenced(text, "console") if (text := getattr(command, "examples", "")) else ""]
    return page(*lines)


def commands(group: click.Group, before: str = "frontdesk") -> Iterator[tuple[str, click.Command]]:
    """Every command with the words that call it; groups stand before what they hold."""
    verbs = [verb for listed in VERBS.values() for verb in listed] if group is root else sorted(group.commands)
    for name in verbs:
        command = group.commands[name]
        yield f"{before} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")


def exit_codes() -> list[tuple[int, str]]:
    """What the command's end tells, from the errors that name a code of their own."""
    named: dict[int, list[str]] = defaultdict(list)
    for error in errors():
        if error.exit_code != 1:
            named[error.exit_code].append(f"{first_paragraph(error).rstrip('.')} (`{error.code}`).")
    codes = {code: " ".join(sentences) for code, sentences in named.items()}
    codes |= {0: "Done.", 1: "It did not work, or a problem was found; the message says which.", 130: "Interrupted."}
    return sorted(codes.items())


def _options(command: click.Command) -> Iterator[str]:
    for option in command.params:
        if isinstance(option, click.Option) and option.opts[0] not in PLACED and not option.hidden:
            names = ", ".join(f"`{name}`" for name in option.opts)
            kind = option.type
            value = f" {'|'.join(map(str, kind.choices))}" if isinstance(kind, click.Choice) else ""
            yield f"- {names}{value}: {sentence(option.help)}"


# --- routes -----------------------------------------------------------------


def api_page() -> str:
    lines = [
        "# API",
        "Every address of the desk, what it does and who may call it. `frontdesk up` serves the native API's OpenAPI "
        "document at `/api/v1/openapi.json`. [How to use it](../guides/api.md).",
        "Where a scope is named, an API key needs it; a person who is signed in in the browser needs none.",
    ]
    for group, routes in route_groups().items():
        lines += [f"## {group}", "\n".join(f"- `{name}`: {text} {callers}" for name, text, callers in routes)]
    return page(*lines)


def route_groups() -> dict[str, list[Route]]:
    """Every route of the policy, native ones by tag."""
    document = asyncio.run(_openapi())
    groups: dict[str, list[Route]] = defaultdict(list)
    for rule in Policy().rules:
        for method in rule.methods:
            operation = document["paths"].get(rule.path, {}).get(method.lower())
            name = f"{method} {rule.path}"
            if operation:
                group = operation["tags"][0].capitalize()
                text = " ".join(operation.get("description", "").split("\n\n")[0].split())
            else:
                group = next((group for start, group in GROUPS.items() if rule.path.startswith(start)), PAGES)
                text = OTHER_ROUTES.get(name, "")
            groups[group].append((name, text, _callers(rule)))
    return groups


def _callers(rule: Rule) -> str:
    if not rule.needs_caller:
        return "For callers on the machine's own network." if rule.who == "inside" else "For anybody."
    who = {"visitor": "anybody who may chat, visitors too", "member": "members and above"}
    who |= {"operator": "operators and owners", "owner": "owners"}
    who |= {"widget": "anybody who may chat, visitors and the widget's people too"}
    scope = {"session": "; signed in, never with a key", "-": ""}.get(rule.scope, f"; scope `{rule.scope}`")
    return f"For {who[rule.who]}{scope}."


async def _openapi() -> Mapping[str, typing.Any]:  # a JSON document
    quiet = {"knowledge.own_documentation": False, "knowledge.embedder.kind": "none", "tools.discovery_urls": []}
    quiet |= {"engagement.enabled": True}  # whose routes are there only then
    with tempfile.TemporaryDirectory() as home:
        async with open_desk(load(home=Path(home), options=quiet, variables={})) as desk:
            return routed(desk, Policy()).openapi()


# --- errors, metrics, events ------------------------------------------------


def errors_page() -> str:
    def item(error: type[FrontdeskError]) -> str:
        return f"- `{error.code}` ({error.status}): {first_paragraph(error)} {error.default_hint}".rstrip()

    return page(
        "# Errors",
        "Every error has a code that never changes its meaning, and an HTTP status. With the code come the message, "
        "the place (`where`) and what to do (`hint`); the id of the request (`request_id`) finds it in the log.",
        "\n".join(item(error) for error in errors()),
    )


def errors() -> list[type[FrontdeskError]]:
    """Every designed error, by its code."""
    for module in pkgutil.walk_packages(frontdesk.__path__, "frontdesk."):
        if "migrations.env" not in module.name and not module.name.startswith("frontdesk.testing"):
            importlib.import_module(module.name)
    return sorted(_below(FrontdeskError), key=lambda error: (error.code, error.__name__))


def _below(kind: type[FrontdeskError]) -> Iterator[type[FrontdeskError]]:
    for each in kind.__subclasses__():
        if each.__module__.startswith("frontdesk."):
            if "code" in vars(each):  # one without a code of its own is its parent to every reader
                yield each
            yield from _below(each)


def metrics_page() -> str:
    return page(
        "# Metrics",
        "What `GET /metrics` shows, in Prometheus' text form. Labels hold names of bounded sets: no ids, no text. Each "
        "process also tells its own memory, CPU and open files: `process_resident_memory_bytes`, "
        "`process_cpu_seconds_total`, `process_open_fds` and their like. [What to watch](../guides/monitoring.md).",
        "\n".join(f"- `{name}` ({kind}): {text}. {_labels(labels)}" for name, kind, text, labels in every_metric()),
    )


def every_metric() -> list[tuple[str, str, str, tuple[str, ...]]]:
    """Name, type, meaning and labels of each metric of the registry."""
    found: list[tuple[str, str, str, tuple[str, ...]]] = []
    for value in vars(metrics).values():
        if isinstance(value, (metrics.Counter, metrics.Gauge, metrics.Histogram, metrics.Distribution)):
            (family,) = value.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = getattr(value, "_labelnames", ())  # not told in any other way
            found.append((name, family.type, family.documentation, labels))
    return found


def _labels(labels: Sequence[str]) -> str:
    return f"Labels: {', '.join(f'`{label}`' for label in labels)}." if labels else "No labels."


def events_page() -> str:
    lines = [
        "# Events of a turn",
        "An answer streams as numbered events: `POST /api/v1/chat` with `Accept: text/event-stream`, or `GET "
        "/api/v1/turns/{id}/events`. `id` counts from 1 without gaps, `event` is one of the names below, `data` its "
        "fields as JSON. A comment comes every 15 seconds while nothing happens. [How to resume](../guides/api.md).",
    ]
    for event in events():
        lines += [f"## `{event.__struct_config__.tag}`", first_paragraph(event), _fields(event)]
    lines += ["## What the fields hold"]
    for kind in (messages.Citation, messages.ToolCall, messages.ToolResult, messages.Usage):
        lines += [f"### {kind.__name__}", first_paragraph(kind), _fields(kind)]
    words = "\n".join(f"- `{each.value}`" for each in messages.Grounding)
    return page(*lines, "### Grounding", first_paragraph(messages.Grounding), words)


def events() -> tuple[type[msgspec.Struct], ...]:
    """The kinds of events that a reader of a turn meets."""
    return typing.get_args(TurnEvent)


def _fields(kind: type[msgspec.Struct]) -> str:
    hints = typing.get_type_hints(kind)
    return "\n".join(f"- `{field.name}`: {_type(hints[field.name])}" for field in msgspec.structs.fields(kind))


def _type(hint: object) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(f"`{each}`" for each in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        return f"a list of {_type(typing.get_args(hint)[0])}"
    if isinstance(hint, types.UnionType):
        return " or ".join(_type(each) for each in typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, (msgspec.Struct, enum.Enum)):
        return hint.__name__
    return {str: "text", int: "a number", bool: "true or false", type(None): "null"}.get(hint, str(hint))


# --- Markdown ---------------------------------------------------------------


def first_paragraph(kind: type) -> str:
    """The first paragraph of a class's own docstring, as one line; empty without one."""
    return " ".join(inspect.cleandoc(vars(kind).get("__doc__") or "").split("\n\n")[0].split())


def sentence(text: str | None) -> str:
    """The text with a full stop; empty without one."""
    return f"{text.rstrip('.')}." if text else ""


def fenced(text: str, language: str) -> str:
    return f"```{language}\n{text}\n```"


def page(*parts: str) -> str:
    """The parts as paragraphs."""
    return "\n\n".join(part for part in parts if part) + "\n"


def main() -> None:
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
