"""The checklists: 37 items before a release, 19 around a roll-out; each can pass and fail by what is really there."""

import json
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from frontdesk.messages import Role
from frontdesk.operate import secrets
from frontdesk.operate.checklist import release, rollout
from frontdesk.operate.checklist.item import Items, checked
from frontdesk.operate.checklist.sight import DeskSeen, HostSeen, Sight, host_seen, look
from frontdesk.operate.diagnosis.figures import Figures
from frontdesk.operate.diagnosis.kubernetes import Pod
from frontdesk.operate.diagnosis.seen import ClusterSeen
from frontdesk.operate.ports import free_port
from frontdesk.operate.probe.run import Result
from frontdesk.operate.verify import verify
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import examine
from frontdesk.testing.desk import served_desk
from tests.servers import PostgresServer

PRODUCTION = {"desk.environment": "production"}
ALERT = "{name: Down, severity: critical, expression: up == 0, summary: It is down., runbook: Start it.}"
PANEL = "{title: Rate, series: [{expression: up, legend: up}]}"
WELL = f"""\
services:
  web:
    role: all
    port: 8000
    scaling: {{least: 2, most: 4}}
    needs: [postgres, redis]
stores: {{postgres: {{connections: 400}}, redis: {{}}}}
alerts: {{rules: [{ALERT}]}}
dashboards: {{alerts_to: PAGER_URL, list: [{{title: Desk, uid: desk, panels: [{PANEL}]}}]}}
backup: {{remote: s3://copies/desk}}
telemetry: {{otlp_endpoint: "http://collector:4318"}}
"""
HEADERS = {
    "strict-transport-security": "max-age=1",
    "content-security-policy": "default-src 'self'; script-src 'self'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-cache",
}
NOW = time.time()


def figures(**values: float) -> Figures:
    return Figures.of("".join(f"{name} {value}\n" for name, value in values.items()))


def store(name: str, kind: Any = "postgresql", state: Any = "healthy") -> Result:
    return Result(name=name, address=f"{kind}://h", kind=kind, state=state, seconds=0.0, cause=f"{name} {state}")


RUNNING = DeskSeen(
    address="https://desk.example",
    health=200,
    ready=200,
    headers=HEADERS,
    foreign=403,
    malformed=400,
    hostile=401,
    figures=figures(
        http_requests_total=100,
        frontdesk_backup_last_success_timestamp_seconds=NOW - 3600,
        frontdesk_restore_last_success_timestamp_seconds=NOW - 86_400,
    ),
)


def sight(home: Path, text: str = WELL, **more: Any) -> Sight:
    file = home / "system.yaml"
    file.write_text(text)
    variables = {"OPENAI_API_KEY": "sk-of-a-test", "SENTRY_DSN": "https://a@sentry.example/1", "PAGER_URL": "https://p"}
    variables |= {"PUBLIC_URL": "https://desk.example", "REDIS_URL": "redis://cache.example", "GITHUB_CLIENT_ID": "x"}
    variables["GITHUB_CLIENT_SECRET"] = "secret-of-an-app"
    bare, _ = examine(file, home=home, options=PRODUCTION, variables=variables)
    assert bare is not None
    for name in secrets.wanted(bare):
        secrets.create(bare, name)
    system, problems = examine(file, home=home, options=PRODUCTION, variables=variables)
    assert system is not None
    found: dict[str, Any] = {
        "problems": problems,
        "stores": [store("database"), store("redis", "redis")],
        "tables": True,
        "desk": RUNNING,
        "hosts": [HostSeen(host="desk.example", resolves=True, days=60)],
        "now": NOW,
    }
    return Sight(system=system, **{**found, **more})


def states(items: Items, seen: Sight) -> dict[str, str]:
    return {each.name: each.state for each in checked(items, seen)}


# --- the 37 ---


@pytest.mark.proves("assistant-20")
def test_there_are_37_items_in_six_groups_and_a_desk_in_order_fails_none(tmp_path: Path) -> None:
    found = checked(release.ITEMS, sight(tmp_path))
    assert [each.number for each in found] == list(range(1, 38))
    groups = [each.group for each in found]
    assert {group: groups.count(group) for group in dict.fromkeys(groups)} == {
        "Security": 7,
        "Configuration": 6,
        "Monitoring": 6,
        "Performance": 6,
        "Reliability": 6,
        "Testing": 6,
    }
    assert [(each.name, each.reason) for each in found if each.state == "fail"] == []
    assert [each.name for each in found if each.state == "manual"] == [
        "Log aggregation",
        "CDN for static assets",
        "Unit tests",
        "Integration tests",
        "Load test",
        "Security scan",
        "Penetration test",
    ]
    assert all(each.reason for each in found)


def running(**more: Any) -> dict[str, Any]:
    return {"desk": replace(RUNNING, **more)}


@pytest.mark.proves("assistant-20")
@pytest.mark.parametrize(
    ("item", "text", "more"),
    [
        ("Secrets in a secret store", WELL + "deployment: {secrets_from: plain}\n", {}),
        ("TLS", WELL, {"hosts": [HostSeen(host="a.example", resolves=True, fault="certificate has expired")]}),
        ("Security headers", WELL, running(headers={"x-frame-options": "DENY"})),
        ("Rate limiting", WELL + "gate: {rate_limit_enabled: false}\n", {}),
        ("Input validation", WELL, running(malformed=500)),
        ("SQL-injection prevention", WELL, running(hostile=500)),
        ("XSS protection", WELL, running(headers={"content-security-policy": "script-src 'unsafe-inline'"})),
        ("Database", WELL, {"stores": [store("database", state="unhealthy")]}),
        ("Redis", WELL, {"stores": [store("database"), store("redis", "redis", "time-out")]}),
        ("CORS", WELL + "gate: {allowed_origins: ['http://localhost:3000']}\n", {}),
        ("CORS", WELL, running(foreign=200)),
        ("Metrics exposed", WELL, running(figures=figures(other=1))),
        ("Dashboards", WELL.replace("list: [", "list: [] #"), {}),
        ("Alerts", WELL.replace("severity: critical", "severity: info"), {}),
        ("Alerts", WELL.replace("alerts_to: PAGER_URL, ", ""), {}),
        ("Performance tracing (APM)", WELL.replace("http://collector:4318", ""), {}),
        ("Database indexes", WELL, {"tables": False}),
        ("Caching", WELL, running(headers={})),
        ("Connection pooling", WELL.replace("connections: 400", "connections: 100"), {}),
        ("Autoscaling", WELL.replace("scaling: {least: 2, most: 4}", "replicas: 3"), {}),
        (
            "Resource limits",
            WELL.replace("port: 8000", "port: 8000\n    resources: {limits: {cpu: 0, memory: 0}}"),
            {},
        ),
        ("Health checks", WELL, running(health=0)),
        ("Readiness", WELL, running(ready=503, away=("redis (ConnectionError)",))),
        ("Circuit breakers", WELL + "models: {circuit: {failures: 1000}}\n", {}),
        ("Retry logic", WELL + "models: {retry: {tries: 1}}\n", {}),
        ("Graceful shutdown", WELL.replace("port: 8000", "port: 8000\n    stopping: {grace: 10}"), {}),
        ("Backup strategy", WELL.replace("remote: s3://copies/desk", "at: '03:00'"), {}),
        (
            "Backup strategy",
            WELL.replace("s3://copies/desk", "s3://copies/desk, at: never")
            .replace("postgres: {connections: 400}, ", "")
            .replace("needs: [postgres, redis]", "needs: [redis]"),
            {},
        ),
        ("Backup strategy", WELL, running(figures=figures(frontdesk_backup_last_success_timestamp_seconds=NOW - 1e6))),
        ("Recovery test", WELL, running(figures=figures(frontdesk_restore_last_success_timestamp_seconds=NOW - 1e7))),
    ],
)
def test_an_item_that_is_not_so_fails_and_says_why(tmp_path: Path, item: str, text: str, more: dict[str, Any]) -> None:
    seen = sight(tmp_path, text, **more)
    [found] = [each for each in checked(release.ITEMS, seen) if each.name == item]
    assert (found.state, bool(found.reason)) == ("fail", True), found


def test_settings_that_are_missing_or_half_there_fail(tmp_path: Path) -> None:
    (tmp_path / "system.yaml").write_text(WELL)
    half = {"GOOGLE_CLIENT_ID": "an-id", "OPENAI_API_KEY": ""}
    system, problems = examine(tmp_path / "system.yaml", home=tmp_path, options=PRODUCTION, variables=half)
    assert system is not None
    found = states(release.ITEMS, Sight(system=system, problems=problems))
    for item in (
        "Variables set",
        "Model keys",
        "OAuth providers",
        "Error tracking",
        "TLS",
        "Secrets in a secret store",
    ):
        assert found[item] == "fail", item
    assert {found[item] for item in ("Security headers", "Input validation", "XSS protection")} == {"manual"}


def test_a_secret_that_others_can_read_or_that_stands_in_a_file_of_variables_fails(tmp_path: Path) -> None:
    seen = sight(tmp_path)
    assert states(release.ITEMS, seen)["Secrets in a secret store"] == "pass"
    (tmp_path / "secrets" / "SECRET_KEY").chmod(0o644)
    assert "Others can read SECRET_KEY" in checked(release.ITEMS, seen)[0].reason
    (tmp_path / "secrets" / "SECRET_KEY").chmod(0o600)
    (tmp_path / ".env").write_text("ANTHROPIC_API_KEY=sk-ant-of-a-test\n")
    assert "ANTHROPIC_API_KEY stand in the environment file" in checked(release.ITEMS, sight(tmp_path))[0].reason


# --- around a roll-out ---


def test_19_items_stand_around_a_roll_out_and_a_desk_in_order_fails_none(tmp_path: Path) -> None:
    ready = msgspec.convert({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, Pod)
    seen = sight(tmp_path, cluster=ClusterSeen(namespace="desk", pods=[ready]))
    lists = [checked(items, seen) for items in (rollout.BEFORE, rollout.DURING, rollout.AFTER)]
    assert [len(each) for each in lists] == [7, 6, 6]
    assert [(each.name, each.reason) for found in lists for each in found if each.state == "fail"] == []


BROKEN = msgspec.convert({"metadata": {"name": "web-1"}, "status": {"phase": "Running"}}, Pod)


@pytest.mark.parametrize(
    ("items", "item", "text", "more"),
    [
        (rollout.BEFORE, "DNS", WELL, {"hosts": [HostSeen(host="a.example")]}),
        (rollout.BEFORE, "Certificates", WELL, {"hosts": [HostSeen(host="a.example", resolves=True, days=5)]}),
        (rollout.BEFORE, "Manifests validated", WELL.replace("needs: [postgres, redis]", "needs: [nobody]"), {}),
        (rollout.BEFORE, "Monitoring set up", WELL.replace(f"rules: [{ALERT}]", "rules: []"), {}),
        (
            rollout.BEFORE,
            "Infrastructure",
            WELL + "hosts: {small: {cpu: 1, memory: 256Mi}}\n",
            {},
        ),
        (
            rollout.DURING,
            "Right order",
            WELL.replace("needs: [postgres, redis]", "needs: [web2]") + "",
            {},
        ),
        (rollout.DURING, "Pods healthy", WELL, {"cluster": ClusterSeen(namespace="desk", pods=[BROKEN])}),
        (rollout.DURING, "Endpoints and balancer", WELL, running(ready=503)),
        (rollout.DURING, "Smoke tests", WELL, running(hostile=200)),
        (rollout.DURING, "Monitoring and alerts", WELL, running(figures=figures(x=1))),
        (rollout.DURING, "Backup and recovery tried", WELL.replace("remote: s3://copies/desk", "at: '02:00'"), {}),
        (
            rollout.AFTER,
            "Metrics watched",
            WELL,
            running(figures=Figures.of('http_requests_total{path="/x",status="500"} 9\n')),
        ),
        (rollout.AFTER, "Runbooks written", WELL.replace(f"rules: [{ALERT}]", "rules: []"), {}),
        (rollout.AFTER, "On-call set up", WELL.replace("alerts_to: PAGER_URL", "alerts_to: NOBODYS_URL"), {}),
    ],
)
def test_an_item_of_a_roll_out_that_is_not_so_fails(
    tmp_path: Path, items: Items, item: str, text: str, more: dict[str, Any]
) -> None:
    if "web2" in text:
        text = text.replace("stores:", "  web2: {role: web, port: 8001, needs: [web]}\nstores:")
    assert states(items, sight(tmp_path, text, **more))[item] == "fail"


@pytest.mark.parametrize("name", ["assistant", "conversation", "engagement", "answering", "agents"])
def test_every_blueprint_can_be_held_against_every_list(tmp_path: Path, name: str) -> None:
    system, problems = examine(blueprint_file(name), home=tmp_path, options=PRODUCTION, variables={})
    assert system is not None
    seen = Sight(system=system, problems=problems)
    assert sum(len(checked(items, seen)) for items in (rollout.BEFORE, rollout.DURING, rollout.AFTER)) == 19
    assert len(checked(release.ITEMS, seen)) == 37


# --- real desks ---


@pytest.mark.proves("assistant-20")
async def test_a_running_desk_shows_what_only_it_can_show(tmp_path: Path) -> None:
    async with served_desk(tmp_path) as served:
        await served.client(Role.MEMBER)
        seen = await look(served.desk.system, (), address=served.address)
    found = {each.name: each for each in checked(release.ITEMS, seen)}
    for item in (
        "Input validation",
        "SQL-injection prevention",
        "XSS protection",
        "CORS",
        "Metrics exposed",
        "Health checks",
        "Readiness",
        "Database indexes",
    ):
        assert found[item].state == "pass", found[item]
    assert "strict-transport-security" in found["Security headers"].reason  # it is not production


def test_a_public_host_that_leads_nowhere_or_speaks_no_tls_is_seen() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        plain.close()
        seen = host_seen("localhost", port)
    assert (seen.resolves, seen.days) == (True, None)
    assert "does not answer" in seen.fault


# --- verify ---


@pytest.mark.proves("assistant-20")
async def test_six_checks_of_a_desk_that_is_there(tmp_path: Path, valkey_url: str, postgres: PostgresServer) -> None:
    name = postgres.new_name()
    await postgres.run(f"CREATE DATABASE {name}")
    variables = {"REDIS_URL": valkey_url, "DATABASE_URL": postgres.url(name)}
    try:
        async with served_desk(tmp_path, variables=variables) as served:
            checks = await verify(served.desk.system, address=served.address, pages=served.address)
            assert [check.name for check in checks] == [
                "replicas", "endpoints", "health", "metrics", "database", "redis"
            ]  # fmt: skip
            assert [check for check in checks if not check.ok] == []
            assert checks[4].reason.startswith("PostgreSQL")
            assert checks[5].reason == "PONG"
    finally:
        await postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.proves("assistant-20")
async def test_each_check_fails_by_itself(tmp_path: Path) -> None:
    variables = {"REDIS_URL": f"redis://127.0.0.1:{free_port()}", "PORT": str(free_port())}
    system, _ = examine(None, home=tmp_path, variables=variables)
    assert system is not None
    checks = {check.name: check for check in await verify(system)}
    assert not any(check.ok for check in checks.values())
    assert "Nothing listens" in checks["redis"].reason
    async with served_desk(tmp_path) as served:
        pages = f"http://127.0.0.1:{free_port()}"
        checks = {check.name: check for check in await verify(served.desk.system, address=served.address, pages=pages)}
        assert [name for name, check in checks.items() if not check.ok] == ["health"]
        assert pages in checks["health"].reason


async def test_with_kubernetes_stores_are_asked_inside_the_target_without_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{}]}
    pods = [{"metadata": {"name": name}, "status": ready} for name in ("postgres-0", "orchestrator-1")]
    probes = [
        {"name": "database", "state": "healthy", "cause": "PostgreSQL 18 answers"},
        {"name": "redis", "state": "unhealthy", "cause": "Nothing listens"},
    ]
    program = folder / "kubectl"
    program.write_text(
        f"""#!{sys.executable}
import json, pathlib, sys
words = sys.argv[3:]
with open({str(folder / "calls")!r}, "a") as calls:
    print(*sys.argv[1:], file=calls)
if words[0] == "exec" and words[1] == "postgres-0":
    sys.exit("sh: frontdesk: not found")
if words[0] == "exec":
    print({json.dumps(json.dumps({"ok": False, "probes": probes}))})
else:
    print(json.dumps({{"items": {pods!r} if words[1] == "pods" else []}}))
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    import os

    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    async with served_desk(tmp_path / "home") as served:
        checks = await verify(served.desk.system, address=served.address, context="prod", namespace="ai-assistant")
    found = {check.name: check for check in checks}
    assert found["replicas"].reason == "2 pods are ready"
    assert (found["database"].ok, found["database"].reason) == (True, "orchestrator-1: PostgreSQL 18 answers")
    assert (found["redis"].ok, found["redis"].reason) == (False, "orchestrator-1: Nothing listens")
    calls = (folder / "calls").read_text()
    assert "--namespace=ai-assistant exec orchestrator-1 -- sh -c frontdesk probe --json" in calls
    assert " -t" not in calls
