"""Variables with which no desk, or no production desk, starts: DEBUG, placeholders, short or missing secrets."""

from collections.abc import Iterator

from frontdesk.errors import BadSetting
from frontdesk.system.options import DeskOptions
from frontdesk.system.section import Binding, bindings
from frontdesk.system.system import System, is_placeholder


def refusals(system: System) -> Iterator[BadSetting]:
    """One for each variable with which a production system must not start; none in other environments."""
    if system.environment != "production":
        return
    if system.section(DeskOptions).debug:
        yield BadSetting(
            "DEBUG is on, and production never shows its insides",
            where=system.source_of("desk.debug").place or "DEBUG",
            hint="Unset DEBUG, or set ENVIRONMENT=development.",
        )
    for name, section in system.sections.items():
        for binding in bindings((name,), type(section)):
            if binding.env.secret and (reason := _unfit(system, binding)):
                yield BadSetting(f"{binding.env.name} {reason}", where=binding.env.name, hint=_remedy(binding))


def placeholders(system: System) -> Iterator[BadSetting]:
    """Outside production, one for each secret that is a stand-in of documentation and so counts as not set."""
    if system.environment == "production":
        return
    for name, section in system.sections.items():
        for binding in bindings((name,), type(section)):
            if binding.env.secret and is_placeholder(_value(system, binding), binding.env.placeholders):
                yield BadSetting(
                    f"{binding.env.name} is a placeholder and counts as not set",
                    where=binding.env.name,
                    hint=_remedy(binding),
                )


def unset_secrets(system: System) -> Iterator[Binding]:
    """Secrets that are not set and that a system may do without."""
    for name, section in system.sections.items():
        for binding in bindings((name,), type(section)):
            if binding.env.secret and not binding.env.required_in_production and not _value(system, binding):
                yield binding


def missing_secrets(system: System) -> Iterator[BadSetting]:
    """One for each secret whose variable the system file names, and without which the desk does not start."""
    for section in system.sections.values():
        for secret in section.named_secrets():
            try:
                value = system.variable(secret.variable) or ""
            except BadSetting as error:
                yield error
                continue
            if len(value) < secret.shortest:
                fault = f"is shorter than {secret.shortest} characters" if value else "is not set"
                hint = secret.hint or f"Set {secret.variable}, or {secret.variable}_FILE to a file that holds it."
                yield BadSetting(f"{secret.variable} {fault}: {secret.of}", where=secret.variable, hint=hint)


def _unfit(system: System, binding: Binding) -> str | None:
    env, value = binding.env, _value(system, binding)
    if not value:
        return "is not set" if env.required_in_production else None
    if is_placeholder(value, env.placeholders):
        return "is a placeholder"
    if len(value) < env.shortest:
        return f"is shorter than {env.shortest} characters"
    return None


def _value(system: System, binding: Binding) -> str:
    try:
        found = system.environment_variables.get(binding.env.name)
    except BadSetting:
        return ""  # told as a problem of its own
    return found.value.strip() if found else ""


def _remedy(binding: Binding) -> str:
    if binding.env.shortest:
        return f"Set {binding.env.name} to the output of `openssl rand -hex 32`."
    return f"Set {binding.env.name}, or {binding.env.name}_FILE to a file that holds it."
