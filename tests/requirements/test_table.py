"""The requirement table and the tests hold together."""

import subprocess
import sys

import pytest

from tests.requirements import plugin, table

pytest_plugins = ["pytester"]

CONFTEST = """
from tests.requirements import plugin

def pytest_configure(config):
    config.pluginmanager.register(plugin, "requirements")
"""


def test_ids_are_unique_and_later_ones_say_why() -> None:
    requirements = table.requirements()
    assert len({requirement.id for requirement in requirements}) == len(requirements) == 140
    assert [r.id for r in requirements if (r.due == "later") != bool(r.why)] == []


def test_a_test_that_names_no_requirement_fails(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.proves("assistant-99")
        def test_wrong():
            pass

        @pytest.mark.proves("assistant-1")
        def test_right():
            pass
        """
    )
    result = pytester.runpytest_inprocess("-p", "no:xdist", "-o", "asyncio_default_fixture_loop_scope=function")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*there is no requirement assistant-99*"])


def test_every_requirement_that_is_due_has_a_test(request: pytest.FixtureRequest) -> None:
    proved = {name for item in request.session.items for name in plugin.proved_by(item)}
    if due() - proved:  # this run is of a part
        proved = proved_by_the_whole_tree()
    assert due() - proved == set()


def due() -> set[str]:
    return {requirement.id for requirement in table.requirements() if requirement.due == "now"}


def proved_by_the_whole_tree() -> set[str]:
    """What pytest finds when it collects every test."""
    script = (
        "import pytest\n"
        "from tests.requirements import plugin\n"
        "class Collect:\n"
        "    def pytest_collection_finish(self, session):\n"
        "        print('PROVED', *{name for item in session.items for name in plugin.proved_by(item)})\n"
        "pytest.main(['--collect-only', '-q', '-n0', '-p', 'no:cacheprovider'], plugins=[Collect()])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=table.ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    proved = [line.split()[1:] for line in run.stdout.splitlines() if line.startswith("PROVED")]
    assert len(proved) == 1, run.stdout[-1000:] + run.stderr[-1000:]
    return set(proved[0])
