"""The tree as a whole: nothing in it ties it to one machine, and a stranger can find the way."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOSTS = ("registry.npmjs" + ".org", "pypi" + ".org", "pythonhosted" + ".org", "registry.yarnpkg" + ".com")
MACHINE_PATHS = re.compile(r"(?<![\w}])/(?:work|farm)/|(?<!target=)/root/\.|/home/[a-z]+/")  # `target=`: of a container
EMPTY_NAMES = re.compile(r"(?:^|/)(?:utils?|helpers?|common|misc)(?:\.py|\.tsx?|/)")
SOURCES = (".py", ".ts", ".tsx")


def tracked() -> list[str]:
    """The files that git knows, without those that are deleted but not committed."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    return [(name, (ROOT / name).read_text(encoding="utf-8", errors="replace")) for name in tracked()]


def test_no_file_names_a_registry_host() -> None:
    assert [(name, host) for name, text in texts() for host in HOSTS if host in text] == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    own = str(Path(__file__).relative_to(ROOT))
    assert [(name, m[0]) for name, text in texts() if name != own and (m := MACHINE_PATHS.search(text))] == []


def test_files_have_one_subject_and_a_name_that_says_it() -> None:
    assert [name for name in tracked() if EMPTY_NAMES.search(name)] == []


def test_no_source_file_is_longer_than_five_hundred_lines() -> None:
    long = {name: len(text.splitlines()) for name, text in texts() if name.endswith(SOURCES)}
    assert {name: lines for name, lines in long.items() if lines > 500} == {}


def test_every_locked_package_is_pinned_by_hash() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        pins = re.findall(r"^([a-z0-9][\w.\-]*(?:\[[\w,\-]+\])?==\S+)(.*)$", lock.read_text(), flags=re.MULTILINE)
        assert pins, lock.name
        assert [pin for pin, rest in pins if not rest.rstrip().endswith("\\")] == [], lock.name


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"])
def test_the_tree_says_what_it_is_and_how_to_take_part(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8").strip()) > 200


def test_relative_links_of_the_documentation_lead_somewhere() -> None:
    broken = [
        (name, target)
        for name, text in texts()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not target.startswith("mailto:") and not ((ROOT / name).parent / target).exists()
    ]
    assert broken == []


def test_make_help_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)[1].split())
    described = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE))
    assert described == targets
