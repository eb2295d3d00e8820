"""The database and Redis: down, refused, password, every connection taken, read-only; slots and failover."""

from collections.abc import Iterator, Mapping, Sequence

from frontdesk.operate.diagnosis.case import duration, fail, share, warn
from frontdesk.operate.diagnosis.seen import RedisSeen, Seen, Statement
from frontdesk.operate.doctor import Finding
from frontdesk.operate.probe.run import Result

NEARLY = 0.9  # of the connections, or of the memory
LONG = 30.0  # seconds that a statement may run without being looked at

_VARIABLES = {"database": "DATABASE_URL", "redis": "REDIS_URL", "broker": "CELERY_BROKER_URL"}
_STATES = {
    "refused": "down, or at another port",
    "unreachable": "down, or cut off",
    "silent": "down, hanging, or cut off by a firewall",
    "broken": "breaking connections off",
    "dns": "under a name that nobody knows",
    "tls": "not to be trusted",
    "password": "there, and refuses the password",
    "forbidden": "there, and lets this user or address not in",
    "no database": "there, without the desk's database",
    "exhausted": "there, with every connection taken",
    "starting": "starting or stopping",
    "read-only": "read-only: a replica, or set so",
    "missing": "not there yet",
    "package": "of a kind whose client is not installed",
}


def database(seen: Seen) -> Iterator[Finding]:
    """Conversation, section 11: down, refused, password, pool exhausted, read-only replica."""
    result = seen.probe("database")
    if result is not None and result.state != "healthy" and not _not_made_yet(result):
        yield _away("database", "The database", result)
    within = seen.database
    if within is None:
        return
    if within.most and within.connections / within.most >= NEARLY:
        cause = f"{within.connections} of {within.most} connections of the database are taken"
        remedy = "Lower DB_POOL_SIZE and DB_MAX_OVERFLOW, or put a pooler before it; `frontdesk check` adds them up."
        yield warn("database", cause, remedy)
    if within.waiting:
        longest = max(within.waiting, key=lambda each: each.seconds)
        blockers = ", ".join(map(str, longest.waits_for))
        cause = f"{len(within.waiting)} statements wait for locks, the longest for {duration(longest.seconds)}"
        yield fail(
            "database",
            cause,
            f"Look at what process {blockers} does there; end it: SELECT pg_terminate_backend({blockers});",
        )
    if within.idle_in_transaction:
        cause = f"{within.idle_in_transaction} transactions have stood open for a minute and do nothing"
        yield warn("database", cause, "End them, and set idle_in_transaction_session_timeout.")
    for statement in within.running:
        if statement.seconds >= LONG:
            cause = f"A statement has run for {duration(statement.seconds)}: {statement.text}"
            yield warn("database", cause, "Look at its plan with EXPLAIN; an index may be missing.")


def slowest_of(statements: Sequence[Statement], least: float) -> list[Statement]:
    """The slowest ten whose mean is at least so many seconds."""
    return sorted((each for each in statements if each.seconds >= least), key=lambda each: -each.seconds)[:10]


def _not_made_yet(result: Result) -> bool:
    """An embedded database that the first start makes."""
    return result.kind == "sqlite" and result.fault == "missing"


def redis(seen: Seen) -> Iterator[Finding]:
    """Conversation, section 11: its cluster's state, slots and nodes; and what a single one suffers from."""
    for name in ("redis", "broker"):
        result = seen.probe(name)
        if result is not None and result.state != "healthy":
            yield _away(name, "Redis" if name == "redis" else "The broker", result)
    if seen.redis is not None:
        yield from _within(seen.redis)
        yield from _cluster(seen.redis)


def _within(redis: RedisSeen) -> Iterator[Finding]:
    info = redis.info
    used, most = _number(info, "used_memory"), _number(info, "maxmemory")
    if most and used / most >= NEARLY:
        policy = info.get("maxmemory_policy", "")
        if policy == "noeviction":
            cause = f"Redis has used {share(used / most)} of its memory, and will refuse writes"
            yield fail("redis", cause, "Raise maxmemory. Nothing is lost: the work lies in the database.")
        else:
            cause = f"Redis has used {share(used / most)} of its memory, and drops keys ({policy})"
            yield warn("redis", cause, "Queues and limits need noeviction: keep a cache in another instance.")
    if info.get("role") == "slave" and info.get("master_link_status") == "down":
        cause = "This Redis is a replica that has lost its primary"
        yield fail("redis", cause, "Start the primary, or promote this one: REPLICAOF NO ONE; point REDIS_URL at it.")
    if info.get("rdb_last_bgsave_status") == "err" or info.get("aof_last_write_status") == "err":
        yield fail("redis", "Redis cannot write its data to disk", "Make room on its disk, or let its user own it.")
    if _number(info, "rejected_connections") > 0 and _number(info, "connected_clients") >= NEARLY * (
        _number(info, "maxclients") or 10_000
    ):
        yield fail(
            "redis", "Redis refuses connections: all are taken", "Raise maxclients, or lower REDIS_MAX_CONNECTIONS."
        )


def _cluster(redis: RedisSeen) -> Iterator[Finding]:
    """By CLUSTER INFO and CLUSTER NODES (redis.io/docs/latest/commands/cluster-nodes): repair first."""
    if not redis.cluster:
        return
    failed = [line.split() for line in redis.nodes if "fail" in line.split()[2].split(",")]
    primaries = {line.split()[0] for line in redis.nodes if "master" in line.split()[2].split(",")}
    replicas = [line.split() for line in redis.nodes if "slave" in line.split()[2].split(",")]
    for node in failed:
        place = node[1].partition("@")[0]
        own = [each for each in replicas if each[3] == node[0] and "fail" not in each[2].split(",")]
        if node[0] in primaries and own:
            remedy = f"Promote its replica: CLUSTER FAILOVER FORCE at {own[0][1].partition('@')[0]}."
        else:
            remedy = "Start it again with its own data; it joins by itself."
        yield fail("redis", f"The cluster's node {place} has failed", remedy)
    assigned = _number(redis.cluster, "cluster_slots_assigned")
    if assigned < 16_384:
        cause = f"{16_384 - assigned:.0f} slots of the cluster belong to no node: their keys cannot be reached"
        yield fail("redis", cause, "Bring the failed nodes back first; then `redis-cli --cluster fix HOST:PORT`.")
    if redis.cluster.get("cluster_state") == "fail" and not failed and assigned >= 16_384:
        yield fail(
            "redis", "The cluster says that it has failed", "Compare CLUSTER NODES of every node: they are cut apart."
        )
    if not replicas:
        cause = "The cluster's primaries have no replicas: the first that goes takes its keys along"
        remedy = "Add one to each. Last resort of a broken cluster: back up, delete and recreate it; "
        yield warn("redis", cause, f"{remedy}the desk's work lies in the database, and is handed out again.")


def _away(case: str, what: str, result: Result) -> Finding:
    state = _STATES.get(result.fault or "", "not usable")
    remedy = f"{result.remedy} Its address: {_VARIABLES[case]}." if result.remedy else f"Look at {_VARIABLES[case]}."
    return fail(case, f"{what} is {state}. {result.cause} ({result.address})", remedy)


def _number(values: Mapping[str, str], name: str) -> float:
    try:
        return float(values.get(name, 0))
    except ValueError:
        return 0.0
