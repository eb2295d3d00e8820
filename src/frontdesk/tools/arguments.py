"""A model's arguments, read strictly and checked against the tool's JSON Schema before anything is sent.

The schema comes from a tool server, so checking must not be a way to hang the desk: patterns are left to the server
(a regular expression can take for ever), references are counted, nothing is fetched.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from jsonschema import SchemaError, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend as untyped_extend  # pyright: ignore[reportUnknownVariableType]  (its stub)
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]  # validator, value, instance, schema
_extend = cast("Callable[[type[Validator], Mapping[str, Keyword]], type[Validator]]", untyped_extend)

LARGEST = 131_072  # characters of arguments
MOST_REFERENCES = 10_000  # followed in one check
DEEPEST_REFERENCE = 50  # references within each other: Python's own stack ends at about two hundred


class BadArguments(Exception):
    """The text says what is wrong, for the model to mend."""


def read(arguments: str) -> dict[str, Any]:
    """The arguments as sent to the server. Raises `BadArguments` for anything but one plain JSON object.

    A key that stands twice is refused: readers disagree about which one counts, and a person approved what they read.
    """
    if len(arguments) > LARGEST:
        raise BadArguments(f"The arguments are longer than {LARGEST} characters.")
    try:
        value = json.loads(arguments or "{}", object_pairs_hook=_object, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise BadArguments("The arguments are nested too deeply.") from None
    except UnicodeEncodeError:
        raise BadArguments("The arguments hold half a character (a lone surrogate).") from None
    except ValueError as error:
        raise BadArguments(f"The arguments are not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise BadArguments("The arguments are not a JSON object.")
    return value  # pyright: ignore[reportUnknownVariableType]  (json knows no types; keys are text by _object)


class Checker:
    """Checks arguments against one schema. Raises `BadArguments` where the schema itself is none."""

    def __init__(self, schema: dict[str, Any]) -> None:
        kind = validator_for(schema)
        try:
            kind.check_schema(schema)
        except (SchemaError, RecursionError) as error:
            raise BadArguments("The tool's schema is not a JSON Schema.") from error
        self._kind = _extend(
            kind,
            {
                "pattern": _unchecked,
                "patternProperties": _unchecked,
                "additionalProperties": _unless_patterns(kind, "additionalProperties"),
                "unevaluatedProperties": _unchecked,
                "$ref": self._counted(kind, "$ref"),
                "$dynamicRef": self._counted(kind, "$dynamicRef"),
            },
        )
        self._schema = schema
        self._followed = self._depth = 0

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Raise `BadArguments` naming the first few faults."""
        self._followed = self._depth = 0
        validator = self._kind(self._schema, registry=Registry[Any]())
        try:
            faults = [_fault(error) for error, _ in zip(validator.iter_errors(arguments), range(3), strict=False)]
        except (RecursionError, Unresolvable) as error:
            raise BadArguments("The tool's schema cannot be followed.") from error
        if faults:
            raise BadArguments("; ".join(faults))

    def _counted(self, kind: type[Validator], keyword: str) -> Keyword:
        follow = kind.VALIDATORS.get(keyword)

        def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
            self._followed += 1
            self._depth += 1
            try:
                if self._followed > MOST_REFERENCES or self._depth > DEEPEST_REFERENCE:
                    raise RecursionError("too many references")
                if follow is not None:
                    yield from follow(validator, value, instance, schema) or ()
            finally:  # also where the first fault is enough, and the others are not asked for
                self._depth -= 1

        return check


def _unless_patterns(kind: type[Validator], keyword: str) -> Keyword:
    strict = kind.VALIDATORS.get(keyword)

    def check(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        if strict is None or "patternProperties" in schema:
            return iter(())
        return iter(strict(validator, value, instance, schema) or ())

    return check


def _unchecked(_validator: Any, _value: Any, _instance: Any, _schema: Any) -> Iterator[ValidationError]:
    return iter(())


def _fault(error: ValidationError) -> str:
    place = ".".join(str(step) for step in error.absolute_path) or "arguments"
    return f"{place}: {error.message[:300]}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
