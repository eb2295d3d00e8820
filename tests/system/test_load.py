"""From file and environment to typed sections: precedence, origins, and every mistake at once."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

import pytest
from jsonschema import Draft202012Validator

from frontdesk.errors import BadSetting, BadSystemFile, FrontdeskError
from frontdesk.system.document import Document
from frontdesk.system.home import blueprint_file, blueprints, home_folder
from frontdesk.system.load import examine, kinds, load
from frontdesk.system.options import DeskOptions, HttpOptions, RedisOptions
from frontdesk.system.schema import schema
from frontdesk.system.section import bindings
from frontdesk.system.system import System, is_placeholder

# The variables that users of the blueprint `assistant` already know.
LISTED = """
APP_NAME ENVIRONMENT DEBUG LOG_LEVEL SECRET_KEY JWT_SECRET_KEY ALLOWED_ORIGINS DATABASE_URL DATABASE_POOL_SIZE
DATABASE_MAX_OVERFLOW REDIS_URL REDIS_PASSWORD REDIS_SSL OPENAI_API_KEY OPENAI_MODEL OPENAI_MAX_TOKENS
OPENAI_TEMPERATURE GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET GITHUB_CLIENT_ID GITHUB_CLIENT_SECRET MCP_DISCOVERY_URLS
MCP_SERVICE_TOKEN PROMETHEUS_ENABLED RATE_LIMIT_ENABLED RATE_LIMIT_PER_MINUTE RATE_LIMIT_PER_HOUR
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "system.yaml"


def loaded(file: Path | None, home: Path, **variables: str) -> System:
    return load(file, home=home, variables=variables)


def mistakes(file: Path | None, home: Path, variables: Mapping[str, str] | None = None) -> list[FrontdeskError]:
    return list(examine(file, home=home, variables=variables or {})[1])


def test_nothing_at_all_is_a_whole_system(tmp_path: Path) -> None:
    system = loaded(None, tmp_path)
    assert system.section(HttpOptions).port == 8000
    assert system.environment == "development"
    assert system.database_url == f"sqlite:///{tmp_path / 'desk.db'}"
    assert str(system.source_of("http.port")) == "default"


def test_each_source_is_stronger_than_the_next(file: Path, tmp_path: Path) -> None:
    file.write_text("http:\n  port: 1\n  host: a\n  drain_seconds: 7\ndesk:\n  name: File\n")
    (tmp_path / ".env").write_text("PORT=2\nHOST=b\n")
    system = load(file, home=tmp_path, variables={"PORT": "3"}, options={"desk.name": "Option"})
    http = system.section(HttpOptions)
    assert (http.port, http.host, http.drain_seconds, system.name) == (3, "b", 7, "Option")
    assert str(system.source_of("http.port")) == "variable PORT"
    assert str(system.source_of("http.host")) == f"environment file {tmp_path / '.env'}:2"
    assert str(system.source_of("http.drain_seconds")) == f"system file {file}:4"
    assert system.source_of("desk.name").kind == "option"


def test_another_environment_file_may_be_named(file: Path, tmp_path: Path) -> None:
    file.write_text("")
    (tmp_path / ".env").write_text("PORT=2\n")
    (tmp_path / "other").write_text("PORT=4\n")
    system = load(file, home=tmp_path, variables={}, env_file=tmp_path / "other")
    assert system.section(HttpOptions).port == 4


def test_every_mistake_is_told_at_once_with_line_and_remedy(file: Path, tmp_path: Path) -> None:
    file.write_text("desk:\n  greting: hi\nhtp:\n  port: 1\nhttp:\n  port: nine\n  allowed_origins: [x]\n")
    found = mistakes(file, tmp_path, {"DATABASE_POOL_SIZE": "many"})
    told = [(problem.where, problem.hint) for problem in found]
    assert told[0][0] == "DATABASE_POOL_SIZE"
    assert isinstance(found[0], BadSetting)
    assert told[1] == (f"{file}:2", "Did you mean `greeting`?")
    assert told[2] == (f"{file}:3", "Did you mean `http`?")
    assert told[3][0] == f"{file}:6"
    assert found[3].what == "`http.port` cannot be used: a whole number is wanted"
    assert "API and pages" in found[3].hint
    assert told[4] == (f"{file}:7", "Did you mean `gate.allowed_origins`?")
    with pytest.raises(BadSystemFile, match="5 problems") as caught:
        load(file, home=tmp_path, variables={"DATABASE_POOL_SIZE": "many"})
    assert len(caught.value.problems) == 5


def test_the_nearest_key_is_told_deep_inside_lists(file: Path, tmp_path: Path) -> None:
    file.write_text("models:\n  list:\n    - name: a\n      wire: openai\n      facts:\n        strenght: small\n")
    (problem,) = mistakes(file, tmp_path)
    assert (problem.where, problem.hint) == (f"{file}:6", "Did you mean `strength`?")


def test_a_section_that_is_no_mapping_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_text("http: 8000\n")
    (problem,) = mistakes(file, tmp_path)
    assert problem.where == f"{file}:1"


def test_a_secret_never_stands_in_the_file(file: Path, tmp_path: Path) -> None:
    file.write_text("models:\n  openai_api_key: sk-live\n")
    (problem,) = mistakes(file, tmp_path)
    assert problem.where == f"{file}:2"
    assert problem.hint == "Set OPENAI_API_KEY."
    assert "sk-live" not in str(problem)


def test_a_wrong_variable_never_shows_its_value(tmp_path: Path) -> None:
    (problem,) = mistakes(None, tmp_path, {"DATABASE_URL": "mysql://me:hunter2@host/x"})
    assert problem.where == "DATABASE_URL"
    assert "hunter2" not in f"{problem} {problem.hint}"


def test_the_settings_in_effect_hide_secrets(tmp_path: Path) -> None:
    system = loaded(None, tmp_path, OPENAI_API_KEY="sk-real-one", SECRET_KEY="k" * 40)
    settings = {setting.path: setting for setting in system.settings()}
    assert settings["models.openai_api_key"].value == "***"
    assert settings["models.anthropic_api_key"].value == ""
    assert "sk-real-one" not in str(settings)
    assert settings["http.port"].variable == "PORT"


def test_variables_without_effect_are_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KYE=x\n")
    system = loaded(None, tmp_path, JAEGER_AGENT_HOST="localhost", OPENAI_API_KEY="sk-...")
    told = {warning.where: warning.hint for warning in system.warnings}
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in told["JAEGER_AGENT_HOST"]
    assert told[f"{tmp_path / '.env'}:1"] == "Did you mean `OPENAI_API_KEY`?"
    assert "OPENAI_API_KEY" in told


def test_a_variable_that_the_file_names_is_found(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc\n")
    system = loaded(None, tmp_path, MY_KEY_FILE=str(tmp_path / "key"), OTHER="changeme")
    assert system.variable("MY_KEY") == "abc"
    assert system.variable("OTHER") is None
    assert system.variable("ABSENT") is None


@pytest.mark.proves("assistant-19")
def test_production_refuses_debug_and_unfit_secrets_by_name(tmp_path: Path) -> None:
    variables = {
        "ENVIRONMENT": "production",
        "DEBUG": "true",
        "SECRET_KEY": "your-secret-key",
        "JWT_SECRET_KEY": "short",
        "OPENAI_API_KEY": "sk-...",
        "DATABASE_URL": "postgresql://user:password@localhost:5432/ai_assistant",
    }
    with pytest.raises(BadSetting) as caught:
        load(None, home=tmp_path, variables=variables)
    expected = {
        "DEBUG",
        "SECRET_KEY",
        "JWT_SECRET_KEY",
        "OPENAI_API_KEY",
        "DATABASE_URL",
        "MCP_SERVICE_TOKEN",
        "ENCRYPTION_KEY",
    }
    assert {problem.where for problem in caught.value.problems} == expected
    for name in expected:
        assert name in str(caught.value)


def test_what_the_remedy_makes_is_taken(tmp_path: Path) -> None:
    problems = mistakes(None, tmp_path, {"ENVIRONMENT": "production"})
    made = {str(problem.where): token_hex(32) for problem in problems if "openssl rand -hex 32" in problem.hint}
    assert {"SECRET_KEY", "JWT_SECRET_KEY", "ENCRYPTION_KEY"} <= made.keys()
    assert not mistakes(None, tmp_path, {"ENVIRONMENT": "production", "MCP_SERVICE_TOKEN": "t0k3n-of-tools", **made})


@pytest.mark.proves("assistant-19")
def test_production_starts_with_real_secrets(tmp_path: Path) -> None:
    secrets = {
        "SECRET_KEY": "k" * 48,
        "JWT_SECRET_KEY": "j" * 48,
        "MCP_SERVICE_TOKEN": "t0k3n-of-the-tools",
        "ENCRYPTION_KEY": "e" * 32,
    }
    assert loaded(None, tmp_path, ENVIRONMENT="production", **secrets).environment == "production"


@pytest.mark.parametrize("value", ["changeme", "your-api-key", "<key>", "sk-...", "postgresql://user:password@db/x"])
def test_stand_ins_are_known(value: str) -> None:
    assert is_placeholder(value)


@pytest.mark.parametrize("value", ["", "c2VjcmV0LWtleS1vZi1hLWRlc2s", "postgresql://desk:8fh2@db/x"])
def test_real_secrets_are_no_stand_ins(value: str) -> None:
    assert not is_placeholder(value)


def test_every_listed_variable_is_bound() -> None:
    bound = {binding.env.name for name, kind in kinds().items() for binding in bindings((name,), kind)}
    assert set(LISTED.split()) <= bound


def test_a_list_in_a_variable_is_split_at_commas(tmp_path: Path) -> None:
    system = loaded(None, tmp_path, ALLOWED_ORIGINS="http://localhost:3000, http://localhost:5000")
    settings = {setting.path: setting.value for setting in system.settings()}
    assert settings["gate.allowed_origins"] == ["http://localhost:3000", "http://localhost:5000"]


# --- blueprints and schema --------------------------------------------------


@pytest.mark.parametrize("name", blueprints())
def test_a_blueprint_loads_without_a_warning(name: str, tmp_path: Path) -> None:
    system = loaded(blueprint_file(name), tmp_path)
    assert system.blueprint == name
    assert system.warnings == ()


def test_the_blueprint_assistant_keeps_the_listed_figures(tmp_path: Path) -> None:
    system = loaded(blueprint_file("assistant"), tmp_path)
    values = {setting.path: setting.value for setting in system.settings()}
    assert values["http.port"] == 8000
    assert values["http.frontend_port"] == 5000
    assert values["gate.rate_limit_per_minute"] == 60
    assert values["gate.rate_limit_per_hour"] == 1000
    assert values["gate.allowed_origins"] == ["http://localhost:3000", "http://localhost:5000"]
    assert values["tools.discovery_urls"] == ["http://localhost:8001", "http://localhost:8002"]
    assert values["models.openai_model"] == "gpt-4"
    assert (values["models.max_tokens"], values["models.temperature"]) == (4096, 0.7)
    assert (values["store.pool_size"], values["store.max_overflow"]) == (20, 40)


def test_the_variables_that_a_blueprint_names_exist() -> None:
    known = {binding.env.name for name, kind in kinds().items() for binding in bindings((name,), kind)}
    for name in blueprints():
        for line in blueprint_file(name).read_text().splitlines():
            if found := re.search(r"\S+: .*# ([A-Z]+_[A-Z_]*[A-Z])\b", line):
                assert found[1] in known


def test_the_schema_takes_the_blueprints_and_refuses_what_loading_refuses() -> None:
    document = schema()
    Draft202012Validator.check_schema(document)
    validator = Draft202012Validator(document)
    for name in blueprints():
        validator.validate(Document(name, blueprint_file(name).read_text()).values)
    assert not validator.is_valid({"htp": {}})
    assert not validator.is_valid({"http": {"prot": 1}})
    assert not validator.is_valid({"models": {"openai_api_key": "sk-live"}})
    assert '"x-variable": "PORT"' in json.dumps(document)


# --- home, Redis, sections ----------------------------------------------------------


def test_the_home_is_the_users_own_folder() -> None:
    assert home_folder({"FRONTDESK_HOME": "/srv/desk"}) == Path("/srv/desk")
    assert home_folder({"XDG_DATA_HOME": "/data"}) == Path("/data/frontdesk")
    assert home_folder({"XDG_DATA_HOME": "relative"}).is_absolute()


def test_redis_gets_its_password_and_tls() -> None:
    assert RedisOptions(url="redis://localhost:6379/0").address == "redis://localhost:6379/0"
    options = RedisOptions(url="redis://localhost:6379/0", password="p@ss/word", ssl=True)
    assert options.address == "rediss://:p%40ss%2Fword@localhost:6379/0"
    assert RedisOptions(password="x").address == ""


def test_a_system_can_be_made_of_sections(tmp_path: Path) -> None:
    system = System.of(tmp_path, DeskOptions(name="Bell"))
    assert system.name == "Bell"
    assert system.section(HttpOptions).port == 8000
