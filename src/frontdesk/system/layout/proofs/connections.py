"""The connections that all processes may open together fit what the database takes."""

from collections.abc import Iterator

from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.proofs.found import Found, mistake
from frontdesk.system.layout.stores import Postgres
from frontdesk.system.options import StoreOptions


def connections(plan: Plan) -> Iterator[Found]:
    """Pools times replicas, against the server's limit or the pooler's."""
    postgres = plan.stores.get("postgres")
    if not isinstance(postgres, Postgres):
        return
    pools = plan.system.section(StoreOptions)
    each = pools.pool_size + pools.max_overflow
    holders = [
        running.service
        for running in plan.services
        if "postgres" in (*running.service.needs, *running.service.calls)
        and running.service.role not in ("frontend", "tools")
    ]
    processes = sum(service.most for service in holders)
    room = postgres.pooler.client_connections if postgres.pooler else postgres.connections - postgres.reserved
    if processes * each > room:
        taker = "the pooler takes" if postgres.pooler else "the server takes from them"
        what = (
            f"{processes} processes of {each} connections each may open {processes * each}, and {taker} {room} "
            f"(store.pool_size + store.max_overflow, times the most replicas)"
        )
        fitting = max(room // max(processes, 1), 1)
        limit = "pooler.client_connections`" if postgres.pooler else "connections`, or put a pooler between: `pooler`"
        hint = (
            f"Let `store.pool_size` and `store.max_overflow` be {fitting} together, or raise `stores.postgres.{limit}."
        )
        yield mistake(plan, "stores.postgres", what, hint)
    if postgres.pooler and postgres.pooler.server_connections > postgres.connections - postgres.reserved:
        what = (
            f"The pooler holds {postgres.pooler.server_connections} connections, and the server gives "
            f"{postgres.connections - postgres.reserved}"
        )
        hint = "Lower `stores.postgres.pooler.server_connections`, or raise `stores.postgres.connections`."
        yield mistake(plan, "stores.postgres.pooler", what, hint)
