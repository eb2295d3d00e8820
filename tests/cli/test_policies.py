"""policies: snapshots are listed, read, compared, and judged by the log."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from frontdesk.cli.local import Local, open_local
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.decision.policies import born, first
from frontdesk.engagement import Genes
from frontdesk.store.policies import Policies
from frontdesk.system.load import load
from tests.cli.conftest import Command


@pytest.fixture
def served(home: Path) -> None:
    """A champion, and a challenger that came of it."""

    async def work(desk: Local) -> None:
        clock = SystemClock()
        policies = Policies(desk.store.database, clock, RandomIds())
        old = first("old", Genes(), clock.now())
        pointer = await policies.start(old)
        await policies.add(born("bold", Genes(margin=0.05), clock.now(), origin="evolved", parent=old))
        await policies.move("canary", pointer, msgspec.structs.replace(pointer, challenger_id="bold"), reason="")

    asyncio.run(open_local(load(home=home), work))


@pytest.mark.usefixtures("served")
def test_policies_are_listed_with_what_they_serve_as(frontdesk: Command) -> None:
    lines = frontdesk("policies", "list").out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["bold", "challenger"], ["old", "champion"]]
    found = json.loads(frontdesk("policies", "list", "--strategy", "old", "--json").out)
    assert [line["id"] for line in found["items"]] == ["old"]
    assert found["serving"]["challenger_id"] == "bold"


@pytest.mark.usefixtures("served")
def test_a_policy_is_shown_with_its_genes_beliefs_and_lineage(frontdesk: Command) -> None:
    text = frontdesk("policies", "show", "bold").out
    assert "bold: evolved, generation 1" in text
    assert "from old" in text
    assert "bias × message" in text
    assert json.loads(frontdesk("policies", "show", "bold", "--json").out)["policy"]["genes"]["margin"] == 0.05
    missing = frontdesk("policies", "show", "ghost")
    assert (missing.code, "frontdesk policies list" in missing.err) == (1, True)


@pytest.mark.usefixtures("served")
def test_two_policies_are_compared_by_what_differs(frontdesk: Command) -> None:
    assert json.loads(frontdesk("policies", "compare", "old", "bold", "--json").out) == [
        {"what": "margin", "one": 0.01, "other": 0.05}
    ]
    assert frontdesk("policies", "compare", "old", "old").err == "They are alike.\n"


@pytest.mark.usefixtures("served")
def test_without_outcomes_nothing_is_claimed(frontdesk: Command) -> None:
    ended = frontdesk("policies", "off-policy")
    assert ended.out.count("not enough to tell") == 6
    assert "are needed" in ended.err
    found = json.loads(frontdesk("policies", "off-policy", "old", "--json").out)
    assert [(each["policy_id"], each["decisions"]) for each in found] == [("old", 0)]
