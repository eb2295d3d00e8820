"""The reference is what the code says, and the code says something about everything that has a name there."""

from collections import Counter

import click
import pytest

from frontdesk.cli.main import VERBS
from frontdesk.cli.main import frontdesk as root
from frontdesk.system.load import kinds
from tools import reference


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference.pages()


def test_the_reference_is_current(pages: dict[str, str]) -> None:
    stale = [name for name, text in pages.items() if (reference.REFERENCE / name).read_text(encoding="utf-8") != text]
    assert stale == [], "`make docs` writes these anew"
    assert {path.name for path in reference.REFERENCE.iterdir()} == set(pages)


def test_every_section_and_setting_has_a_meaning() -> None:
    fields = {path: field for name, kind in kinds().items() for path, field in reference.settings((name,), kind)}
    assert [name for name, kind in kinds().items() if not reference.first_paragraph(kind)] == []
    assert [path for path, field in fields.items() if not field.description] == []
    assert len(fields) > 100


def test_every_command_and_every_option_has_help() -> None:
    found = dict(reference.commands(root))
    assert {words.split()[1] for words in found} == {verb for listed in VERBS.values() for verb in listed}
    assert [words for words, command in found.items() if not command.help] == []
    options = [(words, option) for words, command in found.items() for option in command.params]
    assert [
        (words, option.name) for words, option in options if isinstance(option, click.Option) and not option.help
    ] == []


def test_every_error_has_a_meaning_and_a_code_of_its_own() -> None:
    errors = reference.errors()
    assert [error.__name__ for error in errors if not reference.first_paragraph(error)] == []
    assert [code for code, times in Counter(error.code for error in errors).items() if times > 1] == []


def test_every_route_has_a_description() -> None:
    routes = [route for group in reference.route_groups().values() for route in group]
    assert [name for name, text, _ in routes if not text] == []
    assert [name for name in reference.OTHER_ROUTES if name not in {route for route, _, _ in routes}] == []


def test_every_metric_has_a_meaning() -> None:
    assert [name for name, _, text, _ in reference.every_metric() if not text] == []
    assert {"http_requests_total", "openai_tokens_used_total"} <= {name for name, *_ in reference.every_metric()}


def test_every_event_of_a_turn_has_a_meaning() -> None:
    assert [event.__name__ for event in reference.events() if not reference.first_paragraph(event)] == []
