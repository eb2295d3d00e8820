"""Packages built from a checkout bring the pages: who installs those needs no Node."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.proof
def test_the_wheel_and_the_sdist_hold_the_pages(tmp_path: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--out-dir", tmp_path, ROOT], check=True, capture_output=True, timeout=600)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        packed = sdist.getnames()
    assert any(name.startswith("frontdesk/pages/") and name.endswith(".html") for name in names)
    assert any(name.startswith("frontdesk/store/migrations/versions/") for name in names)
    for page in ("index.md", "targets/compose.md"):
        assert f"frontdesk/docs/{page}" in names
    assert any("/src/frontdesk/pages/" in name and name.endswith(".html") for name in packed)
    assert not any("node_modules" in name for name in packed)
