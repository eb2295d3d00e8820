"""What tests of rendered files may ask for."""

import shutil

import pytest

from tests.render.engine import engine as engine


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("no promtool: apt-get install --yes prometheus")
    return path
