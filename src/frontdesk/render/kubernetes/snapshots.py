"""Snapshots of the stores' volumes every week. They are the one thing here that asks the API server, so that this job
alone has a role: it may make and remove snapshots in its own namespace, and nothing else."""

from frontdesk.render.kubernetes.accounts import account
from frontdesk.render.kubernetes.naming import head, namespace
from frontdesk.render.kubernetes.pods import container_security, image, pod, scratch
from frontdesk.render.kubernetes.stateful import claim_of, running_stores, set_name
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.kubernetes.workloads import DESK, HOME, TEMPORARY, WAITING, resources
from frontdesk.system.home import CONTAINER_HOME
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Storage

GROUP = "snapshot.storage.k8s.io"
SCHEDULE = "0 3 * * 0"  # Sundays, an hour after the backup
API_PORTS = (443, 6443)  # of the API server: as a service, and as policies see it


def name(plan: Plan) -> str:
    """The job's name."""
    return f"{plan.name}-snapshots"


def claims(plan: Plan) -> dict[str, Storage]:
    """The volume claims that are snapshotted, each with what is said of it."""
    found = {store.name: store.storage for store in running_stores(plan).values() if store.storage.snapshot_class}
    return {claim_of(set_name(server)): storage for server, storage in found.items()}


def objects(plan: Plan) -> list[Object]:
    """Account, role and the job; nothing where no store names a class of snapshots."""
    if not claims(plan):
        return []
    return [account(plan, name(plan)), *_rights(plan), _job(plan)]


def _rights(plan: Plan) -> list[Object]:
    api = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [GROUP], "resources": ["volumesnapshots"], "verbs": ["create", "list", "delete"]}]
    role = head(plan, f"{api}/v1", "Role", name(plan)) | {"rules": rules}
    binding = head(plan, f"{api}/v1", "RoleBinding", name(plan)) | {
        "roleRef": {"apiGroup": api, "kind": "Role", "name": name(plan)},
        "subjects": [{"kind": "ServiceAccount", "name": name(plan), "namespace": namespace(plan)}],
    }
    return [role, binding]


def _job(plan: Plan) -> Object:
    words = [f"{claim}={storage.snapshot_class}:{storage.snapshots}" for claim, storage in claims(plan).items()]
    first = plan.services[0]
    container: Object = {
        "name": "snapshots",
        "image": image(plan, first.service.image or first.name),
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "frontdesk.operate.snapshots", *words],
        "resources": resources(WAITING, "snapshots"),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — of the container
            {"name": "home", "mountPath": CONTAINER_HOME},
        ],
    }
    template = pod(
        plan,
        name(plan),
        identity=DESK,
        containers=[container],
        volumes=[scratch("tmp", TEMPORARY), scratch("home", HOME)],
        restart="OnFailure",
        token=True,
    )
    job = {"backoffLimit": 3, "activeDeadlineSeconds": 600, "template": template}
    return head(plan, "batch/v1", "CronJob", name(plan)) | {
        "spec": {
            "schedule": value(SCHEDULE, "snapshots", "schedule"),
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 1,
            "jobTemplate": {"spec": job},
        }
    }
