"""Exact sliding windows: at most `limit` requests of a key in any stretch of `seconds`.

In process by default; in Redis (or Valkey) where several processes share the count. When Redis is away each process
counts alone until it is back: the limits then hold per process, never not at all.
"""

import secrets
from collections import OrderedDict, deque
from collections.abc import Awaitable, Sequence
from itertools import count
from typing import TYPE_CHECKING, cast

import msgspec

from frontdesk.errors import RateLimited, StoreUnavailable
from frontdesk.ports import Clock, Limiter

if TYPE_CHECKING:
    from redis.asyncio import Redis

MOST_KEYS = 100_000  # in one process; beyond it the key that was quiet longest is forgotten
RETRY_SECONDS = 1.0  # how long Redis is left alone after a failure


class Window(msgspec.Struct, frozen=True):
    """At most `limit` requests in any `seconds`."""

    limit: int
    seconds: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A `ports.LimitState`: the window with least left, and the seconds until its oldest request leaves it."""

    limit: int
    remaining: int
    reset: float


class WindowFull(RateLimited):
    """A window has no room; `state` says which, and when it has again."""

    def __init__(self, state: State) -> None:
        super().__init__(
            f"More than {state.limit} requests in this stretch of time", retry_after=max(0.001, state.reset)
        )
        self.state = State(limit=state.limit, remaining=0, reset=state.reset)


class LocalLimiter:
    """Counts in this process's memory."""

    def __init__(self, windows: Sequence[Window], clock: Clock) -> None:
        self._windows = tuple(windows)
        self._clock = clock
        self._hits: OrderedDict[str, tuple[deque[float], ...]] = OrderedDict()

    async def hit(self, key: str, *, cost: int = 1) -> State:
        """Count `cost` requests of `key`, or raise `RateLimited` without counting any."""
        now = self._clock.monotonic()
        hits = self._of(key)
        tightest: State | None = None
        for window, times in zip(self._windows, hits, strict=True):
            while times and times[0] <= now - window.seconds:
                times.popleft()
            tightest = _tighter(tightest, _state(window, len(times) + cost, times[0] if times else now, now))
        state = _within(tightest)
        for times in hits:
            times.extend([now] * cost)
        return state

    def _of(self, key: str) -> tuple[deque[float], ...]:
        hits = self._hits.get(key)
        if hits is None:
            hits = self._hits[key] = tuple(deque[float]() for _ in self._windows)
            if len(self._hits) > MOST_KEYS:
                self._hits.popitem(last=False)
        else:
            self._hits.move_to_end(key)
        return hits


# One sorted set a key: members are requests, scores their times. Answers, for each window, how many requests it holds
# and the oldest one's time; adds the new ones only when every window has room for them.
_SCRIPT = """
local key, now, cost, name = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local longest, full, answer = 0, false, {}
for i = 4, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[i + 1])) end
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - longest)
for i = 4, #ARGV, 2 do
  local limit, open = tonumber(ARGV[i]), '(' .. string.format('%.6f', now - tonumber(ARGV[i + 1]))
  local held = redis.call('ZCOUNT', key, open, '+inf')
  local oldest = redis.call('ZRANGEBYSCORE', key, open, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  answer[#answer + 1] = held
  answer[#answer + 1] = oldest[2] or ARGV[1]
  if held + cost > limit then full = true end
end
if not full then
  for i = 1, cost do redis.call('ZADD', key, now, name .. ':' .. i) end
  redis.call('EXPIRE', key, longest + 1)
end
return answer
"""


class RedisLimiter:
    """Counts in Redis or Valkey, in one script and so atomically. Raises `StoreUnavailable` when it does not answer.

    Times are this machine's: machines that share a Redis must keep their clocks together (NTP).
    """

    def __init__(self, redis: "Redis", windows: Sequence[Window], clock: Clock, *, prefix: str) -> None:
        self._redis = redis
        self._windows = tuple(windows)
        self._clock = clock
        self._prefix = prefix
        self._script = redis.register_script(_SCRIPT)
        self._names = count()
        self._process = secrets.token_hex(6)

    async def hit(self, key: str, *, cost: int = 1) -> State:
        """Count `cost` requests of `key`, or raise `RateLimited` without counting any."""
        now = self._clock.now().timestamp()
        arguments: list[str | int] = [f"{now:.6f}", cost, f"{self._process}:{next(self._names)}"]
        for window in self._windows:
            arguments += [window.limit, window.seconds]
        answer = cast("list[bytes | int]", await self._asked(self._script(keys=[self._prefix + key], args=arguments)))
        tightest: State | None = None
        for index, window in enumerate(self._windows):
            held, oldest = int(answer[2 * index]), float(answer[2 * index + 1])
            tightest = _tighter(tightest, _state(window, held + cost, oldest, now))
        return _within(tightest)

    async def ping(self) -> None:
        """Raise `StoreUnavailable` unless Redis answers."""
        answer = self._redis.ping()  # pyright: ignore[reportUnknownMemberType] its types leave the keywords open
        await self._asked(answer)

    async def _asked(self, answer: Awaitable[object]) -> object:
        from redis.exceptions import RedisError

        try:
            return await answer
        except (TimeoutError, RedisError, OSError) as error:
            raise StoreUnavailable(
                f"Redis did not answer: {type(error).__name__}", where="REDIS_URL", hint="Start it, or mend REDIS_URL."
            ) from error


class SteadyLimiter:
    """Counts in Redis, and in this process while Redis is away."""

    def __init__(self, shared: RedisLimiter, own: LocalLimiter, clock: Clock) -> None:
        self._shared = shared
        self._own = own
        self._clock = clock
        self._again_at = 0.0

    async def hit(self, key: str, *, cost: int = 1) -> State:
        """Count `cost` requests of `key`, or raise `RateLimited` without counting any."""
        if self._clock.monotonic() >= self._again_at:
            try:
                return await self._shared.hit(key, cost=cost)
            except StoreUnavailable:
                self._again_at = self._clock.monotonic() + RETRY_SECONDS
        return await self._own.hit(key, cost=cost)

    async def ping(self) -> None:
        """For readiness: raise `StoreUnavailable` while the shared count is away."""
        await self._shared.ping()


def connect(url: str) -> "Redis":
    """A client whose every call ends within half a second, so that a dead Redis never holds up a request."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] its types leave the keywords open
        url, socket_timeout=0.5, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 1)
    )


def limiter(windows: Sequence[Window], clock: Clock, *, redis: "Redis | None", prefix: str) -> Limiter:
    """The limiter for these windows: shared where there is a Redis, in process otherwise."""
    own = LocalLimiter(windows, clock)
    return own if redis is None else SteadyLimiter(RedisLimiter(redis, windows, clock, prefix=prefix), own, clock)


def _state(window: Window, wanted: int, oldest: float, now: float) -> State:
    """The window once `wanted` requests are in it; `remaining` is negative when they do not fit."""
    return State(limit=window.limit, remaining=window.limit - wanted, reset=max(0.0, oldest + window.seconds - now))


def _tighter(first: State | None, second: State) -> State:
    """Whichever has less left; of two that are full, the one that frees up later."""
    if first is None:
        return second
    if first.remaining < 0 and second.remaining < 0:
        return first if first.reset >= second.reset else second
    return first if first.remaining <= second.remaining else second


def _within(state: State | None) -> State:
    if state is None:
        raise ValueError("A limiter needs at least one window")
    if state.remaining < 0:
        raise WindowFull(state)
    return state
