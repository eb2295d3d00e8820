"""Prometheus: the alerts as a rule file."""

from collections.abc import Sequence

import yaml

from frontdesk.system.alerts import Alert

RULES = "alerts.yml"


def alert_rules(alerts: Sequence[Alert], *, group: str) -> dict[str, str]:
    """One group of alerting rules (prometheus.io/docs/prometheus/latest/configuration/alerting_rules), by file name."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression.strip(),
            **({} if alert.lasting == "0s" else {"for": alert.lasting}),
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary.strip(), "runbook": alert.runbook.strip()},
        }
        for alert in alerts
    ]
    text = yaml.safe_dump({"groups": [{"name": group, "rules": rules}]}, sort_keys=False, width=110, allow_unicode=True)
    return {RULES: text}
