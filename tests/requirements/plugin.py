"""The `proves` marker: an unknown id fails its test, and every run is recorded in `build/test-results.json`."""

import pytest

from tests.requirements import table

KNOWN = {requirement.id for requirement in table.requirements()}
RANK = {"passed": 0, "skipped": 1, "failed": 2}  # the worst of a function's parameters counts


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proves(*ids): the requirements that this test proves, such as 'assistant-6'")


def pytest_runtest_setup(item: pytest.Item) -> None:
    unknown = [name for name in proved_by(item) if name not in KNOWN]
    if unknown:
        pytest.fail(f"there is no requirement {', '.join(unknown)}: see tests/requirements/table.yaml", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:  # travels with the reports from the processes of pytest-xdist
        item.user_properties.append(("proves", ",".join(proved_by(item))))


def proved_by(item: pytest.Item) -> list[str]:
    """The requirements that a test says it proves."""
    return sorted({str(name) for mark in item.iter_markers("proves") for name in mark.args})


def _joined(known: list[str], more: list[str]) -> list[str]:
    """What a function proves is what any of its parameters proves."""
    return sorted({*known, *more} - {""})


class Recorder:
    """Notes how each test went. Lives in the process that reports, not in the workers of pytest-xdist."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._tree = table.fingerprint()
        self._tests: dict[str, table.Test] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        name = report.nodeid.partition("[")[0]
        test = self._tests.setdefault(name, table.Test(proves=[]))
        test.proves = _joined(test.proves, str(dict(report.user_properties).get("proves") or "").split(","))
        if test.outcome is None or RANK[report.outcome] > RANK[test.outcome]:
            test.outcome, test.seed = report.outcome, self._seed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            for item in session.items:
                test = self._tests.setdefault(item.nodeid.partition("[")[0], table.Test(proves=[]))
                test.proves = _joined(test.proves, proved_by(item))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        record = table.read_record()
        if record.tree != self._tree:
            terminalreporter.write_line(
                "A file was changed during the run, so nothing was recorded for `make requirements`."
            )
        elif self._tests:
            record.tests = self._tests | record.tests | {name: t for name, t in self._tests.items() if t.outcome}
            table.write_record(record)
