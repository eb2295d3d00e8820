"""evolution: steps are asked for and looked at, challengers watched and taken back."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from frontdesk.cli.local import Local, open_local
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.decision.policies import born, first
from frontdesk.engagement import Genes
from frontdesk.store.evolutions import Evolutions, Found, GeneChange
from frontdesk.store.policies import Policies
from frontdesk.system.load import load
from tests.cli.conftest import Command

CHANGE = GeneChange(gene="margin", before=0.01, after=0.05, worth=0.02)


def served(home: Path, *, challenged: bool = False) -> None:
    """A policy serves, and a challenger has its trial."""

    async def work(desk: Local) -> None:
        clock = SystemClock()
        policies = Policies(desk.store.database, clock, RandomIds())
        old = first("old", Genes(), clock.now())
        pointer = await policies.start(old)
        if challenged:
            await policies.add(born("bold", Genes(), clock.now(), origin="planted", parent=old))
            await policies.move("canary", pointer, msgspec.structs.replace(pointer, challenger_id="bold"), reason="")

    asyncio.run(open_local(load(home=home), work))


def settled(home: Path, step_id: str) -> None:
    """The step has found something."""

    async def work(desk: Local) -> None:
        evolutions = Evolutions(desk.store.database, SystemClock(), RandomIds())
        found = Found(fitness=0.3, held_out=0.2, changes=(CHANGE,))
        await evolutions.settle(step_id, "shadow", found=found, note="better", policy_id="new")

    asyncio.run(open_local(load(home=home), work))


def test_a_step_is_asked_for_once_and_shown_gene_by_gene(frontdesk: Command, home: Path) -> None:
    assert frontdesk("evolution", "list").err == "No step yet. Next: frontdesk evolution step\n"
    served(home)
    asked = frontdesk("evolution", "step", "--seed", "7")
    step_id = asked.out.strip()
    assert asked.err == f"Step 1 is asked for. Next: frontdesk evolution show {step_id}\n"
    assert "A step of evolution is running already" in frontdesk("evolution", "step").err
    settled(home, step_id)
    told = json.loads(frontdesk("evolution", "show", step_id, "--json").out)
    assert (told["seed"], told["state"], told["gap"]) == (7, "shadow", pytest.approx(0.1))
    shown = frontdesk("evolution", "show", step_id).out
    assert "fitness 0.3000, held out 0.2000, gap 0.1000" in shown
    assert "margin  0.01    0.05   0.0200" in shown
    assert step_id in frontdesk("evolution", "list").out
    assert json.loads(frontdesk("evolution", "step", "--json").out)["generation"] == 2
    assert frontdesk("evolution", "show", "nothing").code == 1


def test_a_challenger_is_watched_and_taken_back_with_a_reason(frontdesk: Command, home: Path) -> None:
    served(home)
    assert frontdesk("evolution", "trial").err == "No challenger has its trial.\n"
    assert json.loads(frontdesk("evolution", "trial", "--json").out) is None
    served(home, challenged=True)
    assert "wait: 0.00% against 0.00%: not enough to tell" in frontdesk("evolution", "trial").out
    assert json.loads(frontdesk("evolution", "trial", "--json").out)["act"] == "wait"
    assert frontdesk("evolution", "take-back").code == 2
    assert frontdesk("evolution", "take-back", "--reason", "It is rude").out == "old\n"
    assert frontdesk("evolution", "trial").err == "No challenger has its trial.\n"
    assert "nothing to go back to" in frontdesk("evolution", "take-back", "--reason", "Again").err
