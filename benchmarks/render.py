"""What operators wait for: checking every shipped system, rendering it to every target, and the same bytes twice."""

import hashlib
import time
from collections.abc import Callable

from benchmarks.figures import Figure, below
from frontdesk import registry
from frontdesk.cli.check import ENVIRONMENTS
from frontdesk.render.target import Target
from frontdesk.system.home import blueprint_file, blueprints
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs import prove
from frontdesk.system.load import described
from frontdesk.telemetry.metrics import names

CHECK_SECONDS, RENDER_SECONDS = 1, 5


def run(quick: bool) -> list[Figure]:
    """Measure; the best of several tries, since a busy machine only ever adds to them."""
    tries = 2 if quick else 5
    first, second = _render("production"), _render("production")
    return [
        below("five blueprints × three environments checked", _fastest(_check, tries), "s", CHECK_SECONDS),
        below(
            f"five blueprints rendered to {len(registry.names('targets'))} targets",
            _fastest(lambda: _render("production"), tries),
            "s",
            RENDER_SECONDS,
        ),
        below("files that differ between two renderings", sum(first[name] != second[name] for name in first), "", 1),
    ]


def _plan(blueprint: str, environment: str) -> Plan:
    system, problems = described(blueprint_file(blueprint), environment)
    if system is None or problems:
        raise RuntimeError(f"{blueprint} has mistakes: {', '.join(map(str, problems))}")
    return Plan(system)


def _check() -> None:
    for blueprint in blueprints():
        for environment in ENVIRONMENTS:
            prove(_plan(blueprint, environment), names())


def _render(environment: str) -> dict[str, str]:
    """The hash of every file of every target and blueprint."""
    plans = {blueprint: _plan(blueprint, environment) for blueprint in blueprints()}
    return {
        f"{blueprint}/{name}/{path}": hashlib.sha256(text.encode()).hexdigest()
        for blueprint, plan in plans.items()
        for name in registry.names("targets")
        for path, text in registry.load("targets", name, Target).files(plan).items()
    }


def _fastest(act: Callable[[], object], tries: int) -> float:
    times: list[float] = []
    for _ in range(tries):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)
