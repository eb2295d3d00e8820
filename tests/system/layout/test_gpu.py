"""How cards are shared: by what the card can do, and never by more than it has."""

from pathlib import Path

import pytest

from frontdesk.system.home import blueprint_file
from frontdesk.system.layout.gpu import CardPlan, card_plans
from frontdesk.system.layout.plan import Plan
from frontdesk.system.load import described
from tests.system.layout.described import planned

SHARES = (
    "services: {web: {gpu: {slot: 1, compute: 40, memory: 8Gi}}, worker: {gpu: {slot: 2, compute: 20, memory: 4Gi}}}"
)


def shared(folder: Path, card: str, shares: str = SHARES) -> CardPlan:
    (found,) = card_plans(planned(folder, f"{shares}\nhosts: {{node: {{gpu: {card}}}}}"))
    return found


@pytest.mark.proves("agents-8")
def test_the_blueprint_shares_its_4090_by_mps_never_by_mig() -> None:
    system, _ = described(blueprint_file("agents"), "production")
    assert system is not None
    first, second = card_plans(Plan(system))
    assert (first.model, first.method, first.problems) == ("RTX 4090", "mps", ())
    assert "has no MIG" in first.reason
    assert [(slot.number, slot.compute, slot.memory // 2**30) for slot in first.slots] == [
        (1, 20, 5),
        (2, 15, 4),
        (3, 20, 5),
        (4, 45, 9),
    ]
    assert (second.method, second.slots[0].compute) == ("mps", 70)


@pytest.mark.proves("agents-8")
@pytest.mark.parametrize(
    ("card", "method"),
    [
        ("{model: RTX 4090, memory: 24Gi}", "mps"),
        ("{model: NVIDIA A100, memory: 80Gi}", "mig"),
        ("{model: H100, memory: 80Gi}", "mig"),
        ("{model: H200, memory: 141Gi}", "mig"),
        ("{model: A30, memory: 24Gi}", "mig"),
        ("{model: RTX PRO 6000 Blackwell, memory: 96Gi}", "mig"),
        ("{model: RTX 6000 Ada, memory: 48Gi}", "mps"),
        ("{model: T4, memory: 16Gi}", "mps"),
        ("{model: GTX 1080, memory: 12Gi}", "time-slicing"),
        ("{model: A100, memory: 80Gi, sharing: time-slicing}", "time-slicing"),
    ],
)
def test_the_method_is_the_best_that_the_card_has(card: str, method: str, tmp_path: Path) -> None:
    found = shared(tmp_path, card)
    assert (found.method, found.problems) == (method, ())
    assert found.reason
    assert all(slot.profile for slot in found.slots) == (method == "mig")


def test_mig_gives_each_at_least_what_it_asked_for(tmp_path: Path) -> None:
    found = shared(tmp_path, "{model: A100, memory: 80Gi}")
    assert [(slot.service, slot.profile) for slot in found.slots] == [("web", "3g.40gb"), ("worker", "2g.20gb")]
    assert found.slots[0].compute >= 40
    assert found.slots[0].memory >= 8 * 2**30


def test_shares_that_no_profiles_give_fall_back_to_mps(tmp_path: Path) -> None:
    shares = "services: {web: {gpu: {compute: 50, memory: 8Gi}}, worker: {gpu: {compute: 50, memory: 8Gi}}}"
    found = shared(tmp_path, "{model: A100, memory: 40Gi}", shares)
    assert (found.method, found.problems) == ("mps", ())
    assert "MIG's profiles" in found.reason
    forced = shared(tmp_path, "{model: A100, memory: 40Gi, sharing: mig}", shares)
    assert "do not give these shares together" in forced.problems[0][0]


def test_one_service_alone_has_the_whole_card_and_without_a_card_it_is_the_cpu(tmp_path: Path) -> None:
    alone = "services: {web: {gpu: {compute: 100, memory: 8Gi}}}"
    assert shared(tmp_path, "{model: RTX 4090, memory: 24Gi}", alone).method == "whole"
    (found,) = card_plans(planned(tmp_path, alone))
    assert (found.method, found.reason) == ("cpu", "the host has no card")


def test_memory_that_is_spared_is_never_planned(tmp_path: Path) -> None:
    tight = "{model: RTX 4090, memory: 12Gi, spare: 1Gi}"
    assert "`worker` wants 20 % and 4Gi" in shared(tmp_path, tight).problems[0][0]
    assert shared(tmp_path, "{model: RTX 4090, memory: 12Gi}").problems == ()
    assert shared(tmp_path, "{model: RTX 4090, memory: 12Gi, spare: 1Gi, count: 2}").problems == ()


def test_each_replica_of_a_machine_takes_its_share(tmp_path: Path) -> None:
    five = "services: {web: {replicas: 5, gpu: {compute: 30, memory: 9Gi}}}"
    assert "at most 40 % and 6.0 GiB are left" in shared(tmp_path, "{model: T4, memory: 24Gi}", five).problems[0][0]
    assert shared(tmp_path, "{model: T4, memory: 32Gi}", five).problems == ()
    spread = (
        "services: {web: {replicas: 2, gpu: {compute: 60, memory: 14Gi}}}"  # the small system has two such machines
    )
    assert shared(tmp_path, "{model: T4, memory: 16Gi}", spread).problems == ()


def test_mig_cuts_a_piece_for_each_replica(tmp_path: Path) -> None:
    seven = "services: {web: {replicas: 14, gpu: {compute: 14, memory: 9Gi}}}"
    found = shared(tmp_path, "{model: H100, memory: 80Gi}", seven)
    assert (found.method, [(slot.profile, slot.count) for slot in found.slots]) == ("mig", [("1g.10gb", 7)])
    assert shared(tmp_path, "{model: H100, memory: 80Gi}", seven.replace("14, gpu", "16, gpu")).method == "mps"


def test_a_slot_belongs_to_one_service(tmp_path: Path) -> None:
    share = "{gpu: {slot: 1, compute: 10, memory: 1Gi}}"
    same = f"services: {{web: {share}, worker: {share}}}"
    ((what, hint),) = shared(tmp_path, "{model: RTX 4090, memory: 24Gi}", same).problems
    assert what == "`web` and `worker` both want slot 1"
    assert "slot" in hint
