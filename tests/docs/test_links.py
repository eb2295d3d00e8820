"""The pages hang together: links, anchors, the site's table of contents."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT, anchors, names, text

LINK = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")


@pytest.mark.parametrize("name", names())
def test_links_into_a_page_meet_a_heading(name: str) -> None:
    for target, anchor in LINK.findall(text(name)):
        if "://" not in target:
            page = (ROOT / name).parent.joinpath(target).resolve().relative_to(ROOT).as_posix() if target else name
            assert anchor in anchors(page), f"{target}#{anchor}"


def test_the_table_of_contents_names_every_page_once() -> None:
    listed = re.findall(r": ([\w/-]+\.md)$", text("mkdocs.yml"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_the_site_builds_without_a_warning_and_without_foreign_parts(tmp_path: Path) -> None:
    shutil.copytree(DOCS, tmp_path / "docs")
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    zensical = Path(sys.executable).with_name("zensical")
    build = [zensical, "build", "--strict"]
    run = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    nav = yaml.safe_load(text("mkdocs.yml"))["nav"]
    assert nav[0] == {"Frontdesk": "index.md"}
    for page in (tmp_path / "site").rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"?(https?://[^\"\s>]+)", page.read_text())
        assert [address for address in loaded if "w3.org" not in address] == [], page
