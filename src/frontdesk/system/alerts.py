"""The section `alerts` of the system file: what should call a person, and what that person does then."""

from typing import Literal

from pydantic import Field

from frontdesk.system.section import Section

DURATION = r"(\d+(ms|[smhdwy]))+"  # as Prometheus writes it


class Alert(Section):
    """One alert, as Prometheus takes it."""

    name: str = Field(pattern=r"^[A-Z][A-Za-z0-9]*$", description="What it is called; unique.")
    severity: Literal["critical", "warning", "info"] = Field(
        description="Whether it wakes somebody, waits for the morning, or only marks the time line."
    )
    expression: str = Field(min_length=1, description="What must be true, in PromQL.")
    lasting: str = Field(
        default="0s", alias="for", pattern=f"^{DURATION}$", description="How long it must be true, like `5m`."
    )
    summary: str = Field(min_length=1, description="One sentence that says what is wrong.")
    runbook: str = Field(min_length=1, description="What to look at and what to do, in a few sentences.")
    quiets: tuple[str, ...] = Field(
        default=(), description="Alerts that say the same more mildly: nobody is told of them while this one fires."
    )


class AlertsOptions(Section):
    """Alerts on the desk's metrics. `frontdesk render observability` writes them for Prometheus."""

    group: str = Field(default="frontdesk", min_length=1, description="What Prometheus calls them together.")
    interval: str = Field(
        default="", pattern=f"^({DURATION})?$", description="How often they are looked at; empty: Prometheus' own."
    )
    rules: tuple[Alert, ...] = Field(default=(), description="Every alert.")
