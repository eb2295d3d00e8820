"""Objectives as Prometheus counts them: planted outages burn what they should, and call people when they should."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from frontdesk.render.observability import rules, slo
from frontdesk.render.target import yaml_text
from frontdesk.system.home import blueprints
from frontdesk.system.layout.objectives import Objective
from tests.render.planted import Series, planned, run

MINUTES = 30 * 24 * 60
ALLOWED = {"coordination": 43.2, "memory": 21.6, "gpu": 216, "language": 43.2, "web": 43.2}  # minutes of 30 days
SLOWEST = {"coordination": 0.5, "memory": 0.1, "gpu": 2, "language": 1, "web": 0.3}  # seconds, of 99 in 100
ERRORS = {"coordination": 0.1, "memory": 0.05, "gpu": 0.2, "language": 0.1, "web": 0.1}  # percent
JOB = {"coordination": "coordination", "memory": "memory-stack", "gpu": "speech-gpu"} | {
    "language": "language-stack",
    "web": "web-interface",
}
PERIOD = (
    "slo:sli_good",
    "slo:sli_total",
    "slo:sli_error:ratio_rate30d",
    "slo:error_b",
    "slo:period",
    "slo:objective_m",
)
CALLING = ("slo:sli", "alert")
REQUESTS = 'http_requests_total{job="%s", machine="mainpc", method="POST", path="/x", status="%s"}'


def objective(name: str, blueprint: str = "agents") -> Objective:
    return next(each for each in planned(blueprint).objectives.all if each.name == name)


def text_of(name: str, blueprint: str = "agents", *, only: Sequence[str] = ()) -> str:
    """The rules of one objective alone; `only` those whose names begin so, which saves much time."""
    plan = planned(blueprint)
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if _kept(rule, only)]}
        for found in slo.groups(plan).values()
        for group in found
        if str(group["name"]).endswith(f"-{slo.identity(plan, objective(name, blueprint))['sloth_id']}")
    ]
    assert groups
    return yaml_text({"groups": [group for group in groups if group["rules"]]})


def _kept(rule: Mapping[str, object], only: Sequence[str]) -> bool:
    return not only or any(str(rule.get("record", "alert")).startswith(beginning) for beginning in only)


def holds(expression: str, at: str) -> Mapping[str, object]:
    """The expression is true at a moment."""
    return {"expr": f"sum({expression})", "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]}


def calls(name: str, at: str, *wanted: str) -> Mapping[str, object]:
    """At a moment these calls are made, `page` or `ticket`, and no other."""
    wording = {rule["labels"]["sloth_severity"]: rule for rule in _alerts(name)}
    labels = slo.identity(planned("agents"), objective(name))
    return {
        "eval_time": at,
        "alertname": slo.alert_name(objective(name)),
        "exp_alerts": [
            {
                "exp_labels": {**labels, "severity": slo.SEVERITY[call], "sloth_severity": call},
                "exp_annotations": wording[call]["annotations"],
            }
            for call in wanted
        ],
    }


def _alerts(name: str) -> list[dict[str, dict[str, str]]]:
    groups = [group for found in slo.groups(planned("agents")).values() for group in found]
    (found,) = (group for group in groups if str(group["name"]) == f"sloth-slo-alerts-ai-system-{name}")
    return found["rules"]


# --- definitions ---


@pytest.mark.proves("agents-10")
def test_the_agents_have_at_least_25_objectives_with_the_listed_figures() -> None:
    assert len(planned("agents").objectives.all) >= 25
    for category, minutes in ALLOWED.items():
        available, latency, errors = (objective(f"{category}-{kind}") for kind in ("availability", "latency", "errors"))
        assert float(slo.budget(available)) * MINUTES == pytest.approx(minutes)
        assert (latency.threshold, latency.target) == (SLOWEST[category], 99)
        assert float(slo.budget(errors)) * 100 == pytest.approx(ERRORS[category])
        assert {each.category for each in (available, latency, errors)} == {category}


@pytest.mark.parametrize("blueprint", blueprints())
def test_every_objective_is_written_in_sloths_names(blueprint: str) -> None:
    plan = planned(blueprint)
    groups = [group for found in slo.groups(plan).values() for group in found]
    for each in plan.objectives.all:
        labels = slo.identity(plan, each)
        of_it = [rule for group in groups for rule in group["rules"] if rule["labels"].items() >= labels.items()]
        records = {rule["record"] for rule in of_it if "record" in rule}
        assert "slo:objective_met:bool" in records
        if each.kind == "gauge":
            continue
        assert {f"slo:sli_error:ratio_rate{window}" for window in (*slo.HOURS, "30d")} <= records
        assert records >= {
            "slo:objective:ratio",
            "slo:error_budget:ratio",
            "slo:time_period:days",
            "slo:current_burn_rate:ratio",
            "slo:period_burn_rate:ratio",
            "slo:period_error_budget_remaining:ratio",
            "sloth_slo_info",
        }


def test_alerts_look_at_the_burns_of_the_workbook() -> None:
    assert [(burn.call, burn.long, burn.short, burn.factor(30)) for burn in slo.BURNS] == [
        ("page", "1h", "5m", Decimal("14.4")),
        ("page", "6h", "30m", Decimal(6)),
        ("ticket", "1d", "2h", Decimal(3)),
        ("ticket", "3d", "6h", Decimal(1)),
    ]


def test_an_objective_holds_the_services_of_its_category() -> None:
    assert 'job=~"memory-stack|pc2-memory-stack"' in text_of("memory-availability")


# --- planted outages ---


def outage(category: str, out: int) -> Series:
    """Thirty days of steady traffic, and one outage of everything in their midst, for so many minutes."""
    before, after = 20_000, MINUTES - 20_000 - out
    return {
        REQUESTS % (JOB[category], 200): f"0+60x{before} {60 * before}+0x{out} {60 * before}+60x{after}",
        REQUESTS % (JOB[category], 503): f"0+0x{before} 0+60x{out} {60 * out}+0x{after}",
    }


@pytest.mark.proves("agents-10")
@pytest.mark.parametrize(
    ("category", "out"),
    [
        ("memory", 8),
        *(pytest.param(*each, marks=pytest.mark.proof) for each in (("coordination", 20), ("gpu", 150), ("web", 60))),
    ],
)
def test_an_outage_burns_its_minutes_of_the_budget(category: str, out: int, promtool: str, tmp_path: Path) -> None:
    """What is counted is recorded for 30 days; its share is asked for once, at their end, as the rule has it."""
    name = f"{category}-availability"
    (share,) = (
        rule["expr"]
        for groups in slo.groups(planned("agents")).values()
        for group in groups
        for rule in group["rules"]
        if rule.get("record") == "slo:sli_error:ratio_rate30d" and rule["labels"]["sloth_slo"] == name
    )
    burnt = f"({share}) / {slo.budget(objective(name))}"
    values = [holds(f"abs({burnt} - {out / ALLOWED[category]}) < bool 0.01", f"{MINUTES}m")]
    rules = text_of(name, only=("slo:sli_good", "slo:sli_total"))
    run(promtool, tmp_path, rules, outage(category, out), values=values, evaluated="5m")


@pytest.mark.proof
@pytest.mark.proves("agents-10")
@pytest.mark.parametrize(("category", "out"), [("memory", 8), ("gpu", 150)])
def test_the_budget_left_after_an_outage_is_told(category: str, out: int, promtool: str, tmp_path: Path) -> None:
    left = 1 - out / ALLOWED[category]
    values = [
        holds(f"abs(slo:period_error_budget_remaining:ratio - {left}) < bool 0.01", f"{MINUTES}m"),
        holds(f"abs(slo:period_burn_rate:ratio - {1 - left}) < bool 0.01", f"{MINUTES}m"),
        holds("slo:objective_met:bool", f"{MINUTES}m"),
    ]
    rules = text_of(f"{category}-availability", only=PERIOD)
    run(promtool, tmp_path, rules, outage(category, out), values=values, evaluated="5m")


def failing(share: float, hours: int, *, before: int = 72, after: int = 12) -> Series:
    """Ten thousand requests a minute, of which a share fails for some hours."""
    good, quiet, bad, calm = round(10_000 * (1 - share)), before * 60, hours * 60, after * 60
    began, ended = 10_000 * quiet, 10_000 * quiet + good * bad
    fails, failed = 10_000 - good, (10_000 - good) * bad
    return {
        REQUESTS % ("coordination", 200): (
            f"0+10000x{quiet} {began + good}+{good}x{bad - 1} {ended + 10_000}+10000x{calm - 1}"
        ),
        REQUESTS % ("coordination", 500): f"0+0x{quiet} {fails}+{fails}x{bad - 1} {failed}+0x{calm - 1}",
    }


PACES = {  # which share fails for how many hours after three good days, and who is called when
    "everything fails": (1.0, 1, {"71h": (), "73h": ("page", "ticket"), "74h": ("ticket",), "80h": ()}),
    "two in a hundred fail": (0.02, 2, {"4350m": (), "4435m": ("page",), "76h": ()}),
    "eight in a thousand fail": (0.008, 8, {"75h": (), "79h": ("page",), "82h": ()}),
    "four in a thousand fail": (0.004, 24, {"84h": (), "95h": ("ticket",), "104h": ()}),
    "two in a thousand fail": (0.002, 72, {"96h": (), "143h": ("ticket",), "152h": ()}),
    "half of what is allowed fails": (0.0005, 72, {"96h": (), "143h": (), "152h": ()}),
}


@pytest.mark.parametrize("pace", PACES)
def test_how_fast_the_budget_burns_says_who_is_called(pace: str, promtool: str, tmp_path: Path) -> None:
    share, hours, moments = PACES[pace]
    name = "coordination-availability"
    run(
        promtool,
        tmp_path,
        text_of(name, only=CALLING),
        failing(share, hours),
        [calls(name, at, *wanted) for at, wanted in moments.items()],
        evaluated="5m",
    )


def test_an_outage_calls_within_five_minutes(promtool: str, tmp_path: Path) -> None:
    name = "coordination-availability"
    moments = [calls(name, "360m"), calls(name, "366m", "page", "ticket")]
    run(promtool, tmp_path, text_of(name, only=CALLING), failing(1.0, 1, before=6), moments, evaluated="1m")


def test_failures_of_a_quiet_night_call_nobody(promtool: str, tmp_path: Path) -> None:
    name = "coordination-availability"
    series = {
        REQUESTS % ("coordination", 200): "0x60 1x120 2x120",
        REQUESTS % ("coordination", 500): "0x90 1x30 2x180",
    }
    quiet = [calls(name, f"{minutes}m") for minutes in (95, 120, 125, 180, 240)]
    run(promtool, tmp_path, text_of(name), series, quiet, evaluated="1m")


def test_a_system_that_only_ever_failed_calls_too(promtool: str, tmp_path: Path) -> None:
    name = "coordination-availability"
    series = {REQUESTS % ("coordination", 500): "0+60x120"}
    run(promtool, tmp_path, text_of(name), series, [calls(name, "60m", "page", "ticket")], evaluated="1m")


def test_hours_without_traffic_spoil_nothing(promtool: str, tmp_path: Path) -> None:
    series = {
        REQUESTS % ("coordination", 200): "0+99x120 11880+0x600 11880+99x120",
        REQUESTS % ("coordination", 500): "0+1x120 120+0x600 120+1x120",
    }
    share = "abs(slo:sli_error:ratio_rate30d - 0.01) < bool 0.0005"
    nothing = {"expr": "slo:sli_error:ratio_rate5m", "eval_time": "400m", "exp_samples": []}
    spent = "abs(slo:period_error_budget_remaining:ratio + 9) < bool 0.5"  # ten times what is allowed
    missed = "slo:objective_met:bool == bool 0"
    values = [
        *(holds(share, at) for at in ("119m", "400m", "839m")),
        holds(spent, "839m"),
        holds(missed, "839m"),
        nothing,
    ]
    run(promtool, tmp_path, text_of("coordination-availability"), series, values=values, evaluated="1m")


def test_probes_and_long_polls_count_for_nothing(promtool: str, tmp_path: Path) -> None:
    probes = {REQUESTS.replace("/x", path) % ("coordination", 503): "0+60x60" for path in ("/ready", "/health")}
    run(
        promtool,
        tmp_path,
        text_of("coordination-availability"),
        {**probes, REQUESTS % ("coordination", 200): "0+60x60"},
        values=[holds("slo:sli_error:ratio_rate1h == bool 0", "60m")],
        evaluated="1m",
    )


# --- what is counted ---

TOOK = 'http_request_duration_seconds_%s{job="%s", path="/x", method="GET"%s}'


def slow(job: str, bound: str) -> Series:
    """Ten of a hundred take longer."""
    return {
        TOOK % ("bucket", job, f', le="{bound}"'): "0+90x30",
        TOOK % ("count", job, ""): "0+100x30",
    }


COUNTED: dict[tuple[str, str], Series] = {  # in each, a tenth is bad
    ("assistant", "requests-available"): {REQUESTS % ("x", 200): "0+90x30", REQUESTS % ("x", 502): "0+10x30"},
    ("assistant", "requests-fast"): slow("orchestrator", "2.5"),
    ("answering", "requests-good"): {REQUESTS % ("x", 404): "0+90x30", REQUESTS % ("x", 500): "0+10x30"},
    ("answering", "requests-fast"): slow("phone-gateway", "1.0"),
    ("conversation", "replies-sent"): {
        'replies_total{outcome="sent"}': "0+90x30",
        'replies_total{outcome="fallback"}': "0+4x30",
        'replies_total{outcome="failed"}': "0+6x30",
    },
    ("conversation", "replies-fast"): {
        'reply_latency_seconds_bucket{le="5.0"}': "0+90x30",
        "reply_latency_seconds_count": "0+100x30",
    },
    ("engagement", "decisions-made"): {
        'ai_decisions_total{customer_segment="smb", objective="retain", confidence_level="low"}': "0+90x30",
        'ai_orchestration_errors_total{stage="decide", error_type="x"}': "0+10x30",
    },
    ("engagement", "decisions-fast"): {
        'ai_decision_duration_seconds_bucket{le="0.1"}': "0+90x30",
        "ai_decision_duration_seconds_count": "0+100x30",
    },
    **{
        ("agents", f"{category}-{kind}"): slow(JOB[category], bound)
        if kind == "latency"
        else {
            f'{metric}{{job="{JOB[category]}", status="{status}"}}': f"0+{count}x30"
            for status, count in ((200, 90), (500, 10))
        }
        for category, bound in {
            "coordination": "0.5",
            "memory": "0.1",
            "gpu": "2.0",
            "language": "1.0",
            "web": "0.3",
        }.items()
        for kind, metric in (("availability", "http_requests_total"), ("errors", "requests_total"), ("latency", ""))
    },
    ("agents", "memory-retrieval"): {
        'frontdesk_memory_retrieval_seconds_bucket{le="0.1"}': "0+90x30",
        "frontdesk_memory_retrieval_seconds_count": "0+100x30",
    },
    ("agents", "conversation-success"): {
        'replies_total{outcome="sent"}': "0+90x30",
        'replies_total{outcome="failed"}': "0+10x30",
    },
    ("agents", "traces-exported"): {
        "otelcol_exporter_sent_spans": "0+90x30",
        "otelcol_exporter_send_failed_spans": "0+10x30",
    },
}


@pytest.mark.parametrize(("blueprint", "name"), COUNTED)
def test_a_tenth_that_is_bad_is_counted_as_a_tenth(blueprint: str, name: str, promtool: str, tmp_path: Path) -> None:
    run(
        promtool,
        tmp_path,
        text_of(name, blueprint, only=("slo:sli_good", "slo:sli_total", "slo:sli_error:ratio_rate5m")),
        COUNTED[blueprint, name],
        values=[holds("abs(slo:sli_error:ratio_rate5m - 0.1) < bool 0.0001", "30m")],
        evaluated="1m",
    )


@pytest.mark.parametrize("name", ["traces-exported", "decisions-made"])
def test_what_never_failed_is_wholly_good(name: str, promtool: str, tmp_path: Path) -> None:
    blueprint = "agents" if name == "traces-exported" else "engagement"
    sound = dict(list(COUNTED[blueprint, name].items())[:1])
    rules = text_of(name, blueprint, only=("slo:sli_good", "slo:sli_total", "slo:sli_error:ratio_rate5m"))
    values = [holds("slo:sli_error:ratio_rate5m == bool 0", "30m")]
    run(promtool, tmp_path, rules, sound, values=values, evaluated="1m")


def test_every_share_has_been_counted() -> None:
    shares = {
        (each, said.name) for each in blueprints() for said in planned(each).objectives.all if said.kind != "gauge"
    }
    assert set(COUNTED) == shares


# --- figures with a bound ---


def of_a_machine(machine: str, busy: int) -> dict[str, Series]:
    """Its card, cores and memory, too much in use for two hours and a half; `busy` of a hundred cores."""
    free = 100 - busy
    return {
        f"{machine}-memory": {
            f'node_memory_MemAvailable_bytes{{machine="{machine}"}}': "50x60 10x150 50x60",
            f'node_memory_MemTotal_bytes{{machine="{machine}"}}': "100x270",
        },
        f"{machine}-gpu": {
            f'nvidia_smi_utilization_gpu_ratio{{machine="{machine}", uuid="x"}}': "0.7x60 0.99x150 0.7x60"
        },
        f"{machine}-cpu": {
            f'node_cpu_seconds_total{{machine="{machine}", mode="idle", cpu="0"}}': (
                f"0+{0.6 * (free + 10)}x60 "
                f"{36 * (free + 10)}+{0.6 * (free - 10)}x150 "
                f"{36 * (free + 10) + 90 * (free - 10)}+{0.6 * (free + 10)}x60"
            )
        },
    }


GAUGES: dict[str, Series] = {
    **of_a_machine("mainpc", 80),
    **of_a_machine("pc2", 70),
    "certificates-valid": {
        'probe_ssl_earliest_cert_expiry{instance="a"}': "9000000x270",
        'probe_ssl_earliest_cert_expiry{instance="b"}': "9000000x60 900000x150 9000000x60",
    },
    "backup-present": {"frontdesk_backup_last_success_timestamp_seconds": "0x60 -100000x150 12600x60"},
    "restore-tested": {"frontdesk_restore_last_success_timestamp_seconds": "0x60 -3100000x150 12600x60"},
}


def test_every_figure_with_a_bound_has_been_missed() -> None:
    assert set(GAUGES) == {each.name for each in planned("agents").objectives.all if each.kind == "gauge"}


@pytest.mark.parametrize("name", GAUGES)
def test_a_bound_that_is_missed_for_an_hour_is_told(name: str, promtool: str, tmp_path: Path) -> None:
    (group,) = (
        group
        for found in slo.groups(planned("agents")).values()
        for group in found
        if group["name"] == f"frontdesk-gauge-ai-system-{name}"
    )
    wording = next(rule for rule in group["rules"] if "alert" in rule)
    labels = slo.identity(planned("agents"), objective(name))
    firing = {
        "exp_labels": {**labels, "severity": "warning", "sloth_severity": "ticket"},
        "exp_annotations": wording["annotations"],
    }
    alerts = [
        {"eval_time": at, "alertname": slo.alert_name(objective(name)), "exp_alerts": expected}
        for at, expected in (("55m", []), ("110m", []), ("180m", [firing]), ("250m", []))
    ]
    values = [holds("slo:objective_met:bool", "50m"), holds("slo:objective_met:bool == bool 0", "100m")]
    run(promtool, tmp_path, text_of(name), GAUGES[name], alerts, values, evaluated="1m")


# --- figures under the names that operators know ---


def test_the_listed_figures_are_made_from_what_the_desk_tells(promtool: str, tmp_path: Path) -> None:
    took = 'http_request_duration_seconds_bucket{job="memory-stack", machine="mainpc", path="/x", le="%s"}'
    model = 'frontdesk_model_call_duration_seconds_count{model="m", outcome="ok", job="reasoning-gpu", instance="a"}'
    series = {
        REQUESTS % ("memory-stack", 200): "0+95x120",
        REQUESTS % ("memory-stack", 500): "0+5x120",
        took % "0.1": "0+98x120",
        took % "0.25": "0+100x120",
        took % "+Inf": "0+100x120",
        'replies_total{outcome="sent"}': "0+9x120",
        'replies_total{outcome="failed"}': "0+1x120",
        model: "0+2x120",
        'DCGM_FI_DEV_GPU_UTIL{machine="mainpc", gpu="0"}': "70x120",
    }
    of = '{service="memory-stack", machine="mainpc"}'
    values = [
        holds(f"abs(ai_system_availability_percentage{of} - 95) < bool 0.001", "2h"),
        holds(f"abs(ai_system_response_time_p99_seconds{of} - 0.175) < bool 0.001", "2h"),
        holds("abs(ai_conversation_success_rate - 0.9) < bool 0.001", "2h"),
        holds('ai_model_inference_total{model="m", group="reasoning-gpu", outcome="ok"} == bool 240', "2h"),
        holds('nvidia_smi_utilization_gpu_ratio{machine="mainpc"} == bool 0.7', "2h"),
    ]
    run(promtool, tmp_path, rules.files(planned("agents"))[rules.DERIVED], series, values=values, evaluated="1m")


def test_compliance_is_the_share_of_a_category_that_is_met(promtool: str, tmp_path: Path) -> None:
    plan = planned("agents")
    met = {
        f'slo:objective_met:bool{{sloth_service="ai-system", sloth_slo="memory-{kind}"}}': f"{value}x10"
        for kind, value in (("availability", 1), ("latency", 0), ("errors", 1))
    }
    values = [
        holds(f'abs(ai_system_slo_compliance{{service="{service}", machine="{machine}"}} - 2 / 3) < bool 0.001', "5m")
        for service, machine in (("memory-stack", "mainpc"), ("pc2-memory-stack", "pc2"))
    ]
    run(promtool, tmp_path, rules.files(plan)[rules.DERIVED], met, values=values, evaluated="1m")
