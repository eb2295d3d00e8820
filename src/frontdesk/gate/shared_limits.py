"""Limits that all processes of a desk count together, in Redis or Valkey.

**Exact.** One script looks and counts, so no two processes can take the last place of a window both. Time is Redis's
own, and what a process tells of former requests it tells as ages: no two clocks are ever compared.

**When Redis is away** each process counts alone and takes no more than its share: the places that it last knew to be
free, divided by the number of processes that were counting. So together they stay within the limit, except for what a
process did not know of: less than twice the limit in the worst case, and never without a bound. A limit smaller than
the number of processes cannot be divided: then each may use one place.

**When Redis has lost its memory**, all of it (restarted without a journal, flushed) or the newest (restarted from a
snapshot, replaced by a replica that lagged), each process tells it what it last knew of a key when next it counts
there, and what it counted alone meanwhile.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, cast

from frontdesk.errors import StoreUnavailable
from frontdesk.gate.limits import MOST_KEYS, LocalLimiter, State, Window, shortest_first, state_of, within
from frontdesk.ports import Clock, Limiter
from frontdesk.telemetry import metrics

if TYPE_CHECKING:
    from redis.asyncio import Redis

RETRY_SECONDS = 1.0  # how long Redis is left alone after a failure
PRESENT_SECONDS = 60  # how long a process counts as one of those that share a limit after it last counted
SHOW_SECONDS = 10.0  # how often it shows itself there

# One sorted set a key: members are requests, scores their times. The member of negative score is the set's own name,
# and the score how many requests it has ever taken (less one, negated). They tell whether the set knows at least what
# the caller knows. When it does not, the caller's memory (ages and numbers of requests, youngest first) is put into it,
# as far as each window does not hold as many told ones already; in a set that is older than the caller's memory, what
# it holds from before that memory counts as told. Then come the requests that the caller has counted alone. Answers the
# set's name, how many it has ever taken, Redis's time, and of each window how many requests it holds and how many
# seconds ago the oldest came; adds the new requests only when every window has room for them.
_COUNT = """
local key, cost, name, known, known_taken = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3], tonumber(ARGV[4])
local memories, alone = tonumber(ARGV[5]), tonumber(ARGV[6])
local windows = 7 + 2 * memories + alone
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local function ago(age) return string.format('%.6f', now - age) end

local longest = tonumber(ARGV[#ARGV])
redis.call('ZREMRANGEBYSCORE', key, 0, ago(longest))
local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
local born, taken = name, 0
if first[2] and tonumber(first[2]) < 0 then born, taken = first[1], -1 - tonumber(first[2]) end
local lost = known ~= born
if known == born and taken < known_taken then
  lost = true
  redis.call('ZREM', key, born)
  born = name
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, 0, ago(memories > 0 and ARGV[7] or longest))) do
    if string.sub(member, 1, 5) ~= 'told:' then
      redis.call('ZADD', key, redis.call('ZSCORE', key, member), 'told:' .. member)
      redis.call('ZREM', key, member)
    end
  end
end
if lost and memories > 0 then
  for w = windows, #ARGV, 2 do
    local told, expected, age = 0, 0, 0
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. ago(ARGV[w + 1]), '+inf')) do
      if string.sub(member, 1, 5) == 'told:' then told = told + 1 end
    end
    for i = 7, 6 + 2 * memories, 2 do
      if tonumber(ARGV[i]) < tonumber(ARGV[w + 1]) then
        expected, age = expected + tonumber(ARGV[i + 1]), ARGV[i]
      end
    end
    for n = told + 1, expected do redis.call('ZADD', key, ago(age), 'told:' .. name .. ':' .. w .. ':' .. n) end
  end
end
for i = 1, alone do redis.call('ZADD', key, ago(ARGV[6 + 2 * memories + i]), name .. ':alone:' .. i) end

local full, held_all = false, {}
for i = windows, #ARGV, 2 do
  local limit, open = tonumber(ARGV[i]), '(' .. ago(ARGV[i + 1])
  local held = redis.call('ZCOUNT', key, open, '+inf')
  local oldest = redis.call('ZRANGEBYSCORE', key, open, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  held_all[#held_all + 1] = held
  held_all[#held_all + 1] = string.format('%.6f', now - (oldest[2] or now))
  if held + cost > limit then full = true end
end
taken = taken + alone
if not full then
  for i = 1, cost do redis.call('ZADD', key, ago(0), name .. ':' .. i) end
  taken = taken + cost
end
redis.call('ZADD', key, -1 - taken, born)
redis.call('EXPIRE', key, longest + 1)
return {born, taken, string.format('%.6f', now), unpack(held_all)}
"""

# Who counts here: one member a process, its score the time when it last showed itself.
_SHOW = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""


@dataclass(slots=True)
class _Memory:
    """What this process knows of a key: the set that it last saw, what that held, and what it has counted alone since.

    `taken` is how many requests that set had ever taken, `at` Redis's time when it said so. `told` holds times and how
    many requests had come by then, `alone` times; both by this process's clock.
    """

    born: str = ""
    taken: int = 0
    at: float = 0.0
    told: tuple[tuple[float, int], ...] = ()
    alone: list[float] = field(default_factory=list[float])
    telling: list[float] = field(default_factory=list[float])  # counted alone, and on their way to Redis


class SharedLimiter:
    """A `ports.Limiter`. Limiters of the same `name` count together, in whichever process they are."""

    def __init__(self, redis: "Redis", windows: Sequence[Window], clock: Clock, *, name: str) -> None:
        self.windows = shortest_first(windows)
        self._redis = redis
        self._clock = clock
        self._name = name
        self._prefix = f"frontdesk:limit:{name}:"
        self._count = redis.register_script(_COUNT)
        self._show = redis.register_script(_SHOW)
        self._process = secrets.token_hex(6)
        self._numbers = count()
        self._telling = asyncio.Lock()
        self._memories: OrderedDict[str, _Memory] = OrderedDict()
        self._processes = 1
        self._again_at = self._show_at = clock.monotonic()
        self._shared = metrics.limits_shared.labels(name)
        self._is_away(False)

    async def hit(self, key: str, *, cost: int = 1) -> State:
        """Count `cost` requests of `key`, or raise `WindowFull` without counting any."""
        memory = self._memory(key)
        now = self._clock.monotonic()
        if now >= self._again_at:
            if self._away:  # one call tries Redis, and waits if it must; the others go on
                self._again_at = now + RETRY_SECONDS
            try:
                states = await self._told(key, cost, memory)
            except StoreUnavailable:
                self._again_at = self._clock.monotonic() + RETRY_SECONDS
                self._is_away(True)
            else:
                self._again_at = now
                self._is_away(False)
                return within(states, self._name)
        return self._alone(memory, cost)

    def _is_away(self, away: bool) -> None:
        self._away = away
        self._shared.set(0 if away else 1)

    # --- together -----------------------------------------------------------

    async def _told(self, key: str, cost: int, memory: _Memory) -> list[State]:
        """Ask, after Redis has been told what was counted alone: no other call may come before that."""
        if not (memory.alone or memory.telling):
            return await self._ask(key, cost, memory)
        async with self._telling:
            memory.telling, memory.alone = memory.alone, []
            try:
                states = await self._ask(key, cost, memory)
                memory.telling = []
            finally:
                memory.telling, memory.alone = [], memory.telling + memory.alone
            return states

    async def _ask(self, key: str, cost: int, memory: _Memory) -> list[State]:
        now = self._clock.monotonic()
        alone = memory.telling
        told = [(max(0.0, now - at), number) for at, number in memory.told]
        arguments: list[str | float] = [cost, f"{self._process}:{next(self._numbers)}", memory.born]
        arguments += [memory.taken, len(told), len(alone)]
        arguments += [part for pair in told for part in pair]
        arguments += [max(0.0, now - at) for at in alone]
        arguments += [part for window in self.windows for part in window]
        answer = await self._asked(self._count(keys=[self._prefix + key], args=arguments))
        if now >= self._show_at:
            self._show_at = now + SHOW_SECONDS
            await self._be_seen()
        born, ever, at, *figures = cast("list[bytes | int]", answer)
        held = [int(number) for number in figures[::2]]
        states = [
            state_of(window, number + cost, -float(age))
            for window, number, age in zip(self.windows, held, figures[1::2], strict=True)
        ]
        taken = cost if all(state.remaining >= 0 for state in states) else 0
        name = born.decode() if isinstance(born, bytes) else str(born)
        if name != memory.born or float(at) > memory.at:  # answers to calls made at once may come in any order
            memory.born, memory.taken, memory.at = name, int(ever), float(at)
            memory.told = self._youngest_first([number + taken for number in held])
        return states

    async def _be_seen(self) -> None:
        """Show that this process counts here, and see how many do. Failing is no matter: it is done again."""
        with suppress(StoreUnavailable):
            names = [f"frontdesk:limiting:{self._name}"]
            shown = await self._asked(self._show(keys=names, args=[self._process, PRESENT_SECONDS]))
            self._processes = max(1, cast(int, shown))

    def _youngest_first(self, held: Sequence[int]) -> tuple[tuple[float, int], ...]:
        """When requests came at the latest, by how many each window holds: what the shortest does not hold is older."""
        now = self._clock.monotonic()
        ends = [0, *(window.seconds for window in self.windows)]
        before = [0, *held]
        return tuple(
            (now - end, number - fewer)
            for end, number, fewer in zip(ends[:-1], held, before[:-1], strict=True)
            if number > fewer
        )

    async def _asked(self, answer: Awaitable[object]) -> object:
        from redis.exceptions import RedisError

        try:
            return await answer
        except (TimeoutError, RedisError, OSError) as error:
            raise StoreUnavailable(
                f"Redis did not answer: {type(error).__name__}", where="REDIS_URL", hint="Start it, or mend REDIS_URL."
            ) from error

    # --- alone --------------------------------------------------------------

    def _alone(self, memory: _Memory, cost: int) -> State:
        now = self._clock.monotonic()
        longest = self.windows[-1].seconds
        memory.alone = [at for at in memory.alone if at > now - longest]
        states: list[State] = []
        for window in self.windows:
            since = now - window.seconds
            known = [at for at, _ in memory.told if at > since]
            own = [at for at in (*memory.telling, *memory.alone) if at > since]
            free = max(0, window.limit - sum(number for at, number in memory.told if at > since))
            share = free // self._processes if window.limit >= self._processes else min(1, free)
            others = window.limit - share  # as good as used: they are not this process's to give away
            states.append(state_of(window, others + len(own) + cost, min([now, *known, *own]) - now))
        state = within(states, self._name)
        memory.alone += [now] * cost
        return state

    def _memory(self, key: str) -> _Memory:
        memory = self._memories.get(key)
        if memory is None:
            memory = self._memories[key] = _Memory()
            if len(self._memories) > MOST_KEYS:
                self._memories.popitem(last=False)
        else:
            self._memories.move_to_end(key)
        return memory


def connect(url: str, most: int = 100) -> "Redis":
    """A client whose every call ends within half a second, so that a dead Redis never holds up a request."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] its types leave the keywords open
        url, max_connections=most, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
    )


def limiter(name: str, windows: Sequence[Window], clock: Clock, *, redis: "Redis | None") -> Limiter:
    """The limiter of this name: shared where there is a Redis, in this process alone otherwise."""
    if redis is None:
        return LocalLimiter(windows, clock, name=name)
    return SharedLimiter(redis, windows, clock, name=name)
