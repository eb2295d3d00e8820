"""A running desk that decides about customers, as a load run meets it: its targets, its customers, its decisions."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import TypeVar

import aiohttp
import msgspec

from frontdesk.errors import Conflict, DeskRefused, NotFound, Usage
from frontdesk.operate.load.verdict import Targets

PATIENCE = 30.0  # seconds for an answer
IDLE = 3.0  # seconds that a connection is kept unused: less than servers keep it, or a request might meet its end
PAGE = 100  # customers
MOST_KNOWN = 10_000  # customers of the desk's own who are asked about
MOST_MADE = 100_000
MARK = {"made_for": "load"}  # the trait of customers whom a load run has made

T = TypeVar("T")


class Made(msgspec.Struct, frozen=True):
    """Customers whom load runs make: `prefix-000000` and so on."""

    prefix: str
    number: int

    @property
    def ids(self) -> list[str]:
        """Theirs, in order."""
        return [f"{self.prefix}-{number:06d}" for number in range(self.number)]

    @classmethod
    def parsed(cls, text: str) -> "Made":
        """`load/1000` as a prefix and a number. Raises `Usage`."""
        found = re.fullmatch(r"([A-Za-z0-9_-]{1,80})/(\d{1,6})", text)
        if found is None or not 1 <= int(found[2]) <= MOST_MADE:
            hint = f"`load/1000` makes a thousand, of {MOST_MADE:,} at most; `known` takes those whom the desk has."
            raise Usage(f"{text!r} names no customers", where="--customers", hint=hint)
        return cls(found[1], int(found[2]))


class Answer(msgspec.Struct, frozen=True):
    """What a request came to: decisions, and the codes of the errors in their place."""

    decisions: int
    errors: Sequence[str] = ()


class _Setting(msgspec.Struct, frozen=True):
    name: str
    value: bool | float | str


class _Settings(msgspec.Struct, frozen=True):
    items: list[_Setting]


class _Customer(msgspec.Struct, frozen=True):
    id: str
    traits: dict[str, object] = {}

    @property
    def is_made(self) -> bool:
        return MARK.items() <= self.traits.items()


class _Page(msgspec.Struct, frozen=True):
    items: list[_Customer]
    next: str | None


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


class _Decision(msgspec.Struct, frozen=True):
    id: str


class _Counts(msgspec.Struct, frozen=True):
    decided: int
    refused: int


class _Answers(msgspec.Struct, frozen=True):
    results: list[_Refusal]


_decision = msgspec.json.Decoder(_Decision)
_counts = msgspec.json.Decoder(_Counts)


class DecidingDesk:
    """The desk at `url`, asked with an API key, over as many connections as there are requests at a time.

    All but `decide` raise `NotFound` where no desk answers, and `DeskRefused` where it does not take the key or the
    request.
    """

    def __init__(self, url: str, key: str | None) -> None:
        self._url = url
        self._key = key
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )

    async def __aenter__(self) -> "DecidingDesk":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self._http.close()

    async def targets(self) -> Targets:
        """What it is held against, as it is in effect now."""
        settings = await self._call("GET", "/api/v1/engagement/settings", _Settings)
        values = {each.name: each.value for each in settings.items}
        try:
            p95_ms, per_second, error_share = (
                float(values[name]) for name in ("decision_latency_target", "throughput_target", "error_rate_threshold")
            )
        except (KeyError, ValueError):
            raise self._stranger() from None
        return Targets(p95_ms=p95_ms, per_second=per_second, error_share=error_share)

    async def known(self) -> list[str]:
        """The first `MOST_KNOWN` of its customers, in order of their ids. Raises `NotFound` where it has none."""
        found = await self._customers("", MOST_KNOWN)
        if not found:
            hint = "`--customers load/1000` makes some."
            raise NotFound("The desk knows no customers", where=self._url, hint=hint)
        return [customer.id for customer in found]

    async def make(self, made: Made, connections: int) -> None:
        """See to it that these customers are there and belong to load runs.

        They agree to messages in the owner's app, which stay on the desk, and to no others. Raises `Conflict` where one
        of them is somebody of the owner's.
        """
        wanted = set(made.ids)
        found = [each for each in await self._customers(f"{made.prefix}-") if each.id in wanted]
        if foreign := [customer.id for customer in found if not customer.is_made]:
            hint = "Choose another prefix, or take them as they are: `--customers known`."
            raise Conflict(f"{foreign[0]} is a customer whom no load run has made", where="--customers", hint=hint)
        body = msgspec.json.encode({"name": "Load", "consents": ["in_app"], "traits": MARK})
        await self._each("PUT", sorted(wanted - {customer.id for customer in found}), connections, body)

    async def erase(self, made: Made, connections: int) -> None:
        """Erase these customers with all that was decided about them."""
        await self._each("DELETE", made.ids, connections)

    async def decide(self, path: str, body: bytes) -> Answer:
        """Ask. Nothing is raised for what goes wrong: it is counted, as one error for each question of the body."""
        try:
            async with self._http.post(f"{self._url}{path}", data=body) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Answer(0, (type(error).__name__,))
        try:
            if answer.status != 200:
                return Answer(0, (_refusal(text).code or f"status_{answer.status}",))
            if not path.endswith("/batch"):
                _decision.decode(text)
                return Answer(1)
            counts = _counts.decode(text)
            refused = msgspec.json.decode(text, type=_Answers).results if counts.refused else []
        except msgspec.MsgspecError:
            return Answer(0, ("no_decision",))
        return Answer(counts.decided, [each.error.code for each in refused if each.error.code])

    async def _customers(self, prefix: str, most: int | None = None) -> list[_Customer]:
        found: list[_Customer] = []
        path = f"/api/v1/customers?limit={PAGE}&prefix={prefix}"
        after = ""
        while most is None or len(found) < most:
            page = await self._call("GET", f"{path}{after}", _Page)
            found += page.items
            if page.next is None:
                break
            after = f"&cursor={page.next}"
        return found[:most]

    async def _each(self, method: str, ids: Iterable[str], connections: int, body: bytes | None = None) -> None:
        left = iter(ids)

        async def work() -> None:
            for name in left:
                await self._call(method, f"/api/v1/customers/{name}", msgspec.Raw, body)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(connections):
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _call(self, method: str, path: str, kind: type[T], body: bytes | None = None) -> T:
        try:
            async with self._http.request(method, f"{self._url}{path}", data=body) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            hint = "Start it: frontdesk up engagement"
            raise NotFound("No desk answers there", where=self._url, hint=hint) from error
        if answer.status in (401, 403):
            raise self._locked(answer.status)
        try:
            if answer.status >= 400:
                refusal = _refusal(text)
                if not refusal.code or (answer.status == 404 and method == "GET"):
                    raise self._stranger()
                raise DeskRefused(f"The desk said: {refusal.message}", where=path, hint=refusal.code)
            return msgspec.json.decode(text or b"null", type=kind)
        except msgspec.MsgspecError:
            raise self._stranger() from None

    def _locked(self, status: int) -> DeskRefused:
        hint = "frontdesk keys create load --scope engagement   then give it by --key or FRONTDESK_API_KEY"
        if status == 403:
            return DeskRefused("This API key may not ask for decisions", where=self._url, hint=hint)
        what = "The desk does not take this API key" if self._key else "The desk asks for an API key"
        return DeskRefused(what, where=self._url, hint=hint)

    def _stranger(self) -> NotFound:
        hint = "Name the desk's own address, and see that its system file says `engagement: {enabled: true}`."
        return NotFound("What answers there decides about no customers", where=self._url, hint=hint)


def _refusal(text: bytes) -> _Problem:
    """The desk's own words. Raises `msgspec.MsgspecError` where they are somebody else's."""
    return msgspec.json.decode(text, type=_Refusal).error
