"""An identity for each service and store. None of them asks the API server, so none has a role or a token."""

from frontdesk.render.kubernetes.naming import head
from frontdesk.render.kubernetes.values import Object
from frontdesk.system.layout.plan import Plan


def account(plan: Plan, name: str) -> Object:
    """The service account of `name`, without a token in its pods, and with what fetches their images."""
    found = head(plan, "v1", "ServiceAccount", name) | {"automountServiceAccountToken": False}
    pull = plan.deployment.images.pull_secret
    return found | ({"imagePullSecrets": [{"name": pull}]} if pull else {})


def objects(plan: Plan) -> list[Object]:
    """The accounts of the services; stores and jobs bring their own."""
    return [account(plan, running.name) for running in plan.services]
