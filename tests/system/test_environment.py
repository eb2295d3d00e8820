"""Variables, the environment file, and files that hold one value."""

from pathlib import Path

import pytest

from frontdesk.errors import BadSetting
from frontdesk.system.environment import Environment


def environment_of(tmp_path: Path, text: str, **variables: str) -> Environment:
    file = tmp_path / ".env"
    file.write_text(text)
    return Environment(variables, file)


def value(environment: Environment, name: str) -> str | None:
    found = environment.get(name)
    return found.value if found else None


def test_a_variable_is_stronger_than_the_environment_file(tmp_path: Path) -> None:
    environment = environment_of(tmp_path, "PORT=1\nHOST=a\n", PORT="2")
    assert value(environment, "PORT") == "2"
    assert value(environment, "HOST") == "a"
    found = environment.get("HOST")
    assert found is not None
    assert found.where == f"{tmp_path / '.env'}:2"


def test_an_empty_variable_hides_the_environment_file(tmp_path: Path) -> None:
    assert value(environment_of(tmp_path, "OPENAI_API_KEY=abc\n", OPENAI_API_KEY=""), "OPENAI_API_KEY") is None


def test_a_value_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cr3t\n")
    assert value(Environment({"SECRET_KEY_FILE": str(tmp_path / "key")}), "SECRET_KEY") == "s3cr3t"
    assert value(environment_of(tmp_path, f"SECRET_KEY_FILE={tmp_path / 'key'}\n"), "SECRET_KEY") == "s3cr3t"


def test_a_value_given_both_ways_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="both set"):
        Environment({"A": "1", "A_FILE": str(tmp_path)}).get("A")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="cannot be read") as caught:
        Environment({"A_FILE": str(tmp_path / "absent")}).get("A")
    assert "absent" in str(caught.value.where)


def test_quotes_comments_and_export_are_understood(tmp_path: Path) -> None:
    text = '# head\n\nexport A=1 # one\nB=\'x # y\'\nC="a\\nb\\"c" # tail\nD=a#b\nE=\nF = spaced \n'
    environment = environment_of(tmp_path, text)
    assert [value(environment, name) for name in "ABCDEF"] == ["1", "x # y", 'a\nb"c', "a#b", None, "spaced"]


@pytest.mark.parametrize("line", ["just words", "A='open", 'B="open', "1A=2"])
def test_a_line_that_is_no_assignment_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    with pytest.raises(BadSetting) as caught:
        environment_of(tmp_path, f"OK=1\n{line}\n")
    assert str(caught.value.where).endswith(".env:2")


# --- kept secrets -----------------------------------------------------------


def kept(tmp_path: Path, **values: str) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, text in values.items():
        (folder / name).write_text(text)
    return folder


def test_a_kept_secret_counts_and_is_weaker_than_a_variable_and_the_environment_file(tmp_path: Path) -> None:
    folder = kept(tmp_path, SECRET_KEY="from-the-folder\n", JWT_SECRET_KEY="from-the-folder", OTHER="from-the-folder")
    file = tmp_path / ".env"
    file.write_text("JWT_SECRET_KEY=from-the-file\n")
    environment = Environment({"OTHER": "from-a-variable"}, file, folder)
    assert [value(environment, name) for name in ("SECRET_KEY", "JWT_SECRET_KEY", "OTHER")] == [
        "from-the-folder",
        "from-the-file",
        "from-a-variable",
    ]
    found = environment.get("SECRET_KEY")
    assert found is not None
    assert (found.origin, found.where) == ("secrets folder", str(folder / "SECRET_KEY"))


def test_an_empty_variable_hides_a_kept_secret(tmp_path: Path) -> None:
    assert value(Environment({"SECRET_KEY": ""}, None, kept(tmp_path, SECRET_KEY="x")), "SECRET_KEY") is None


def test_only_names_of_variables_are_looked_up_among_the_secrets(tmp_path: Path) -> None:
    folder = kept(tmp_path, **{"SECRET_KEY.1a2b": "a draft", "notes.txt": "words"})
    (tmp_path / "outside").write_text("x")
    environment = Environment({}, None, folder)
    assert [value(environment, name) for name in ("SECRET_KEY.1a2b", "notes.txt", "../outside")] == [None] * 3
    assert value(Environment({}, None, tmp_path / "absent"), "SECRET_KEY") is None


def test_a_kept_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = kept(tmp_path)
    (folder / "SECRET_KEY").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="it is not UTF-8") as caught:
        Environment({}, None, folder).get("SECRET_KEY")
    assert caught.value.where == str(folder / "SECRET_KEY")
