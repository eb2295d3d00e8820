"""The pages' own tests (the Markdown renderer, the stream), run with the Node that builds them."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_pages_own_tests_pass() -> None:
    run = subprocess.run(
        [sys.executable, "hatch_build.py", "test"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    assert re.search(r"Tests\s+[1-9]\d* passed", run.stdout), run.stdout[-4000:]


def test_the_built_pages_hold_no_inline_script_or_style() -> None:
    pages = sorted((ROOT / "src" / "frontdesk" / "pages").glob("*.html"))
    assert {page.name for page in pages} == {
        "index.html",
        "sign-in.html",
        "console.html",
        "widget.html",
        "widget-demo.html",
    }
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", text) == []
        assert re.findall(r"(?:src|href)=\"(?!/)", text) == []
