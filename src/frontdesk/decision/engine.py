"""The engine: what is asked at the same moment is decided together, in one transaction that writes all that follows.

A decision that is returned is durable. An event needs no lease: it is marked as decided in the transaction of its
decision, so whoever comes second finds that.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import structlog
from sqlalchemy.exc import IntegrityError

from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.policies import Served
from frontdesk.decision.together import Asked, Choosers, Result, Together, another_customers
from frontdesk.engagement import Ask, Decision, PolicyRole
from frontdesk.errors import Conflict, FrontdeskError
from frontdesk.ports import Clock, Dispatcher, Ids
from frontdesk.store.customer_events import CustomerEvents
from frontdesk.store.database import Database
from frontdesk.store.gathered import Gathered
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.decision")

MOST_TOGETHER = 512  # decisions in one transaction: bounds how long others wait for its customers
SEEDS = 1024  # drawn at once, which costs as much as one

LANES = 2  # transactions at once in one process: while the database works on one, the other is thought about
BELLS = 4  # rung for the messages of one transaction: of more, the sweep finds the rest within a second

Watch = Callable[[PolicyRole, float, bool], None]


class Policies(Protocol):
    """Where the serving policies come from."""

    async def serving(self) -> Served:
        """Those that decide now."""
        ...


class Engine:
    """Decides about customers. `settings` gives the options in effect; `chance` draws the seeds of decisions; `watch`
    is told of each decision's role, its seconds and whether it failed."""

    def __init__(
        self,
        database: Database,
        events: CustomerEvents,
        policies: Policies,
        settings: Callable[[], EngagementOptions],
        clock: Clock,
        ids: Ids,
        work: Dispatcher,
        chance: np.random.Generator,
        watch: Watch | None = None,
    ) -> None:
        self._database = database
        self._events = events
        self._policies = policies
        self._settings = settings
        self._clock = clock
        self._ids = ids
        self._work = work
        self._chance = chance
        self._watch = watch
        self._seeds: list[int] = []
        self._choosers = Choosers()
        self._gathered: Gathered[Sequence[Asked], list[Result]] = Gathered(
            self._each, most=MOST_TOGETHER, weight=len, lanes=LANES
        )

    async def decide(self, asks: Sequence[Ask]) -> list[Decision | FrontdeskError]:
        """A durable decision for each question, or why there is none: `UnknownCustomer`, `BadFeature`, `Conflict`.

        A question that names an event that was decided before gets that decision.

        Raises:
            StoreUnavailable: the database is away; nothing was decided.
        """
        results = await self._answered(self._asked(asks))
        return [Conflict("Nothing was decided") if result is None else result for result in results]

    async def on_event(self, event_id: str) -> None:
        """Decide about what a customer did. Bears an event that is decided, or gone with its customer."""
        event = await self._events.get(event_id)
        if event is None:
            return
        ask = Ask(customer_id=event.customer_id, event_id=event.id)
        (result,) = await self._answered(self._asked([ask], event.type))
        if isinstance(result, FrontdeskError):
            log.warning("event_not_decided", event_id=event_id, code=result.code)

    def _asked(self, asks: Sequence[Ask], event_type: str | None = None) -> list[Asked]:
        if len(self._seeds) < len(asks):
            self._seeds += self._chance.integers(0, 2**63, size=len(asks) + SEEDS).tolist()
        return [Asked(ask, self._ids.new("dec"), self._seeds.pop(), event_type) for ask in asks]

    async def _answered(self, asked: Sequence[Asked]) -> list[Result]:
        since = self._clock.monotonic()
        try:
            alone = not self._settings().batch_processing
            results = await (self._together(asked) if alone else self._gathered.put(asked))
        except Exception as error:
            kind = error.code if isinstance(error, FrontdeskError) else type(error).__name__
            metrics.orchestration_errors.labels("decision", kind).inc(len(asked))
            raise
        seconds = self._clock.monotonic() - since
        metrics.decision_duration.observe_many([seconds] * len(asked))
        if self._watch is not None:
            for result in results:
                if isinstance(result, Decision):
                    self._watch(result.role, seconds, False)
        return results

    async def _each(self, calls: list[Sequence[Asked]]) -> list[list[Result] | Exception]:
        """The answers to each call, from one transaction."""
        answers = iter(await self._together([asked for call in calls for asked in call]))
        return [[next(answers) for _ in call] for call in calls]

    async def _together(self, asked: Sequence[Asked]) -> list[Result]:
        """The answers: all in one transaction, and where one of them spoils that, each in its own."""
        try:
            return await self._transact(asked)
        except IntegrityError as error:  # two customers' questions with the id of one event
            if len(asked) > 1:
                return [answer for each in asked for answer in await self._together([each])]
            if asked[0].ask.event_id is None:
                raise
            log.warning("event_of_two_customers", problem=str(error.orig))
            return [another_customers(asked[0].ask.event_id)]

    async def _transact(self, asked: Sequence[Asked]) -> list[Result]:
        served, options = await self._policies.serving(), self._settings()
        together = Together(self._choosers, served, options, self._ids, self._clock.now())
        answers = await self._database.act(lambda connection: together.answer(connection, asked))
        _count(answers.fresh, options)
        if self._watch is not None:
            for _ in answers.failed:
                self._watch("challenger", 0.0, True)
        for message in answers.messages[:BELLS]:
            await self._work.ready("outreach", message)
        return answers.results


def _count(made: Sequence[Decision], options: EngagementOptions) -> None:
    kinds = Counter((each.segment, each.objective, _band(each.confidence, options)) for each in made)
    for labels, count in kinds.items():
        metrics.decisions.labels(*labels).inc(count)
    metrics.decision_confidence.observe_many([each.confidence for each in made])


def _band(confidence: float, options: EngagementOptions) -> str:
    if confidence >= options.confidence_threshold:
        return "high"
    return "medium" if confidence >= options.minimum_confidence else "low"
