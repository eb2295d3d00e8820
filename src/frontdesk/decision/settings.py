"""The section `engagement` as it is in effect: what the system file and the environment say, and temporary settings.

A temporary setting holds until its moment and then reverts by itself, in every process; both stand in the audit log.
"""

from collections.abc import Callable
from datetime import datetime
from functools import reduce

import structlog
from pydantic import ValidationError

from frontdesk.decision.options import EngagementOptions, LearningOptions, RollbackOptions
from frontdesk.errors import NotFound, Unprocessable
from frontdesk.ports import Clock
from frontdesk.store.audit import Act, Audit
from frontdesk.store.tunings import Tuning, Tunings, Value

log = structlog.get_logger("frontdesk.settings")

Settings = Callable[[], EngagementOptions]

TUNABLE: tuple[str, ...] = (
    "mode",
    "confidence_threshold",
    "minimum_confidence",
    "risk_tolerance",
    "learning_rate",
    "exploration_rate",
    "cache_enabled",
    "batch_processing",
    "decision_latency_target",
    "throughput_target",
    "error_rate_threshold",
    "approval_hours",
    "four_eyes_risk",
    *(f"learning.{name}" for name in LearningOptions.model_fields),
    *(f"rollback.{name}" for name in RollbackOptions.model_fields),
)
"""What may be set for a while. How many texts are written at once is fixed at the start; segments with their rules,
messages and safety are the system file's alone."""


class Effective:
    """`options` is what holds now, and the same object until something changes. `refresh` looks at what was set.

    Call `refresh` at the start and then each second.
    """

    def __init__(self, base: EngagementOptions, tunings: Tunings, clock: Clock, audit: Audit) -> None:
        self._base = base
        self._tunings = tunings
        self._clock = clock
        self._audit = audit
        self._tuned: tuple[Tuning, ...] = ()
        self.options = base

    def base(self, name: str) -> Value:
        """What the setting is without what was set for a while."""
        return reduce(getattr, name.split("."), self._base)  # pyright: ignore[reportReturnType] — all tunable are plain

    def replace(self, base: EngagementOptions) -> None:
        """The system file or the environment has changed."""
        self._base = base
        self._apply()

    async def refresh(self) -> None:
        """Take over what was set or ended anywhere, and end what has run out."""
        now = self._clock.now()
        found = await self._tunings.all()
        if any(tuning.until <= now for tuning in found):
            for ended in await self._tunings.expire():  # each of them falls to one process
                await self._audit.append(Act(act="setting.revert", subject=ended.name, outcome=200))
        holding = tuple(tuning for tuning in found if tuning.until > now)
        if holding != self._tuned:
            self._tuned = holding
            self._apply()

    async def tune(self, name: str, value: Value, until: datetime, by: str) -> Tuning:
        """Let the setting have `value` until then.

        Raises `NotFound` for a name that cannot be set, `Unprocessable` for a value that is no such setting's or does
        not go with the others, or for a moment that has passed.
        """
        if name not in TUNABLE:
            raise NotFound("There is no such temporary setting", where=name, hint=f"One of: {', '.join(TUNABLE)}.")
        if until <= self._clock.now():
            raise Unprocessable("The temporary setting would have ended already", where="until")
        try:
            changed(self.options, {name: value})
        except ValidationError as error:
            raise Unprocessable(str(error.errors()[0]["msg"]), where=name) from None
        tuning = await self._tunings.put(name, value, until, by)
        await self.refresh()
        return tuning

    async def end(self, name: str) -> None:
        """Let the setting be what it was, now. Raises `NotFound` when it was not set."""
        if name not in TUNABLE or await self._tunings.end(name) is None:
            raise NotFound("Nothing was set under this name", where=name)
        await self.refresh()

    @property
    def tuned(self) -> tuple[Tuning, ...]:
        """What is set for a while at the moment."""
        return self._tuned

    def _apply(self) -> None:
        options = self._base
        for tuning in self._tuned:
            try:
                options = changed(options, {tuning.name: tuning.value})
            except ValidationError:  # the system file has changed since, and no longer goes with it
                log.warning("setting_ignored", setting=tuning.name)
        self.options = options


def changed(options: EngagementOptions, values: dict[str, Value]) -> EngagementOptions:
    """The section with other values, by names like `learning.enabled`. Raises pydantic's `ValidationError`."""
    content = options.model_dump()
    for name, value in values.items():
        *parts, last = name.split(".")
        reduce(lambda inner, part: inner[part], parts, content)[last] = value
    return EngagementOptions.model_validate(content)
