"""Panels of Grafana dashboards: of the system file, and those that every system has."""

from collections.abc import Iterator, Mapping, Sequence

from frontdesk.system.layout.dashboards import Panel, Series
from frontdesk.system.layout.plan import Plan

Block = Mapping[str, object]

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
LOKI = {"type": "loki", "uid": "loki"}
COLUMNS, WIDTH, HEIGHT = 24, 12, 8  # Grafana's grid, and a panel in it
VERSION = "12.3.0"  # of the panels' options

_LINES = {"drawStyle": "line", "fillOpacity": 8, "lineWidth": 1, "showPoints": "never", "spanNulls": False}
_LAST: Block = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Mapping[str, Block] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "heatmap": {
        "calculate": False,
        "yAxis": {"axisPlacement": "left"},
        "cellGap": 1,
        "tooltip": {"mode": "single", "yHistogram": True},
    },
    "stat": {"colorMode": "background", "graphMode": "none", "reduceOptions": _LAST},
    "gauge": {"reduceOptions": _LAST, "showThresholdMarkers": True},
    "bargauge": {"displayMode": "basic", "orientation": "horizontal", "reduceOptions": _LAST},
    "table": {"showHeader": True, "cellHeight": "sm"},
    "logs": {"showTime": True, "wrapLogMessage": True, "sortOrder": "Descending", "enableLogDetails": True},
}
_AT_ONCE = frozenset({"stat", "gauge", "bargauge", "table"})  # the value now, not its course


def panel(said: Panel, *, steps: Sequence[Block] = (), least: float | None = None, most: float | None = None) -> Block:
    """A panel of the system file, or one like it. `steps` colour it; `least` and `most` bound its scale."""
    defaults: dict[str, object] = {"unit": said.unit}
    if said.kind == "timeseries":
        defaults["custom"] = _LINES
    if steps:
        defaults["thresholds"] = {"mode": "absolute", "steps": list(steps)}
        defaults["color"] = {"mode": "thresholds"}
    defaults |= {name: bound for name, bound in (("min", least), ("max", most)) if bound is not None}
    return {
        "type": said.kind,
        "title": said.title,
        **({"description": said.description} if said.description else {}),
        "datasource": PROMETHEUS,
        "targets": [_target(said.kind, number, series) for number, series in enumerate(said.series)],
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[said.kind],
        "pluginVersion": VERSION,
    }


def placed(panels: Sequence[Block]) -> list[Block]:
    """Two beside each other, row by row, each with its number."""
    each_row = COLUMNS // WIDTH
    return [
        {
            "id": place + 1,
            "gridPos": {"x": place % each_row * WIDTH, "y": place // each_row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            **block,
        }
        for place, block in enumerate(panels)
    ]


def overview_panels(plan: Plan) -> Iterator[Block]:
    """Is everything there, is it quick, does it fail, does work pile up, what does it say?"""
    services = "|".join(running.name for running in plan.services if running.service.built)
    yield panel(
        _said(
            "Services",
            "stat",
            (f'min by (job) (up{{job=~"{services}"}})', "{{job}}"),
            description="1 answers, 0 does not.",
        ),
        steps=_steps("red", (1, "green")),
    )
    yield panel(
        _said("Alerts", "table", ('ALERTS{alertstate="firing",severity!="info"}', ""), description="What fires now.")
    )
    asked = 'path!~"/health|/ready|/metrics"'
    yield panel(
        _said(
            "Requests",
            "timeseries",
            (f"sum by (job) (rate(http_requests_total{{{asked}}}[$__rate_interval]))", "{{job}}"),
            unit="reqps",
        )
    )
    yield panel(
        _said(
            "Errors",
            "timeseries",
            (f'sum by (job) (rate(http_requests_total{{{asked},status=~"5.."}}[$__rate_interval]))', "{{job}}"),
            unit="reqps",
        )
    )
    yield panel(
        _said(
            "Time to answer",
            "timeseries",
            *(
                (
                    f"histogram_quantile({share}, sum by (le) ("
                    f"rate(http_request_duration_seconds_bucket{{{asked}}}[$__rate_interval])))",
                    name,
                )
                for share, name in ((0.5, "half"), (0.95, "95 of 100"), (0.99, "99 of 100"))
            ),
            unit="s",
        )
    )
    yield panel(
        _said(
            "Work that waits",
            "timeseries",
            ("max by (queue) (queue_length)", "{{queue}}"),
            ("max by (queue) (queue_oldest_seconds)", "oldest in {{queue}}, seconds"),
        )
    )
    yield panel(
        _said(
            "Memory of the limit",
            "timeseries",
            ("frontdesk_memory_used_bytes / frontdesk_memory_limit_bytes", "{{job}} {{instance}}"),
            unit="percentunit",
        )
    )
    yield panel(
        _said(
            "Processors",
            "timeseries",
            ("sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))", "{{job}}"),
            description="Cores in use.",
        )
    )
    yield panel(
        _said(
            "Models",
            "timeseries",
            ("sum by (model) (rate(openai_tokens_used_total[$__rate_interval]))", "{{model}}, tokens per second"),
            (
                "sum by (model) (rate(frontdesk_model_failures_total[$__rate_interval]))",
                "{{model}}, failures per second",
            ),
        )
    )
    yield _errors_said(plan)


def objectives_panels(plan: Plan) -> Iterator[Block]:
    """What is promised, what is left of each budget, and how fast it goes."""
    of = f'sloth_service="{plan.name}"'
    days = plan.objectives.window_days
    colours = _steps("red", (0.1, "orange"), (0.5, "green"))
    yield panel(
        _said(
            "Left of the error budget",
            "bargauge",
            (f"slo:period_error_budget_remaining:ratio{{{of}}}", "{{sloth_slo}}"),
            unit="percentunit",
            description=f"Of {days} days. Below nothing: release only what mends.",
        ),
        steps=colours,
        most=1,
    )
    yield panel(
        _said(
            "Met now",
            "stat",
            (f"slo:objective_met:bool{{{of}}}", "{{sloth_slo}}"),
            description="1 is met, 0 is missed.",
        ),
        steps=_steps("red", (1, "green")),
    )
    yield panel(
        _said(
            "How fast budgets burn",
            "timeseries",
            (f"slo:current_burn_rate:ratio{{{of}}}", "{{sloth_slo}}"),
            description="1 spends a budget exactly over its days. 14.4 over an hour calls somebody.",
        )
    )
    yield panel(
        _said(
            "Share of errors in an hour",
            "timeseries",
            (f"slo:sli_error:ratio_rate1h{{{of}}}", "{{sloth_slo}}"),
            unit="percentunit",
        )
    )
    if any(each.kind == "gauge" for each in plan.objectives.all):
        yield panel(
            _said(
                "Figures and their bounds",
                "table",
                (f"slo:objective:value{{{of}}}", "value"),
                (f"slo:objective:bound{{{of}}}", "bound"),
            )
        )
        yield panel(
            _said(
                "Met over the days",
                "bargauge",
                (f"slo:objective_met:ratio_{days}d{{{of}}}", "{{sloth_slo}}"),
                unit="percentunit",
            ),
            steps=colours,
            least=0,
            most=1,
        )
    yield panel(
        _said(
            "Availability of each service",
            "bargauge",
            ("ai_system_availability_percentage", "{{service}} {{machine}}"),
            unit="percent",
        ),
        steps=_steps("red", (99, "orange"), (99.9, "green")),
        most=100,
    )
    yield panel(
        _said(
            "Slowest hundredth of each service",
            "timeseries",
            ("ai_system_response_time_p99_seconds", "{{service}} {{machine}}"),
            unit="s",
        )
    )


def _errors_said(plan: Plan) -> Block:
    expression = f'{{system="{plan.name}", level=~"error|critical"}}'
    return {
        "type": "logs",
        "title": "Errors that were logged",
        "datasource": LOKI,
        "targets": [{"refId": "A", "datasource": LOKI, "expr": expression, "queryType": "range"}],
        "options": _OPTIONS["logs"],
        "pluginVersion": VERSION,
    }


def _said(title: str, kind: str, *series: tuple[str, str], unit: str = "short", description: str = "") -> Panel:
    shown = [{"expression": expression, "legend": legend} for expression, legend in series]
    return Panel.model_validate(
        {"title": title, "kind": kind, "unit": unit, "series": shown, "description": description}
    )


def _target(kind: str, number: int, series: Series) -> Block:
    shape = "heatmap" if kind == "heatmap" else "table" if kind == "table" else "time_series"
    return {
        "refId": chr(ord("A") + number),
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": series.expression.strip(),
        "legendFormat": series.legend or "__auto",
        "format": shape,
        "instant": kind in _AT_ONCE,
        "range": kind not in _AT_ONCE,
    }


def _steps(first: str, *others: tuple[float, str]) -> list[Block]:
    return [{"color": first, "value": None}, *({"color": colour, "value": value} for value, colour in others)]
