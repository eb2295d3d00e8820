"""Overlays: what a system file says of one environment lies over the rest of it."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from frontdesk.decision.options import EngagementOptions
from frontdesk.system.load import examine, load
from frontdesk.system.options import DeskOptions, HttpOptions
from frontdesk.system.schema import schema

FILE = """\
desk:
  name: Ours
http:
  port: 1
  host: a
environments:
  production:
    http:
      host: b
    desk:
      suggestions: [Hello]
  staging:
    engagement:
      confidence_threshold: 0.7
      minimum_confidence: 0.6
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "system.yaml").write_text(FILE)
    return tmp_path / "system.yaml"


def test_the_chosen_environment_lies_over_the_file(file: Path) -> None:
    plain = load(file, home=file.parent, variables={})
    staging = load(file, home=file.parent, variables={"ENVIRONMENT": "staging"})
    assert plain.section(HttpOptions) == staging.section(HttpOptions)
    assert plain.section(EngagementOptions).confidence_threshold == 0.85
    assert staging.section(EngagementOptions).confidence_threshold == 0.7
    assert staging.section(EngagementOptions).risk_tolerance == plain.section(EngagementOptions).risk_tolerance


def test_an_overlay_changes_only_what_it_names_and_tells_its_line(file: Path) -> None:
    system, problems = examine(file, home=file.parent, variables={}, options={"desk.environment": "production"})
    assert system is not None
    assert {str(problem.where) for problem in problems} >= {"ENCRYPTION_KEY", "SECRET_KEY", "JWT_SECRET_KEY"}
    http = system.section(HttpOptions)
    assert (http.host, http.port) == ("b", 1)
    assert system.section(DeskOptions).name == "Ours"
    assert str(system.source_of("http.host")) == f"system file {file}:9"
    assert str(system.source_of("http.port")) == f"system file {file}:4"


def test_the_file_itself_may_choose_and_a_variable_is_stronger(file: Path) -> None:
    file.write_text(FILE.replace("name: Ours", "environment: staging"))
    assert load(file, home=file.parent, variables={}).environment == "staging"
    assert load(file, home=file.parent, variables={"NODE_ENV": "development"}).environment == "development"


def test_mistakes_of_every_environment_are_told_at_once(file: Path) -> None:
    file.write_text(FILE.replace("host: b", "hots: b").replace("minimum_confidence: 0.6", "minimum_confidence: 0.8"))
    told = {(problem.what, problem.where) for problem in examine(file, home=file.parent, variables={})[1]}
    assert told == {
        ("There is no setting `http.hots`", f"{file}:9"),
        (
            "`engagement` cannot be used: minimum_confidence 0.8 is above the threshold 0.7",
            f"{file}:13",
        ),
    }


def test_a_floor_above_the_threshold_keeps_a_desk_from_starting(file: Path) -> None:
    variables = {"ENVIRONMENT": "staging", "MINIMUM_CONFIDENCE": "0.9"}
    assert "is above the threshold" in str(examine(file, home=file.parent, variables=variables)[1])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("environments: [a]", "`environments` is a mapping"),
        ("environments:\n  produktion: {}", "There is no environment `produktion`"),
        ("environments:\n  staging: 3", "`staging` is a mapping of sections"),
        ("environments:\n  staging:\n    htpp: {}", "There is no section `htpp`"),
        ("environments:\n  staging:\n    http: 3", "`http` is a section: a mapping of settings"),
        (
            "environments:\n  staging:\n    store:\n      url: sqlite:///x",
            "`url` is a secret and never stands in the system file",
        ),
    ],
)
def test_mistakes_of_form_are_told_with_their_line(file: Path, text: str, what: str) -> None:
    file.write_text(text)
    problems = examine(file, home=file.parent, variables={})[1]
    assert [problem.what for problem in problems] == [what]
    assert str(problems[0].where).startswith(str(file))


def test_the_schema_knows_environments() -> None:
    validator = Draft202012Validator(schema())
    assert not list(validator.iter_errors({"environments": {"staging": {"http": {"port": 1}}}}))
    assert list(validator.iter_errors({"environments": {"staging": {"htpp": {}}}}))
    assert list(validator.iter_errors({"environments": {"other": {}}}))
