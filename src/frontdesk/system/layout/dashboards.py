"""The section `dashboards`: what operators look at, and how Prometheus comes by it."""

from typing import Literal

from pydantic import Field, PositiveInt

from frontdesk.system.section import Section


class Series(Section):
    """One query and how its lines are called."""

    expression: str = Field(min_length=1, description="PromQL; `$__rate_interval` is Grafana's.")
    legend: str = Field(default="", description="Like `{{method}} {{path}}`.")


class Panel(Section):
    """One picture."""

    title: str = Field(description="What stands above it.")
    kind: Literal["timeseries", "heatmap", "stat", "gauge", "bargauge", "table"] = Field(
        default="timeseries", description="Which picture it is, by Grafana's word."
    )
    unit: str = Field(default="short", description="Grafana's name of the unit: `s`, `percentunit`, `reqps`, `bytes`.")
    series: tuple[Series, ...] = Field(min_length=1, description="The queries that it draws.")
    description: str = Field(default="", description="What one should know who reads it.")


class Dashboard(Section):
    """One page of pictures."""

    title: str = Field(description="What it is called.")
    uid: str = Field(pattern=r"^[a-z0-9-]{1,40}$", description="Part of its address.")
    panels: tuple[Panel, ...] = Field(min_length=1, description="Its pictures, in order.")


class DashboardsOptions(Section):
    """Dashboards, and how figures, logs and traces are gathered."""

    all: tuple[Dashboard, ...] = Field(default=(), alias="list", description="Every dashboard.")
    scrape_seconds: PositiveInt = Field(default=15, description="How often metrics are fetched and rules looked at.")
    keep_days: PositiveInt = Field(default=30, description="How long Prometheus keeps them.")
    logs_days: PositiveInt = Field(default=14, description="How long Loki keeps logs.")
    trace_percent: float = Field(default=10, ge=0, le=100, description="How many of 100 traces are kept.")
    grafana_port: PositiveInt = Field(default=3000, description="Where Grafana is reached on one host.")
    alerts_to: str = Field(
        default="",
        description="The variable that holds the address alerts are posted to; empty: shown, told to nobody.",
    )
