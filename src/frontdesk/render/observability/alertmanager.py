"""Alertmanager: critical calls somebody, a warning waits, info only marks the time line of Grafana."""

from collections.abc import Mapping

from frontdesk.render.target import Files, yaml_text
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.layout.plan import SECRETS, Plan

FILE = "alertmanager/alertmanager.yml"
PAGE, TICKET, NOBODY = "page", "ticket", "nobody"

_TOLD_NOBODY = (
    "# Nobody is told of any alert: `dashboards.alerts_to` in the system file names no variable with an address.\n"
)

Block = Mapping[str, object]


def files(plan: Plan) -> Files:
    """The configuration. The address of the webhook stands in a file, never here."""
    said = {
        "global": {"resolve_timeout": "5m"},
        "route": _route(),
        "inhibit_rules": _inhibitions(plan),
        "receivers": [_receiver(PAGE, plan), _receiver(TICKET, plan), {"name": NOBODY}],
    }
    return {FILE: ("" if plan.dashboards.alerts_to else _TOLD_NOBODY) + yaml_text(said)}


def _route() -> Block:
    return {
        "receiver": TICKET,  # what has no severity is looked at, too
        "group_by": ["alertname", "job", "sloth_id"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            {"matchers": ['severity="critical"'], "receiver": PAGE, "group_wait": "10s", "repeat_interval": "1h"},
            {"matchers": ['severity="warning"'], "receiver": TICKET, "group_wait": "5m"},
            {"matchers": ['severity="info"'], "receiver": NOBODY},
        ],
    }


def _inhibitions(plan: Plan) -> list[Block]:
    """Who says the same more mildly is not told beside it: of one service, one process, one objective."""
    budget: Block = {
        "source_matchers": ['sloth_severity="page"'],
        "target_matchers": ['sloth_severity="ticket"'],
        "equal": ["sloth_id"],
    }
    return [
        budget,
        *(
            {
                "source_matchers": [f'alertname="{alert.name}"'],
                "target_matchers": [f'alertname=~"{"|".join(alert.quiets)}"'],
                "equal": ["job", "instance"],
            }
            for alert in plan.system.section(AlertsOptions).rules
            if alert.quiets
        ),
    ]


def _receiver(name: str, plan: Plan) -> Block:
    """A webhook (prometheus.io/docs/alerting/latest/configuration/#webhook_config); `url_file` since version 0.26."""
    if not plan.dashboards.alerts_to:
        return {"name": name}
    hook = {"url_file": f"{SECRETS}/{plan.dashboards.alerts_to}", "send_resolved": True, "max_alerts": 50}
    return {"name": name, "webhook_configs": [hook]}
