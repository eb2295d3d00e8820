"""The secret: from a store, sealed, or a template to be filled. Values of secrets are never rendered."""

from frontdesk.render.kubernetes.naming import head, namespace, secret_name
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.store_commands import POSTGRES_SECRET, REDIS_SECRET
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import SECRETS, Plan
from frontdesk.system.layout.stores import Postgres, Redis

FILE = "11-secrets.yaml"
TEMPLATE = "secrets-template.yaml"  # to be filled and applied by hand: applied again, it would empty the secret
BUCKET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
REPLICATION = "DB_REPLICATION_PASSWORD"


def names(plan: Plan) -> tuple[str, ...]:
    """Every variable that the secret holds: the services', the stores' and the backup's, in a steady order."""
    found = [*plan.secrets, *backup_names(plan)]
    for store in plan.stores.values():
        if isinstance(store, Postgres) and not store.managed:
            found += [POSTGRES_SECRET, *([REPLICATION] if store.replicas else [])]
        if isinstance(store, Redis) and not store.managed:
            found.append(REDIS_SECRET)
    return tuple(dict.fromkeys(found))


def backup_names(plan: Plan) -> tuple[str, ...]:
    """What the backup job needs beyond the desk's own secrets."""
    backup = plan.system.section(BackupOptions)
    return ("BACKUP_KEY", *(BUCKET if backup.remote.startswith("s3://") else ()))


def objects(plan: Plan) -> list[Object]:
    """What makes the secret in the cluster; nothing where it is filled by hand."""
    kind = plan.deployment.secrets_from
    return [_external(plan)] if kind == "external" else [_sealed(plan)] if kind == "sealed" else []


def template(plan: Plan) -> Object:
    """The secret with an empty value for each name."""
    found = head(plan, "v1", "Secret", secret_name(plan), plan.name) | {"type": "Opaque"}
    return found | {"stringData": dict.fromkeys(names(plan), "")}


def comment(plan: Plan) -> str:
    """What a person must do about it."""
    name, space = plan.secret_name, plan.deployment.namespace
    if plan.deployment.secrets_from == "sealed":
        return (
            f"Sealed with the cluster's certificate by: kubectl create secret generic {name} --namespace {space} "
            f"--from-env-file=secrets.env --dry-run=client -o yaml | kubeseal -o yaml --merge-into {FILE}"
        )
    if plan.deployment.secrets_from == "external":
        return f"The secret {name}, read from the store {plan.deployment.external_secrets.store}."
    return f"Fill every value, then: kubectl apply -f {TEMPLATE}. Keep it out of version control."


def reference(plan: Plan, name: str) -> Object:
    """A variable of a container that comes from the secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name(plan), "key": name}}}


def volume(plan: Plan, *wanted: str) -> Object:
    """A volume with a file for each of these names; readable by the pod's group."""
    items = [{"key": name, "path": name} for name in wanted]
    return {"name": "secrets", "secret": {"secretName": secret_name(plan), "defaultMode": 0o440, "items": items}}


def mount() -> Object:
    """Where a container finds those files."""
    return {"name": "secrets", "mountPath": SECRETS, "readOnly": True}


def _external(plan: Plan) -> Object:
    store = plan.deployment.external_secrets
    data = [{"secretKey": name, "remoteRef": {"key": f"{store.prefix}{name}"}} for name in names(plan)]
    spec: Object = {
        "refreshInterval": "1h",
        "secretStoreRef": {"kind": "ClusterSecretStore", "name": value(store.store, "secrets", "store")},
        "target": {"name": secret_name(plan), "creationPolicy": "Owner", "deletionPolicy": "Retain"},
        "data": value(data, "secrets", "data"),
    }
    return head(plan, "external-secrets.io/v1", "ExternalSecret", secret_name(plan), plan.name) | {"spec": spec}


def _sealed(plan: Plan) -> Object:
    spec: Object = {
        "encryptedData": value(dict.fromkeys(names(plan), ""), "secrets", "sealed"),
        "template": {
            "type": "Opaque",
            "metadata": {"name": secret_name(plan), "namespace": namespace(plan)},
        },
    }
    return head(plan, "bitnami.com/v1alpha1", "SealedSecret", secret_name(plan), plan.name) | {"spec": spec}
