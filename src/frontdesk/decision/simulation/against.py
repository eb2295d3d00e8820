"""People who do not exist, before a desk that does: their events go in by its API, and its messages are answered.

Time is the desk's: people live `HOURS_A_SECOND` of their day in each second, and their answers, which in life would
take hours, come as much sooner.
"""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import numpy as np

from frontdesk.decision.arms import Arms
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.simulation.world import World
from frontdesk.engagement import CHANNELS, Customer, CustomerEvent, Genes, Outcome
from frontdesk.errors import DeskRefused, NotFound

HOURS_A_SECOND = 0.1
AT_ONCE = 500  # events or outcomes in one request
SECONDS = 30.0  # for an answer of the desk
PAGE = 100  # decisions that are looked at for new messages

T = TypeVar("T")


class Desk(msgspec.Struct, frozen=True):
    """Where a desk answers, and the API key it is asked with."""

    url: str
    key: str | None = None


class Account(msgspec.Struct, kw_only=True):
    """What came of it: how much was sent to the desk, what the desk did, and what it got for that."""

    people: int = 0
    events: int = 0
    refused: int = 0
    decisions: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    messages: int = 0
    outcomes: dict[str, int] = msgspec.field(default_factory=dict[str, int])

    def counts(self) -> dict[str, int]:
        """All of it, flat."""
        decided = {f"decided: {state}": number for state, number in sorted(self.decisions.items())}
        answered = {f"answered: {kind}": number for kind, number in sorted(self.outcomes.items())}
        sent = {"people": self.people, "events": self.events, "refused": self.refused, "messages": self.messages}
        return sent | decided | answered


class _Decision(msgspec.Struct, frozen=True):
    id: str
    customer_id: str
    state: str
    arm: str


class _Page(msgspec.Struct, frozen=True):
    items: list[_Decision]


class _Message(msgspec.Struct, frozen=True):
    state: str = ""


class _Story(msgspec.Struct, frozen=True):
    message: _Message | None = None


class _Done(msgspec.Struct, frozen=True):
    """An answer of which nothing is needed."""


class _Taken(msgspec.Struct, frozen=True):
    state: str


class _Results(msgspec.Struct, frozen=True):
    results: list[_Taken]


async def against(
    desk: Desk,
    options: EngagementOptions,
    *,
    people: int,
    seed: int,
    seconds: float,
    watch: Callable[[float], None] | None = None,
) -> Account:
    """Live before the desk for `seconds`.

    Raises `NotFound` where no desk answers, `DeskRefused` where it takes something otherwise than well.
    """
    start = datetime.now(UTC)
    prefix = f"sim-{seed}-"
    keys = Arms.of(options, Genes()).keys
    world = World(options.messages, keys, people=people, seed=seed, start=start, history_days=0, prefix=prefix)
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(headers=_headers(desk), timeout=timeout) as http:
        crowd = _Crowd(http, desk.url.rstrip("/"), world, f"{int(start.timestamp()):x}")
        await crowd.introduce()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (passed := loop.time() - begun) < seconds:
            await crowd.second()
            if watch is not None:
                watch(min(1.0, passed / seconds))
            await asyncio.sleep(max(0.0, 1.0 - (loop.time() - begun - passed)))
        return crowd.account


class _Crowd:
    """The people of a world, who speak to a desk."""

    def __init__(self, http: aiohttp.ClientSession, url: str, world: World, run: str) -> None:
        self.account = Account(people=len(world.population))
        self._http, self._url, self._world, self._run = http, url, world, run
        self._coming: list[tuple[float, str, Outcome]] = []
        self._waiting: dict[str, _Decision] = {}
        self._seen: set[str] = set()

    async def introduce(self) -> None:
        """Let the desk know them: consents and addresses, as their owner would."""
        for person in range(len(self._world.population)):
            customer = self._world.population.customer(person)
            await self._send("PUT", f"/api/v1/customers/{quote(customer.id)}", _body(customer), _Done)

    async def second(self) -> None:
        """A second: who comes by, what the desk decided, and who answers."""
        now = datetime.now(UTC)
        for batch in _batches(self._world.live(HOURS_A_SECOND)):
            events = [self._event(event, now) for event in batch]
            results = await self._send("POST", "/api/v1/events", {"events": events}, _Results)
            refused = sum(each.state == "refused" for each in results.results)
            self.account.events += len(batch) - refused
            self.account.refused += refused
        await self._look()
        due: list[Outcome] = []
        while self._coming and self._coming[0][0] <= self._world.hours:
            due.append(heapq.heappop(self._coming)[2])
        for batch in _batches(due):
            body = {"outcomes": [_outcome(each, now) for each in batch]}
            await self._send("POST", "/api/v1/feedback", body, _Results)
            self.account.outcomes = dict(Counter(self.account.outcomes) + Counter(str(each.kind) for each in batch))

    async def _look(self) -> None:
        """Find what was decided about these people, and answer what has reached them."""
        page = await self._send("GET", f"/api/v1/decisions?limit={PAGE}", None, _Page)
        mine = self._world.population.prefix
        for decision in page.items:
            if decision.id in self._seen or not decision.customer_id.startswith(mine):
                continue
            self._seen.add(decision.id)
            self.account.decisions = dict(Counter(self.account.decisions) + Counter([decision.state]))
            if decision.state in ("act", "approval") and decision.arm in self._world.arms.keys:
                self._waiting[decision.id] = decision
        for decision in list(self._waiting.values()):
            story = await self._send("GET", f"/api/v1/decisions/{quote(decision.id)}", None, _Story)
            state = story.message.state if story.message else ""
            if state not in ("writing", "approval", "scheduled"):
                del self._waiting[decision.id]
            if state == "released":
                self._receive(decision)

    def _receive(self, decision: _Decision) -> None:
        self.account.messages += 1
        person = np.array([self._world.population.person(decision.customer_id)])
        arm = np.array([self._world.arms.keys.index(decision.arm)])
        for outcome in self._world.answer(person, arm, [decision.id]):
            hours = (outcome.at - self._world.start).total_seconds() / 3600
            heapq.heappush(self._coming, (hours, outcome.id, outcome))

    def _event(self, event: CustomerEvent, now: datetime) -> Mapping[str, object]:
        fields = msgspec.structs.asdict(event)
        return fields | {"id": f"{event.id}.{self._run}", "at": now.isoformat()}

    async def _send(self, method: str, path: str, body: object, kind: type[T]) -> T:
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._http.request(method, f"{self._url}{path}", data=data) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            hint = "Start it: frontdesk up engagement"
            raise NotFound("No desk answers there", where=self._url, hint=hint) from error
        if answer.status >= 400:
            raise DeskRefused(f"The desk said {answer.status}: {text[:300].decode(errors='replace')}", where=path)
        return msgspec.json.decode(text, type=kind)


def _headers(desk: Desk) -> dict[str, str]:
    known = {"Content-Type": "application/json", "X-Frontdesk": "1"}
    return known | ({"Authorization": f"Bearer {desk.key}"} if desk.key else {})


def _body(customer: Customer) -> dict[str, object]:
    return {
        "segment": customer.segment,
        "name": customer.name,
        "time_zone": customer.time_zone,
        "consents": [channel for place, channel in enumerate(CHANNELS) if customer.consents >> place & 1],
        "addresses": customer.addresses,
        "traits": customer.traits,
    }


def _outcome(outcome: Outcome, now: datetime) -> Mapping[str, object]:
    return msgspec.structs.asdict(outcome) | {"at": now.isoformat()}


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[place : place + AT_ONCE] for place in range(0, len(items), AT_ONCE)]
