"""Each troubleshooting case as a function of what was seen: cause and remedy are named, and health is silent."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from frontdesk.operate.diagnosis.cases import CASES
from frontdesk.operate.diagnosis.diagnose import diagnose
from frontdesk.operate.diagnosis.errors import error_lines
from frontdesk.operate.diagnosis.figures import Figures
from frontdesk.operate.diagnosis.kubernetes import Quota
from frontdesk.operate.diagnosis.observe import gpus_of
from frontdesk.operate.diagnosis.report import report
from frontdesk.operate.diagnosis.seen import (
    ClusterSeen,
    DatabaseSeen,
    GpuSeen,
    MachineSeen,
    ProcessSeen,
    RedisSeen,
    Seen,
    Statement,
)
from frontdesk.operate.diagnosis.stores import plain
from frontdesk.operate.probe.fault import FaultKind
from frontdesk.operate.probe.run import Result
from tests.operate.cases import cluster, event, found, one, pod, waiting

GIB = 2.0**30


def away(name: str, fault: FaultKind, kind: Any = "postgresql", needed: bool = True) -> Result:
    return Result(
        name=name,
        address=f"{kind}://{name}.example",
        kind=kind,
        state="unhealthy",
        seconds=0.1,
        cause="as the probe says",
        remedy="Mend it.",
        fault=fault,
        needed=needed,
    )


def histogram(name: str, labels: str, **upto: float) -> str:
    """Cumulative counts by bound (`le_0_1`)."""
    bounds = {key.removeprefix("le_").replace("_", "."): value for key, value in upto.items() if key != "total"}
    comma = "," if labels else ""
    lines = [f'{name}_bucket{{{labels}{comma}le="{bound}"}} {value}' for bound, value in bounds.items()]
    count = list(bounds.values())[-1]
    lines += [f'{name}_bucket{{{labels}{comma}le="+Inf"}} {count}', f"{name}_count{{{labels}}} {count}"]
    return "\n".join([f"# TYPE {name} histogram", *lines, f"{name}_sum{{{labels}}} {upto.get('total', 0)}", ""])


def figures(*texts: str) -> Figures:
    return Figures.of("\n".join(texts))


# --- in general ---


def test_a_healthy_system_is_met_with_silence() -> None:
    quick = histogram("http_request_duration_seconds", 'method="GET",path="/api/v1/me"', le_0_05=1000)
    good = 'http_requests_total{method="GET",path="/api/v1/me",status="200"} 1000'
    sure = histogram("ai_decision_confidence", "", le_0_9=10, le_1_0=500, total=460)
    decided = histogram("ai_decision_duration_seconds", "", le_0_05=500)
    process = ProcessSeen(name="web", ready=True, cpu=0.2, memory=GIB, memory_limit=4 * GIB)
    seen = Seen(
        processes=[process],
        figures=figures(quick, good, sure, decided),
        database=DatabaseSeen(connections=5, most=97, statistics=True),
        redis=RedisSeen(info={"used_memory": "1000", "maxmemory": "0", "role": "master"}),
        machine=MachineSeen(cores=2, load=1, memory=GIB, memory_most=8 * GIB, disk_free=50, disk_size=100),
        cluster=ClusterSeen(pods=[pod(phase="Running", containerStatuses=[{"ready": True}])]),
    )
    assert diagnose(seen) == []
    assert diagnose(Seen()) == []


def test_every_case_has_a_symptom_that_people_would_look_for() -> None:
    assert len({case.name for case in CASES}) == len(CASES) == 13
    assert all(case.symptom for case in CASES)


# --- conversation, section 11 ---


@pytest.mark.proves("answering-20")
@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        (cluster(waiting("ImagePullBackOff", "not found")), "its image cannot be fetched (not found)"),
        (cluster(waiting("CreateContainerConfigError", 'secret "desk-secrets" not found')), "a secret or config map"),
        (cluster(waiting("CrashLoopBackOff")), "ends by itself again and again"),
        (cluster(events=[event("Unhealthy", "Readiness probe failed: HTTP 503")]), "fails its probe"),
        (cluster(events=[event("FailedCreate", "exceeded quota: desk, requested: cpu=1")]), "may not be made"),
        (cluster(events=[event("FailedMount", "claim not bound")]), "waits for a volume"),
        (
            cluster(pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3: Insufficient cpu"}])),
            "finds no node: 0/3: Insufficient cpu",
        ),
        (Seen(settings=["SECRET_KEY is not set"]), "SECRET_KEY is not set"),
        (Seen(processes=[ProcessSeen(name="web-1", restarts=5, state="waiting")]), "has ended by itself 5 times"),
    ],
)
def test_what_does_not_start_is_named_by_image_secret_probe_quota_node_or_crash(seen: Seen, cause: str) -> None:
    finding = one(seen, "start")
    assert cause in finding.cause
    assert finding.result == "fail"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refused", "down"),
        ("silent", "down, hanging"),
        ("password", "refuses the password"),
        ("forbidden", "lets this user or address not in"),
        ("exhausted", "every connection taken"),
        ("read-only", "a replica, or set so"),
        ("no database", "without the desk's database"),
        ("dns", "a name that nobody knows"),
    ],
)
def test_what_ails_the_database_is_named(fault: FaultKind, words: str) -> None:
    finding = one(Seen(probes=[away("database", fault)]), "database")
    assert words in finding.cause
    assert "DATABASE_URL" in finding.remedy


def test_an_embedded_database_that_the_first_start_makes_is_no_trouble() -> None:
    assert diagnose(Seen(probes=[away("database", "missing", kind="sqlite")])) == []


def test_connections_locks_and_open_transactions_are_seen_from_within() -> None:
    blocked = Statement(text="UPDATE turns SET state = ?", seconds=12, waits_for=(4711,))
    long = Statement(text="SELECT count(*) FROM messages", seconds=100)
    seen = Seen(
        database=DatabaseSeen(connections=95, most=97, waiting=[blocked], running=[long], idle_in_transaction=2)
    )
    causes = " | ".join(finding.cause for finding in found(seen, "database"))
    for words in ("95 of 97 connections", "the longest for 12 s", "2 transactions have stood open", "run for 100 s"):
        assert words in causes
    assert "4711" in " ".join(finding.remedy for finding in found(seen, "database"))


def nodes(*lines: str) -> RedisSeen:
    return RedisSeen(cluster={"cluster_state": "fail", "cluster_slots_assigned": "10923"}, nodes=lines)


def test_a_broken_redis_cluster_is_repaired_before_it_is_recreated() -> None:
    seen = Seen(
        redis=nodes(
            "aaa 10.0.0.1:6379@16379 master - 0 0 1 connected 0-5460",
            "bbb 10.0.0.2:6379@16379 master,fail - 0 0 2 connected",
            "ccc 10.0.0.3:6379@16379 slave bbb 0 0 2 connected",
        )
    )
    failed, slots = found(seen, "redis")
    assert "10.0.0.2:6379 has failed" in failed.cause
    assert "CLUSTER FAILOVER FORCE at 10.0.0.3:6379" in failed.remedy
    assert "5461 slots" in slots.cause
    assert "--cluster fix" in slots.remedy


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"used_memory": "95", "maxmemory": "100", "maxmemory_policy": "noeviction"}, "will refuse writes"),
        ({"used_memory": "95", "maxmemory": "100", "maxmemory_policy": "allkeys-lru"}, "drops keys"),
        ({"role": "slave", "master_link_status": "down"}, "has lost its primary"),
        ({"rdb_last_bgsave_status": "err"}, "cannot write its data"),
        ({"rejected_connections": "3", "connected_clients": "100", "maxclients": "100"}, "all are taken"),
    ],
)
def test_what_ails_a_single_redis_is_named(info: dict[str, str], words: str) -> None:
    assert words in one(Seen(redis=RedisSeen(info=info)), "redis").cause


SLOW_WEB = histogram("http_request_duration_seconds", 'method="GET",path="/api/v1/me"', le_1=0, le_2_5=100)


@pytest.mark.parametrize(
    ("part", "seen"),
    [
        ("app", Seen(figures=figures(SLOW_WEB), processes=[ProcessSeen(name="web-1", cpu=0.97)])),
        (
            "queue general",
            Seen(figures=figures('queue_oldest_seconds{queue="general"} 60', 'queue_length{queue="general"} 400')),
        ),
        (
            "model openai",
            Seen(
                figures=figures(
                    histogram("frontdesk_model_call_duration_seconds", 'model="openai",outcome="ok"', le_30=10),
                    histogram("frontdesk_model_first_token_seconds", 'model="openai"', le_5=0, le_10=10),
                )
            ),
        ),
        (
            "database",
            Seen(
                figures=figures(SLOW_WEB),
                database=DatabaseSeen(slowest=[Statement(text="SELECT * FROM messages", seconds=2, calls=9)]),
            ),
        ),
        ("Telegram's limit", Seen(figures=figures('frontdesk_telegram_limited_total 12\nreplies_total{o="sent"} 900'))),
    ],
)
def test_the_bottleneck_is_named(part: str, seen: Seen) -> None:
    finding = one(seen, "slow")
    assert part in finding.cause
    assert "is the bottleneck" in finding.cause


def test_a_refusal_of_telegrams_among_thousands_of_replies_slows_nobody_down() -> None:
    assert diagnose(Seen(figures=figures('frontdesk_telegram_limited_total 12\nreplies_total{o="sent"} 9000'))) == []


def test_slowness_without_a_bottleneck_leads_to_traces() -> None:
    finding = one(Seen(figures=figures(SLOW_WEB)), "slow")
    assert finding.result == "warn"
    assert "trace" in finding.remedy


def test_a_queue_that_nobody_works_on_wants_a_worker() -> None:
    texts = (
        'queue_oldest_seconds{queue="ml"} 60',
        'queue_length{queue="ml"} 3',
        'frontdesk_workers_alive{queue="ml"} 0',
    )
    assert "nobody works on it" in one(Seen(figures=figures(*texts)), "slow").cause


# --- engagement, section 12 ---


def decisions(**upto: float) -> str:
    return histogram("ai_decision_duration_seconds", "", **upto)


@pytest.mark.proves("engagement-19")
@pytest.mark.parametrize(
    ("seen", "cause", "remedy"),
    [
        (Seen(processes=[ProcessSeen(name="web-1", cpu=0.95)]), "web-1 uses 95 % of a core", "Scale to 5 replicas"),
        (
            Seen(database=DatabaseSeen(slowest=[Statement(text="SELECT x FROM y", seconds=0.4)])),
            "the slowest takes 400 ms: SELECT x FROM y",
            "Tune those queries",
        ),
        (Seen(), "No part of it is full", "CACHE_ENABLED=true"),
    ],
)
def test_slow_decisions_are_named_with_their_cause(seen: Seen, cause: str, remedy: str) -> None:
    slow = figures(decisions(le_0_05=10, le_0_5=100))
    finding = one(replace(seen, figures=slow), "decision latency")
    assert "the target is 100 ms" in finding.cause
    assert cause in finding.cause
    assert remedy in finding.remedy


def unsure(learned: float) -> Figures:
    return figures(
        histogram("ai_decision_confidence", "", le_0_5=80, le_1_0=100, total=50),
        'ai_decisions_total{customer_segment="smb",objective="retain",confidence_level="low"} 80',
        'ai_decisions_total{customer_segment="smb",objective="retain",confidence_level="high"} 20',
        f'ai_learning_events_total{{event_type="click",significance="low"}} {learned}',
    )


@pytest.mark.proves("engagement-19")
def test_low_confidence_is_named_with_how_learning_goes() -> None:
    finding = one(Seen(figures=unsure(40)), "confidence")
    assert "Mean confidence is 50 %, under 75 %; 80 % are held or wait for a person" in finding.cause
    assert "learning_rate 0.15" in finding.remedy
    assert "frontdesk evolution step" in finding.remedy
    assert "No outcome" in one(Seen(figures=unsure(0)), "confidence").cause
    assert "LEARNING_ENABLED=true" in one(Seen(figures=unsure(0), learning=False), "confidence").remedy


@pytest.mark.proves("engagement-19")
def test_a_kill_for_memory_and_what_leads_to_it_are_named() -> None:
    killed = pod(containerStatuses=[{"lastState": {"terminated": {"reason": "OOMKilled"}}, "restartCount": 3}])
    assert "killed for memory (3 restarts)" in one(cluster(killed), "memory").cause
    nearly = Seen(processes=[ProcessSeen(name="web-1", memory=3.9 * GIB, memory_limit=4 * GIB)])
    assert "3.9 GiB of 4 GiB (97.5 %)" in one(nearly, "memory").cause
    assert "8Gi" in one(nearly, "memory").remedy
    assert one(Seen(machine=MachineSeen(killed_for_memory=2)), "memory").result == "warn"
    again = ProcessSeen(name="web-2", restarts=1)
    assert (
        "web-2 ended by itself"
        in one(Seen(machine=MachineSeen(killed_for_memory=2), processes=[again]), "memory").cause
    )


@pytest.mark.proves("engagement-19")
def test_memory_that_grows_until_none_is_left_is_named_before_it_is_full() -> None:
    growing = ProcessSeen(name="web-1", memory=2 * GIB, memory_limit=4 * GIB, growth=2 * GIB / 1200)
    finding = one(Seen(processes=[growing]), "memory")
    assert (finding.result, "102 MiB a minute, and has none left in 20 min" in finding.cause) == ("warn", True)
    assert diagnose(Seen(processes=[replace(growing, growth=1000.0)])) == []
    assert diagnose(Seen(processes=[replace(growing, growth=-GIB)])) == []


# --- answering, section 12 ---


@pytest.mark.proves("answering-20")
@pytest.mark.parametrize(
    ("fault", "hop"),
    [
        ("dns", "the name"),
        ("refused", "the endpoint"),
        ("silent", "a policy"),
        ("tls", "TLS"),
        ("broken", "broke off"),
        ("status", "the service itself"),
    ],
)
def test_the_hop_at_which_services_do_not_reach_each_other_is_named(fault: FaultKind, hop: str) -> None:
    finding = one(Seen(neighbours=[away("redis", fault, kind="tcp")]), "reach")
    assert f"It fails at {hop}" in finding.cause or hop in finding.cause


@pytest.mark.proves("answering-20")
def test_who_exceeds_what_is_named_with_a_size() -> None:
    quota = msgspec.convert(
        {
            "status": {
                "hard": {"limits.memory": "200Gi", "pods": "20"},
                "used": {"limits.memory": "200Gi", "pods": "17"},
            }
        },
        Quota,
    )
    processes = [ProcessSeen(name="web-1", cpu=0.9, memory=6 * GIB), ProcessSeen(name="web-2", memory=GIB)]
    machine = MachineSeen(cores=2, load=9, memory=7 * GIB, memory_most=8 * GIB, disk_free=5, disk_size=100)
    seen = Seen(machine=machine, processes=processes, cluster=ClusterSeen(quotas=[quota]))
    causes = [finding.cause for finding in found(seen, "shortage")]
    for words in ("9 processes want 2 cores", "web-1 has 6 GiB", "of the disk", "200Gi of 200Gi", "17 of 20"):
        assert any(words in cause for cause in causes), words


# --- agents, section 13 ---


def answered(good: int, bad: int) -> str:
    head = 'http_requests_total{method="GET",path="/api/v1/conversations"'
    return f'{head},status="200"}} {good}\n{head},status="503"}} {bad}'


def test_5xx_are_named_with_their_route_and_a_new_release_is_undone_first() -> None:
    finding = one(Seen(figures=figures(answered(90, 10))), "errors")
    assert "10 % of the requests fail, most of them at /api/v1/conversations (10)" in finding.cause
    fresh = Seen(figures=figures(answered(90, 10)), released_hours_ago=2)
    assert "frontdesk release undo" in one(fresh, "errors").remedy
    with_store = Seen(figures=figures(answered(90, 10)), probes=[away("redis", "refused", kind="redis")])
    assert "Mend redis first" in one(with_store, "errors").remedy


def test_a_process_that_is_not_ready_says_what_it_misses() -> None:
    seen = Seen(processes=[ProcessSeen(name="web-1", ready=False, away={"redis": "ConnectionError"})])
    assert "web-1 is not ready: redis (ConnectionError)" in one(seen, "errors").cause


def test_the_slowest_answers_are_named_with_what_presses_them() -> None:
    card = GpuSeen(name="RTX 4090", used=0.99, memory=20 * GIB, memory_most=24 * GIB)
    finding = one(Seen(figures=figures(SLOW_WEB), machine=MachineSeen(gpus=[card])), "p99")
    assert "the slowest is /api/v1/me" in finding.cause
    assert "RTX 4090 is 99 % busy" in finding.remedy


def test_a_missed_objective_freezes_releases() -> None:
    assert "is spent" in one(Seen(figures=figures(answered(980, 20))), "objectives").remedy
    assert one(Seen(figures=figures(answered(99_930, 70))), "objectives").result == "warn"


# --- figures ---


def test_percentiles_are_those_that_prometheus_computes() -> None:
    told = figures(histogram("x", "", le_0_1=10, le_0_5=90, le_1=100, total=40))
    assert told.quantile(0.5, "x") == pytest.approx(0.3)
    assert told.quantile(0.95, "x") == pytest.approx(0.75)
    assert told.mean("x") == pytest.approx(0.4)
    assert (told.quantile(0.5, "y"), told.mean("y")) == (None, None)
    beyond = figures('x_bucket{le="1.0"} 1\nx_bucket{le="+Inf"} 10\nx_count 10\nx_sum 99')
    assert beyond.quantile(0.95, "x") == 1.0


def test_processes_are_added_up_and_what_merely_is_stands_once() -> None:
    one_process = figures("# TYPE done_total counter\ndone_total 5", "# TYPE waiting gauge\nwaiting 7")
    both = Figures.together([one_process, one_process])
    assert (both.sum("done_total"), both.sum("waiting")) == (10, 7)


def test_what_was_counted_meanwhile_and_a_counter_that_began_anew() -> None:
    before = figures("a_total 10\nb_total 10", "# TYPE g gauge\ng 5")
    after = figures("a_total 25\nb_total 3", "# TYPE g gauge\ng 6").since(before)
    assert (after.sum("a_total"), after.sum("b_total"), after.sum("g")) == (15, 3, 6)


# --- observing ---


def test_statements_are_shown_without_the_values_in_them() -> None:
    query = "SELECT *\n FROM people WHERE email = 'ann@example.com' AND id = 42 AND x = $1 AND y = $t$secret$t$"
    assert plain(query) == "SELECT * FROM people WHERE email = ? AND id = ? AND x = $1 AND y = ?"


def test_cards_are_read_and_one_that_does_not_tell_is_left_out() -> None:
    said = "NVIDIA GeForce RTX 4090, 83, 12000, 24564\nOther, [N/A], 1, 2\n"
    [card] = gpus_of(said)
    assert (card.name, card.used, card.memory) == ("NVIDIA GeForce RTX 4090", 0.83, 12000 * 2**20)


def test_the_newest_error_lines_of_the_last_hour_are_found(tmp_path: Path) -> None:
    now = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)

    def line(minutes: int, level: str, event: str) -> str:
        at = (now - timedelta(minutes=minutes)).isoformat()
        return msgspec.json.encode({"at": at, "level": level, "event": event, "code": "x"}).decode()

    log = tmp_path / "web-1.log"
    lines = [
        line(90, "error", "old"),
        line(50, "warning", "mere"),
        *(line(40 - n, "error", f"e{n}") for n in range(12)),
    ]
    log.write_text("\n".join([*lines, "00:29:00 error    short_line  code=y", "23:50:00 ERROR  of_yesterday", "noise"]))
    found_lines = error_lines([log, tmp_path / "absent.log"], now=now)
    assert len(found_lines) == 10
    assert found_lines[-1] == "00:29:00 web-1: short_line  code=y"
    assert any("of_yesterday" in told for told in error_lines([log], now=now, newest=100))
    assert not any("old" in told or "mere" in told for told in error_lines([log], now=now, newest=100))


# --- the report ---


@pytest.mark.proves("engagement-18")
def test_the_report_has_six_parts_each_good_or_bad() -> None:
    well = Result(name="desk", address="http://h/ready", kind="http", state="healthy", seconds=0.01, cause="200")
    process = ProcessSeen(name="web-1", ready=True, cpu=0.1, memory=GIB, memory_limit=4 * GIB)
    sure = figures(
        histogram("ai_decision_confidence", "", le_1_0=100, total=90),
        'ai_decisions_total{customer_segment="a",objective="b",confidence_level="high"} 100',
    )
    seen = Seen(answers=well, probes=[well], processes=[process], figures=sure)
    parts = {part.name: part for part in report(seen)}
    assert list(parts) == [
        "replicas", "endpoints", "cpu and memory", "errors of the last hour", "health", "decisions"
    ]  # fmt: skip
    assert {part.result for part in parts.values()} == {"ok"}
    assert "mean confidence 90 %" in " ".join(parts["decisions"].lines)
    dead = away("desk", "refused", kind="http")
    bad: dict[str, dict[str, Any]] = {
        "replicas": {"processes": [ProcessSeen(name="web-1", ready=False, memory=1.0)]},
        "endpoints": {"probes": [dead]},
        "cpu and memory": {"processes": [ProcessSeen(name="w", ready=True, memory=3.9 * GIB, memory_limit=4 * GIB)]},
        "errors of the last hour": {"errors": ["12:00:00 web-1: broke"]},
        "health": {"answers": dead},
        "decisions": {"figures": unsure(1)},
    }
    for name, change in bad.items():
        results = {part.name: part.result for part in report(replace(seen, **change))}
        assert [part for part, result in results.items() if result == "bad"] == [name]
