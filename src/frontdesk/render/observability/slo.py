"""Objectives as rules of Prometheus, under the names that Sloth gives them (sloth.dev), so that its dashboards fit.

What is good and what there is at all are kept as rates of five minutes; every longer window is made from those,
weighted by traffic, so that a month costs two series and no gap or quiet hour spoils it. Alerts look at how fast the
budget burns, in a long window and a short one together (Google, The Site Reliability Workbook, chapter 5, table 5-8).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from frontdesk.render.observability.expressions import asked
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.objectives import Objective
from frontdesk.system.layout.plan import Plan

FOLDER = "prometheus/rules"
LEAST_REQUESTS = 20  # in the long window: one failure at night wakes nobody
EVERY = 60  # seconds between two looks: a month is then 43,200 of them
MISSED_FOR = "1h"  # a gauge that is on the wrong side for so long is told, once, to be looked at in the morning
HOURS = {"5m": 1 / 12, "30m": 0.5, "1h": 1, "2h": 2, "6h": 6, "1d": 24, "3d": 72}

Rule = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Burn:
    """`share` of the budget is gone after the long window; the short one ends the alert soon after the fault."""

    call: str
    long: str
    short: str
    share: Decimal

    def factor(self, days: int) -> Decimal:
        """How many times faster than even the budget burns."""
        return self.share * 24 * days / Decimal(str(HOURS[self.long]))


BURNS = (
    Burn("page", "1h", "5m", Decimal("0.02")),
    Burn("page", "6h", "30m", Decimal("0.05")),
    Burn("ticket", "1d", "2h", Decimal("0.10")),
    Burn("ticket", "3d", "6h", Decimal("0.10")),
)
SEVERITY = {"page": "critical", "ticket": "warning"}
TOLD = {
    "page": "Act now: at this pace the error budget of {days} days is gone within days.",
    "ticket": "Look today: at this pace the error budget of {days} days does not last.",
}


def files(plan: Plan) -> Files:
    """A rule file for each category of objectives."""
    return {name: yaml_text({"groups": found}) for name, found in groups(plan).items()}


def groups(plan: Plan) -> dict[str, list[Rule]]:
    """The groups of each file."""
    found: dict[str, list[Rule]] = {}
    for objective in plan.objectives.all:
        file = found.setdefault(f"{FOLDER}/slo-{objective.category or plan.name}.yml", [])
        file += _gauge(plan, objective) if objective.kind == "gauge" else _burning(plan, objective)
    return found


def identity(plan: Plan, objective: Objective) -> dict[str, str]:
    """The labels by which all series of an objective are found."""
    category = {"category": objective.category} if objective.category else {}
    return {
        "sloth_id": f"{plan.name}-{objective.name}",
        "sloth_service": plan.name,
        "sloth_slo": objective.name,
        **category,
    }


def alert_name(objective: Objective) -> str:
    """What an alert of an objective is called."""
    ending = "Missed" if objective.kind == "gauge" else "BudgetBurns"
    return "".join(part.capitalize() for part in objective.name.split("-")) + ending


def budget(objective: Objective) -> Decimal:
    """The share that may be bad."""
    return 1 - Decimal(str(objective.target)) / 100


def _burning(plan: Plan, objective: Objective) -> Iterator[Rule]:
    labels = identity(plan, objective)
    days = plan.objectives.window_days
    named = labels["sloth_id"]
    yield _group(f"sloth-slo-sli-recordings-{named}", _indicators(plan, objective, labels, days))
    yield _group(f"sloth-slo-meta-recordings-{named}", _about(objective, labels, days))
    yield _group(f"sloth-slo-alerts-{named}", _alerts(objective, labels, days))


def _indicators(plan: Plan, objective: Objective, labels: dict[str, str], days: int) -> Iterator[Rule]:
    """What is counted, and its share of errors in each window. Without traffic there is no share."""
    good, total = (f"{name}{_at(labels)}" for name in ("slo:sli_good:rate5m", "slo:sli_total:rate5m"))
    yield _record("slo:sli_good:rate5m", f"({asked(plan, objective, objective.good)}) or vector(0)", labels)
    yield _record("slo:sli_total:rate5m", asked(plan, objective, objective.total), labels)
    for window in dict.fromkeys((*_windows(days), f"{days}d")):
        share = (
            f"1 - {good}\n/ ({total} > 0)"
            if window == "5m"
            else f"1 - sum_over_time({good}[{window}])\n/ (sum_over_time({total}[{window}]) > 0)"
        )
        yield _record(f"slo:sli_error:ratio_rate{window}", share, labels | {"sloth_window": window})


def _about(objective: Objective, labels: dict[str, str], days: int) -> Iterator[Rule]:
    """The promise, its budget, how fast that burns, and what is left of it."""
    allowed = f"on (sloth_id) group_left ()\nslo:error_budget:ratio{_at(labels)}"
    period = f"slo:sli_error:ratio_rate{days}d{_at(labels)}"
    yield _record("slo:objective:ratio", f"vector({1 - budget(objective)})", labels)
    yield _record("slo:error_budget:ratio", f"vector({budget(objective)})", labels)
    yield _record("slo:time_period:days", f"vector({days})", labels)
    yield _record("slo:current_burn_rate:ratio", f"slo:sli_error:ratio_rate5m{_at(labels)}\n/ {allowed}", labels)
    yield _record("slo:period_burn_rate:ratio", f"{period}\n/ {allowed}", labels)
    yield _record("slo:period_error_budget_remaining:ratio", f"1 - slo:period_burn_rate:ratio{_at(labels)}", labels)
    yield _record("slo:objective_met:bool", f"slo:period_burn_rate:ratio{_at(labels)} <= bool 1", labels)
    about = {"sloth_mode": "frontdesk", "sloth_objective": f"{objective.target:g}", "sloth_spec": "prometheus/v1"}
    yield _record("sloth_slo_info", "vector(1)", labels | about)


def _alerts(objective: Objective, labels: dict[str, str], days: int) -> Iterator[Rule]:
    """One alert for each call. A burn that could not happen, being more than all requests, is left out."""
    for call in SEVERITY:
        found = [
            _condition(burn, burn.factor(days) * budget(objective), labels)
            for burn in BURNS
            if burn.call == call and burn.long in _windows(days) and burn.factor(days) * budget(objective) < 1
        ]
        if found:
            yield {
                "alert": alert_name(objective),
                "expr": "\nor\n".join(found),
                "labels": {"severity": SEVERITY[call], "sloth_severity": call},
                "annotations": {
                    "summary": f"Too much is bad: {_sentence(objective)}",
                    "runbook": TOLD[call].format(days=days)
                    + " The dashboard of objectives shows what is left of it. Undo the last release if the fault began"
                    " with it, and release nothing more once the budget is spent.",
                },
            }


def _condition(burn: Burn, bound: Decimal, labels: dict[str, str]) -> str:
    at = _at(labels)
    return (
        "(\n"
        f"  max(slo:sli_error:ratio_rate{burn.short}{at} > {bound.normalize():f}) without (sloth_window)\n"
        "  and\n"
        f"  max(slo:sli_error:ratio_rate{burn.long}{at} > {bound.normalize():f}) without (sloth_window)\n"
        "  and\n"
        f"  sum_over_time(slo:sli_total:rate5m{at}[{burn.long}]) * {EVERY} >= {LEAST_REQUESTS}\n"
        ")"
    )


def _gauge(plan: Plan, objective: Objective) -> Iterator[Rule]:
    """A bound that a figure keeps: met now or not, and for what share of the days. The worst series counts."""
    labels = identity(plan, objective)
    days = plan.objectives.window_days
    worst, side = ("max", "<=") if objective.better == "lower" else ("min", ">=")
    value, met = (f"{name}{_at(labels)}" for name in ("slo:objective:value", "slo:objective_met:bool"))
    rules: Iterable[Rule] = (
        _record("slo:objective:value", f"{worst}({asked(plan, objective, objective.expression)})", labels),
        _record("slo:objective:bound", f"vector({objective.target:g})", labels),
        _record("slo:objective_met:bool", f"{value} {side} bool {objective.target:g}", labels),
        _record(f"slo:objective_met:ratio_{days}d", f"avg_over_time({met}[{days}d])", labels),
        {
            "alert": alert_name(objective),
            "expr": f"{met} == 0",
            "for": MISSED_FOR,
            "labels": {"severity": "warning", "sloth_severity": "ticket"},
            "annotations": {
                "summary": f"Not so for an hour: {_sentence(objective)}",
                "runbook": "The dashboard of objectives shows the figure (slo:objective:value) beside its bound.",
            },
        },
    )
    yield _group(f"frontdesk-gauge-{labels['sloth_id']}", rules)


def _group(name: str, rules: Iterable[Rule]) -> Rule:
    return {"name": name, "interval": f"{EVERY}s", "rules": list(rules)}


def _windows(days: int) -> list[str]:
    """The windows that fit into the period."""
    return [window for window, hours in HOURS.items() if hours <= 24 * days]


def _sentence(objective: Objective) -> str:
    return objective.description.strip() or f"{objective.name}."


def _at(labels: dict[str, str]) -> str:
    return f'{{sloth_id="{labels["sloth_id"]}"}}'


def _record(name: str, expression: str, labels: dict[str, str]) -> Rule:
    return {"record": name, "expr": expression, "labels": labels}
