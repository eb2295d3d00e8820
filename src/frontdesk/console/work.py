"""What waits, who works on it, and what nobody works on any more."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, View
from frontdesk.errors import NotFound
from frontdesk.gate.caller import note_subject
from frontdesk.store.dead import Dead, DeadLetters, Doubtful
from frontdesk.store.outbox import Outbox
from frontdesk.store.queues import Queue, Queues
from frontdesk.store.schedules import Schedules
from frontdesk.store.updates import Updates
from frontdesk.store.workers import Worker, Workers

SLOW = 30.0  # seconds that the oldest row may wait before the page says so

RowId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_:.-]{1,200}$", examples=["turn_019a3f5e2b40c1d2e3f4a5b6c7d8e9"])]
DeadKind = Annotated[str, Path(pattern=r"^(turn|letter|update|job)$", examples=["letter"])]


class QueueView(View):
    """Rows of one kind that could be worked on now, and for how long the oldest of them has waited (seconds)."""

    kind: str
    queue: str
    length: int
    oldest_seconds: float
    running: int


class WorkerView(View):
    """A process that works. `down`: it has shown no sign of life for half a minute."""

    name: str
    queues: list[str]
    seen_at: datetime
    running: int
    state: Literal["up", "draining", "down"]


class DeadView(View):
    """A row that the desk gave up on."""

    kind: str
    id: str
    channel: str | None
    reason: str
    attempts: int
    at: datetime
    summary: str


class DoubtfulView(View):
    """A letter that may have arrived. A `proactive` one answers nothing that anybody asked."""

    id: str
    channel: str
    place: str
    at: datetime
    proactive: bool
    text: str


class ScheduleView(View):
    """A job that is made again and again."""

    name: str
    every: str
    next_at: datetime
    last_at: datetime | None
    last_result: str | None


class KeptView(View):
    """An update of a kind that the desk does not know."""

    channel: str
    id: str
    kind: str
    at: datetime


class WorkView(View):
    """All of it, and in one sentence whether anything is stuck."""

    queues: list[QueueView]
    workers: list[WorkerView]
    dead: list[DeadView]
    unknown: list[DoubtfulView]
    schedules: list[ScheduleView]
    updates_kept: list[KeptView]
    answer: str


class DecisionBody(Body):
    """What a person found out: it was `sent`, or it is to be sent again."""

    decision: Annotated[Literal["sent", "send_again"], Field(description="`send_again` may send it twice.")]


def router(
    queues: Queues,
    workers: Workers,
    dead: DeadLetters,
    schedules: Schedules,
    updates: Updates,
    outbox: Outbox,
    queue_of: Mapping[str, str],
) -> APIRouter:
    """The routes of work. `queue_of` tells which queue a kind goes by."""
    routes = APIRouter(prefix="/api/v1/console/work", tags=["console"], responses=COMMON)

    @routes.get("")
    async def everything() -> WorkView:
        """Queues, workers, dead letters, letters of unknown outcome, schedules, and updates that were only kept."""
        waiting, working = await queues.lengths(), await workers.page()
        given_up, doubtful = await dead.page(), await dead.doubtful()
        return WorkView(
            queues=[
                QueueView(
                    kind=row.kind,
                    queue=queue_of.get(row.kind, "general"),
                    length=row.length,
                    oldest_seconds=round(row.oldest_seconds, 1),
                    running=row.running,
                )
                for row in waiting
            ],
            workers=[
                WorkerView.model_validate(
                    {
                        "name": worker.name,
                        "queues": worker.queues.split(","),
                        "seen_at": worker.seen_at,
                        "running": worker.running,
                        "state": worker.state,
                    }
                )
                for worker in working
            ],
            dead=[DeadView.model_validate(each) for each in given_up],
            unknown=[DoubtfulView.model_validate(each) for each in doubtful],
            schedules=[ScheduleView.model_validate(each) for each in await schedules.page()],
            updates_kept=[KeptView.model_validate(each) for each in await updates.kept()],
            answer=_answer(waiting, working, given_up, doubtful),
        )

    @routes.post("/dead/{kind}/{id}/replay", status_code=204, responses=described(404))
    async def replay(request: Request, kind: DeadKind, id: RowId) -> None:
        """Have a dead row worked on again, as if it were new."""
        note_subject(request, f"{kind}:{id}")
        await dead.replay(kind, id)

    @routes.delete("/dead/{kind}/{id}", status_code=204, responses=described(404))
    async def hide(request: Request, kind: DeadKind, id: RowId) -> None:
        """Take a dead row off the list for good."""
        note_subject(request, f"{kind}:{id}")
        await dead.hide(kind, id)

    @routes.post("/unknown/{id}", status_code=204, responses=described(404))
    async def decide(id: PathId, body: DecisionBody) -> None:
        """Say what became of a letter of unknown outcome, or have it sent again."""
        if not await outbox.decide(id, body.decision):
            raise NotFound("There is no such letter of unknown outcome", where=id)

    return routes


def _answer(waiting: list[Queue], working: list[Worker], dead: list[Dead], doubtful: list[Doubtful]) -> str:
    if working and all(worker.state == "down" for worker in working):
        return "No worker shows a sign of life: nothing is answered until one is started."
    oldest = max((row.oldest_seconds for row in waiting), default=0.0)
    if oldest > SLOW:
        return f"Work is behind: something has been waiting for {oldest:.0f} seconds."
    if doubtful:
        return f"Only you can tell whether {_counted(len(doubtful), 'letter')} arrived."
    if dead:
        return f"Everything runs; {_counted(len(dead), 'dead letter')} can be looked at."
    return "Nothing is stuck."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
