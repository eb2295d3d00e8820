"""An item of a checklist, and what became of it."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from frontdesk.operate.checklist.sight import Sight

State = Literal["pass", "fail", "manual"]


class Verdict(msgspec.Struct, frozen=True):
    """`manual`: the desk cannot know it, and `reason` says where a person looks."""

    state: State
    reason: str


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """An item after it was looked at."""

    number: int
    group: str
    name: str
    state: State
    reason: str


Judge = Callable[[Sight], Verdict]
Items = Sequence[tuple[str, Sequence[tuple[str, Judge]]]]  # groups of named items


def checked(items: Items, sight: Sight) -> list[Checked]:
    """Every item, numbered through."""
    found: list[Checked] = []
    for group, judges in items:
        for name, judge in judges:
            verdict = judge(sight)
            found.append(
                Checked(number=len(found) + 1, group=group, name=name, state=verdict.state, reason=verdict.reason)
            )
    return found


def passed(reason: str) -> Verdict:
    """It is so."""
    return Verdict("pass", reason)


def failed(reason: str) -> Verdict:
    """It is not so; the reason says what mends it."""
    return Verdict("fail", reason)


def manual(reason: str) -> Verdict:
    """A person must look."""
    return Verdict("manual", reason)


def by_a_person(reason: str) -> Judge:
    """What the desk can never know."""

    def judge(_: Sight) -> Verdict:
        return manual(reason)

    return judge


def at_an_address() -> Verdict:
    """Only a running desk can show it."""
    return manual("A running desk shows it: frontdesk checklist ADDRESS")


def unless(fault: str, reason: str) -> Verdict:
    """Failed with the fault, if there is one."""
    return failed(fault) if fault else passed(reason)
