"""What stores must keep is kept, what they may use at once fits their memory, and somebody uses them."""

import re
from collections.abc import Iterator

from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, mistake, warning
from frontdesk.system.layout.quantities import bytes_text
from frontdesk.system.layout.stores import Postgres, Redis

_UNITS = {"B": 1, "kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}  # as PostgreSQL means them
_WORK_MEM = re.compile(r"([0-9]+)\s*(B|kB|MB|GB|TB)?")


def stores(plan: Plan) -> Iterator[Found]:
    """Queues are never evicted; sorting in every connection at once does not exceed the database's memory; a warning
    for a store that stands there for nobody."""
    redis = plan.stores.get("redis")
    if isinstance(redis, Redis) and _evicts(redis):
        what = "Of `redis` what is least used may vanish, and queues, limits and locks lie there"
        hint = "Leave `keeps` and `maxmemory-policy` out here; what may vanish goes into `stores.cache`."
        yield mistake(plan, "stores.redis", what, hint)
    postgres = plan.stores.get("postgres")
    if isinstance(postgres, Postgres) and not postgres.managed:
        yield from _sorting(plan, postgres)
    yield from _idle(plan)


def _idle(plan: Plan) -> Iterator[Found]:
    reached = {edge.target for edge in plan.edges}
    for name in [each for each in plan.stores if each not in reached] if plan.services else ():
        hint = f"Leave `stores.{name}` out, or name it under `needs` of the service that uses it."
        yield warning(plan, f"stores.{name}", f"No service names `{name}`: it takes its room and holds nothing", hint)


def _evicts(redis: Redis) -> bool:
    return redis.keeps == "cache" or redis.settings.get("maxmemory-policy", "noeviction") != "noeviction"


def _sorting(plan: Plan, postgres: Postgres) -> Iterator[Found]:
    each, room = _amount(str(postgres.settings.get("work_mem", "4MB"))), postgres.resources.limits.memory
    if room and each * postgres.connections > room:
        what = (
            f"{postgres.connections} connections that sort at once take {bytes_text(each * postgres.connections)} "
            f"(`work_mem`), and the database has {bytes_text(room)}"
        )
        hint = "Lower `work_mem` to 16MB or 32MB, or `connections`, with a pooler before them."
        yield warning(plan, "stores.postgres.settings.work_mem", what, hint)


def _amount(said: str) -> int:
    """Bytes of a setting of PostgreSQL; without a unit `work_mem` counts kilobytes."""
    found = _WORK_MEM.fullmatch(said)
    return int(found[1]) * _UNITS[found[2] or "kB"] if found else 0
