"""Prometheus: the alerts as a rule file."""

import yaml

from frontdesk.system.alerts import AlertsOptions

RULES = "alerts.yml"


def alert_rules(options: AlertsOptions) -> dict[str, str]:
    """One group of alerting rules (prometheus.io/docs/prometheus/latest/configuration/alerting_rules), by file name."""
    rules = [
        {
            "alert": alert.name,
            "expr": alert.expression.strip(),
            **({} if alert.lasting == "0s" else {"for": alert.lasting}),
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary.strip(), "runbook": alert.runbook.strip()},
        }
        for alert in options.rules
    ]
    group = {"name": options.group} | ({"interval": options.interval} if options.interval else {}) | {"rules": rules}
    text = yaml.safe_dump({"groups": [group]}, sort_keys=False, width=110, allow_unicode=True)
    return {RULES: text}
