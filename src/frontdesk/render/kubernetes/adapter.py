"""How autoscalers come by the desk's own metrics: rules of prometheus-adapter, which makes metrics of a cluster out of
series (github.com/kubernetes-sigs/prometheus-adapter, docs/config.md). It runs beside Prometheus."""

from collections.abc import Iterator

from frontdesk.render.kubernetes.naming import head
from frontdesk.render.kubernetes.scaling import external_name
from frontdesk.render.kubernetes.values import Object
from frontdesk.render.target import yaml_text
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.proofs.measures import names_in
from frontdesk.system.layout.services import OwnTarget

FILE = "metrics-adapter.yaml"
OF_PODS = {"overrides": {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}}
BY_ITSELF = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"


def objects(plan: Plan) -> list[Object]:
    """Its configuration; nothing where no service scales by a metric of its own."""
    own, external = list(_rules(plan, "replica")), list(_rules(plan, "service"))
    if not own and not external:
        return []
    rules = {key: found for key, found in (("rules", own), ("externalRules", external)) if found}
    space = plan.deployment.monitoring_namespace
    found = head(plan, "v1", "ConfigMap", name(plan), plan.name, where=space)
    return [found | {"data": {"config.yaml": yaml_text(rules)}}]


def name(plan: Plan) -> str:
    """The config map's name."""
    return f"{plan.name}-metrics-adapter"


def comment(plan: Plan) -> str:
    """What to do with it."""
    return (
        f"Metrics that replicas are added by. Apply it where Prometheus runs, then: helm upgrade --install "
        f"prometheus-adapter prometheus-community/prometheus-adapter --set rules.existing={name(plan)}"
    )


def _rules(plan: Plan, per: str) -> Iterator[Object]:
    for running in plan.services:
        for target in running.service.scaling.own if running.service.scaling else ():
            if target.per == per:
                yield _of_replicas(target) if per == "replica" else _of_service(running, target)


def _of_replicas(target: OwnTarget) -> Object:
    series = _series(target)
    return {
        "seriesQuery": f'{{__name__="{series}",namespace!="",pod!=""}}',
        "resources": OF_PODS,
        "name": {"matches": f"^{series}$", "as": target.metric},
        "metricsQuery": target.expression or BY_ITSELF,
    }


def _of_service(running: Running, target: OwnTarget) -> Object:
    series = _series(target)
    return {
        "seriesQuery": f'{{__name__="{series}"}}',
        "resources": {"namespaced": False},
        "name": {"matches": f"^{series}$", "as": external_name(running, target)},
        "metricsQuery": target.expression or "max(<<.Series>>{<<.LabelMatchers>>})",
    }


def _series(target: OwnTarget) -> str:
    """The series that must be there for the metric to be: the first one that its expression reads."""
    return min(names_in(target.expression), key=target.expression.index, default=target.metric)
