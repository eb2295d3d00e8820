"""The same for a cluster with the Prometheus operator: which pods are asked, and all rules as one object."""

from collections.abc import Iterator, Mapping

from frontdesk.render.observability import rules, slo
from frontdesk.render.observability.prometheus import machine_of, metrics_port, watched
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import Plan

FILE = "kubernetes/monitoring.yaml"
ACCOUNT = "prometheus"  # the operator's and the chart's usual one

Object = Mapping[str, object]


def files(plan: Plan) -> Files:
    """The objects in one file. The right to find pods is what a Prometheus without the operator needs, too."""
    return {FILE: yaml_text(*objects(plan))}


def objects(plan: Plan) -> Iterator[Object]:
    """Monitors, rules, and the right to find the pods."""
    yield from _rights(plan)
    for running in watched(plan):
        machine = machine_of(running)
        relabel = [{"targetLabel": "machine", "replacement": machine}] if machine else []
        yield _head(plan, "monitoring.coreos.com/v1", "PodMonitor", running.name) | {
            "spec": {
                "jobLabel": "app.kubernetes.io/name",
                "selector": {
                    "matchLabels": {
                        "app.kubernetes.io/name": running.name,
                        "app.kubernetes.io/instance": plan.name,
                    }
                },
                "podMetricsEndpoints": [
                    {
                        "portNumber": metrics_port(running),
                        "path": "/metrics",
                        "interval": f"{plan.dashboards.scrape_seconds}s",
                        **({"relabelings": relabel} if relabel else {}),
                    }
                ],
            }
        }
    yield _head(plan, "monitoring.coreos.com/v1", "PrometheusRule", f"{plan.name}-rules") | {
        "spec": {"groups": list(_groups(plan))}
    }


def _groups(plan: Plan) -> Iterator[object]:
    for found in (*rules.groups(plan).values(), *slo.groups(plan).values()):
        yield from found


def _rights(plan: Plan) -> Iterator[Object]:
    name = f"{plan.name}-monitoring"
    group = "rbac.authorization.k8s.io"
    yield _head(plan, f"{group}/v1", "Role", name) | {
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    }
    yield _head(plan, f"{group}/v1", "RoleBinding", name) | {
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": plan.deployment.monitoring_namespace}],
    }


def _head(plan: Plan, api: str, kind: str, name: str) -> dict[str, object]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": plan.deployment.namespace,
            "labels": {"app.kubernetes.io/part-of": plan.name},
        },
    }
