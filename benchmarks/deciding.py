"""A desk that decides: PostgreSQL, Valkey, and web processes whose messages workers elsewhere would write.

20 actions (5 messages by 2 channels at 2 times of day), 100,000 customers with profiles of a dozen events. One in ten
answers by e-mail, and the policy is sure of that: these get a message, and then none for a day; of the others it knows
nothing, so what it tries is held. Every decision is explained, durable and comprehensive.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import msgspec

from benchmarks.desk import FRONTDESK
from benchmarks.processes import running, wait_for, wait_until_ready
from frontdesk.cli.local import Local, open_local
from frontdesk.clock import RandomIds, SystemClock
from frontdesk.decision.features import FEATURE_NAMES
from frontdesk.decision.policies import first
from frontdesk.decision.profiles import fold
from frontdesk.engagement import CHANNELS, Customer, CustomerEvent, Genes, Policy, Profile
from frontdesk.operate.ports import free_port
from frontdesk.operate.scaled import Postgres, Valkey
from frontdesk.store.customers import Customers, set_profiles
from frontdesk.store.policies import Policies
from frontdesk.system.load import load

CUSTOMERS = 100_000
PROFILES = 200  # different ones
TOGETHER = 1000  # customers in one transaction
WORKERS = os.cpu_count() or 1
PASSWORD = "benchmark"

SYSTEM = """\
blueprint: engagement
http: {host: 127.0.0.1, frontend_port: null, example_tools_port: null}
store: {pool_size: 8, max_overflow: 8}
gate: {rate_limit_enabled: false}
tools: {discovery_urls: []}
knowledge: {own_documentation: false, embedder: {kind: none}}
telemetry: {log_level: WARNING}
engagement:
  enabled: true
  demo: false
  mode: fully_autonomous
  confidence_threshold: 0.90
  minimum_confidence: 0.90
  risk_tolerance: 0.5
  exploration_rate: 0.05
  cache_enabled: true
  batch_processing: true
  segments: {default: {personalization_depth: 5, engagement_rules: {quiet_from: 0, quiet_until: 0}}}
  safety: {audit_logging: comprehensive}
  messages:
"""
MESSAGE = """\
    - {key: message-%d, channels: [email, in_app], slots: [now, morning], templates: {friendly: {body: "Hello {name}"}}}
"""


@dataclass(frozen=True, slots=True)
class Deciding:
    """Where it listens, with which key it is asked, where its rows and PostgreSQL's files are, and the sessions of its
    other parts by name."""

    port: int
    key: str
    url: str
    postgres: Path
    sessions: Mapping[str, int]


@contextmanager
def deciding_desk() -> Generator[Deciding]:
    """The desk at work."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="frontdesk-bench-")))
        folder.chmod(0o755)  # as root, PostgreSQL runs as another user
        database = _postgres(folder, stack)
        valkey, redis = _valkey(folder, stack)
        environment = {"DATABASE_URL": database, "REDIS_URL": redis}
        environment |= {"PYTHONWARNINGS": "ignore", "ENVIRONMENT": "development"}
        home = folder / "home"
        home.mkdir()
        system = home / "system.yaml"
        system.write_text(SYSTEM + "".join(MESSAGE % number for number in range(5)))
        place = ["--home", home, "--system", system]
        os.environ.update(environment)  # the rows are made here, by the desk's own code
        asyncio.run(open_local(load(home=home, file=system), fill))
        create = [FRONTDESK, "keys", "create", "benchmark", "--scope", "engagement", *place]
        key = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
        port = free_port()
        up = [FRONTDESK, "up", *place, "--role", "web", "--port", str(port), "--workers", str(WORKERS)]
        web = stack.enter_context(running(up, environment, log=folder / "up.log"))
        wait_until_ready(f"http://127.0.0.1:{port}/ready", seconds=60)
        yield Deciding(port, key, database, folder / "postgres", {"desk": web, "Valkey": valkey})


async def fill(desk: Local) -> None:
    """Customers with their profiles, and the policy that serves."""
    clock, database = SystemClock(), desk.store.database
    customers = Customers(database, clock)
    quiet, answering = _profiles(clock, "page_viewed"), _profiles(clock, "click")
    zones = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
    for begin in range(0, CUSTOMERS, TOGETHER):
        numbers = range(begin, begin + TOGETHER)
        made = [_customer(number, zones[number % len(zones)]) for number in numbers]
        await customers.put_many(made)
        profiles = [
            (each.id, (quiet if number % 10 else answering)[number // 10 % PROFILES])
            for number, each in zip(numbers, made, strict=True)
        ]
        await database.act(lambda connection, profiles=profiles: set_profiles(connection, profiles))
    await Policies(database, clock, RandomIds()).start(_policy(clock))


def _customer(number: int, zone: str) -> Customer:
    name, addresses = f"cus_{number:06d}", {"email": f"{number}@example.com"}
    consents = (1 << len(CHANNELS)) - 1
    return Customer(id=name, segment="default", name=name, time_zone=zone, consents=consents, addresses=addresses)


def _profiles(clock: SystemClock, kind: str) -> list[Profile]:
    def event(number: int, hours: int) -> CustomerEvent:
        at = clock.now() - timedelta(hours=hours)
        what = kind if number % 3 == 0 else "page_viewed"
        return CustomerEvent(id=str(number), customer_id="", type=what, at=at, properties={"channel": "email"})

    return [fold(event(number, 7 * number + shift) for number in range(12)) for shift in range(PROFILES)]


def _policy(clock: SystemClock) -> Policy:
    """Sure that who answers by e-mail is worth writing to there, and of nothing else."""
    policy = first("pol_benchmark", Genes(), clock.now())
    place, size = FEATURE_NAMES.index("likes_email × email"), len(FEATURE_NAMES)
    means, precision = list(policy.reward.mean), list(policy.reward.precision)
    means[place], precision[place * size + place] = 3.0, 1e4
    reward = msgspec.structs.replace(policy.reward, mean=tuple(means), precision=tuple(precision))
    return msgspec.structs.replace(policy, reward=reward)


def logged(url: str) -> dict[str, int]:
    """How many decisions are in the log, by state."""

    async def count() -> dict[str, int]:
        connection = await asyncpg.connect(url)
        try:
            rows = await connection.fetch("SELECT state, count(*) FROM decisions GROUP BY state")
        finally:
            await connection.close()
        return {row[0]: row[1] for row in rows}

    return asyncio.run(count())


def _postgres(folder: Path, stack: ExitStack) -> str:
    server = Postgres(folder=folder / "postgres", port=free_port(), password=PASSWORD)
    server.prepare()
    _start("postgres", server.folder, server.port, stack)
    while not server.answers():
        time.sleep(0.05)
    return server.url


def _valkey(folder: Path, stack: ExitStack) -> tuple[int, str]:
    server = Valkey(folder=folder / "valkey", port=free_port(), password=PASSWORD)
    server.prepare()
    session = _start("valkey", server.folder, server.port, stack)
    wait_for(server.port, seconds=20)
    return session, server.url


def _start(name: str, folder: Path, port: int, stack: ExitStack) -> int:
    command = [sys.executable, "-m", "benchmarks.scaled", name, folder, str(port)]
    return stack.enter_context(running(command, {}, log=folder.with_suffix(".log")))
