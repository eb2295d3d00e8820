"""The namespace, what it may use up, and what containers get that say nothing."""

from frontdesk.render.kubernetes.naming import head, labels, namespace
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.system.layout.deployment import Quota
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.quantities import bytes_text, cores_text
from frontdesk.system.layout.services import Amounts

STANDARD = "restricted"  # the strictest of kubernetes.io/docs/concepts/security/pod-security-standards
MODES = ("enforce", "audit", "warn")
INJECTION = {"ambient": ("istio.io/dataplane-mode", "ambient"), "sidecar": ("istio-injection", "enabled")}


def objects(plan: Plan) -> list[Object]:
    """Namespace, limit range and, where the system says one, quota."""
    found = [_namespace(plan), _limits(plan)]
    if plan.deployment.quota:
        found.insert(1, _quota(plan, plan.deployment.quota))
    return found


def amount(amounts: Amounts) -> dict[str, str]:
    """CPU, memory and scratch disk as Kubernetes writes them; what is not said is left out."""
    found: dict[str, str] = {}
    if amounts.cpu:
        found["cpu"] = cores_text(amounts.cpu)
    if amounts.memory:
        found["memory"] = bytes_text(amounts.memory)
    if amounts.scratch:
        found["ephemeral-storage"] = bytes_text(amounts.scratch)
    return found


def _namespace(plan: Plan) -> Object:
    own: Object = {f"pod-security.kubernetes.io/{mode}": STANDARD for mode in MODES}
    own |= {f"pod-security.kubernetes.io/{mode}-version": "latest" for mode in MODES}
    own["environment"] = value(plan.environment, "namespace", "environment")
    if plan.edge.mesh:
        label, enabled = INJECTION[plan.edge.mesh.injection]
        own[label] = enabled
    own |= plan.deployment.namespace_labels
    metadata: Object = {
        "name": namespace(plan),
        "labels": {**labels(plan, plan.name), **own},
        "annotations": {"helm.sh/resource-policy": "keep"},  # a chart that is taken away leaves the data
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _quota(plan: Plan, quota: Quota) -> Object:
    hard = {
        "requests.cpu": quota.requests_cpu and cores_text(quota.requests_cpu),
        "requests.memory": quota.requests_memory and bytes_text(quota.requests_memory),
        "limits.cpu": quota.limits_cpu and cores_text(quota.limits_cpu),
        "limits.memory": quota.limits_memory and bytes_text(quota.limits_memory),
        "requests.nvidia.com/gpu": quota.gpus and str(quota.gpus),
        "persistentvolumeclaims": quota.volume_claims and str(quota.volume_claims),
        "services.loadbalancers": quota.load_balancers and str(quota.load_balancers),
        "secrets": quota.secrets and str(quota.secrets),
        "configmaps": quota.config_maps and str(quota.config_maps),
    }
    said = value({name: bound for name, bound in hard.items() if bound}, "quota")
    return head(plan, "v1", "ResourceQuota", f"{plan.name}-quota", plan.name) | {"spec": {"hard": said}}


def _limits(plan: Plan) -> Object:
    bounds: Object = {
        "type": "Container",
        "defaultRequest": value(amount(plan.deployment.default_requests), "limits", "defaultRequest"),
        "default": value(amount(plan.deployment.default_limits), "limits", "default"),
    }
    return head(plan, "v1", "LimitRange", f"{plan.name}-limits", plan.name) | {"spec": {"limits": [bounds]}}
