"""The jobs that make a backup every day, in a volume and, where the system says so, in a second place, and read all of
them again every week."""

from collections.abc import Sequence

from frontdesk.render.kubernetes import config, secrets
from frontdesk.render.kubernetes.accounts import account
from frontdesk.render.kubernetes.naming import config_name, head
from frontdesk.render.kubernetes.pods import container_security, image, pod
from frontdesk.render.kubernetes.stateful import running_stores, set_name
from frontdesk.render.kubernetes.values import Object, Value, value
from frontdesk.render.kubernetes.workloads import DESK, environment_of, mounts, resources, volumes
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import Plan, Running, required_secrets
from frontdesk.system.layout.quantities import bytes_text
from frontdesk.system.layout.services import Resources, amounts
from frontdesk.system.layout.stores import Postgres

FOLDER = "/backups"
CLAIM = "backup-pvc"
WORKS = ("all", "web", "worker")  # roles that know the desk's stores
NEEDED = Resources(requests=amounts("250m", "512Mi"), limits=amounts("1", "1Gi"))
LONGEST = 6 * 60 * 60  # seconds; one that takes longer hangs
VERIFIED = "0 4 * * 0"  # Sundays, after that day's backup and snapshots
LEAST = 10 * 2**30  # bytes of the volume, where no database says how large it may grow


def wanted(plan: Plan) -> bool:
    """Whether there is anything to keep, and a time for it."""
    return bool(_options(plan).at) and any(running.service.role in WORKS for running in plan.services)


def name(plan: Plan) -> str:
    """What makes them is called so."""
    return f"{plan.name}-backup"


def verifier(plan: Plan) -> str:
    """What reads them again is called so. It tells the database what it found, as every process shows it from there."""
    return f"{plan.name}-verify"


def to_bucket(plan: Plan) -> bool:
    """Whether the second place is a bucket."""
    return _options(plan).remote.startswith("s3://")


def model(plan: Plan) -> Running:
    """A service whose image, variables and secrets know all of the desk's stores."""
    return max(
        (running for running in plan.services if running.service.role in WORKS),
        key=lambda running: sum(need in plan.stores for need in (*running.service.needs, *running.service.calls)),
    )


def objects(plan: Plan) -> list[Object]:
    """Accounts, volumes and the jobs."""
    if not wanted(plan):
        return []
    claims = [_claim(plan, CLAIM)]
    if _second_folder(plan):
        claims.append(_claim(plan, f"{CLAIM}-remote"))
    hour, minute = (int(part) for part in _options(plan).at.split(":"))
    daily = value(f"{minute} {hour} * * *", "backup", "schedule")
    weekly = value(VERIFIED, "backup", "verify")
    return [
        *(account(plan, each) for each in (name(plan), verifier(plan))),
        *claims,
        _job(plan, name(plan), daily, ("create",)),
        _job(plan, verifier(plan), weekly, ("verify", "--all", *(["--record"] if "postgres" in plan.stores else []))),
    ]


def _options(plan: Plan) -> BackupOptions:
    return plan.system.section(BackupOptions)


def _second_folder(plan: Plan) -> str:
    remote = _options(plan).remote
    return remote if remote.startswith("/") else ""


def _claim(plan: Plan, claim: str) -> Object:
    found = head(
        plan, "v1", "PersistentVolumeClaim", claim, name(plan), annotations={"helm.sh/resource-policy": "keep"}
    )
    largest = max((store.storage.size for store in plan.stores.values()), default=LEAST)
    size = _options(plan).storage or largest
    return found | {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": value(bytes_text(size), "backup", "storage")}},
        }
    }


def _job(plan: Plan, called: str, schedule: Value, words: Sequence[str]) -> Object:
    template: Object = {
        "backoffLimit": 3,
        "activeDeadlineSeconds": LONGEST,
        "ttlSecondsAfterFinished": 7 * 24 * 60 * 60,
        "template": _pod(plan, called, words),
    }
    spec: Object = {
        "schedule": schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 3600,
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": template},
    }
    return head(plan, "batch/v1", "CronJob", called) | {"spec": spec}


def reached(plan: Plan) -> dict[str, tuple[str, int]]:
    """The pods and ports of stores that the job needs: the servers, past any pooler, and the database's copies."""
    running = model(plan)
    wanted = {*running.service.needs, *running.service.calls}
    stores = {key: store for key, store in running_stores(plan).items() if key in wanted}
    found = {key: (set_name(store.name), store.port) for key, store in stores.items()}
    if (store := stores.get("postgres")) and store.replicas:
        found["copies"] = (set_name(store.replica_name), store.port)
    return found


def told(plan: Plan) -> dict[str, tuple[str, int]]:
    """Of those, what the job that reads backups again needs: where the audit log is written."""
    return {key: place for key, place in reached(plan).items() if key == "postgres"}


def _database(plan: Plan) -> dict[str, str]:
    """A dump is one long session, which a pooler of transactions cannot give; where there are copies, one is read."""
    store = running_stores(plan).get("postgres")
    if not isinstance(store, Postgres) or "postgres" not in reached(plan):
        return {}
    server = {"DB_HOST": store.name, "DB_PORT": str(store.port)} if store.pooler else {}
    return server | ({"BACKUP_DB_HOST": store.replica_name} if store.replicas else {})


def _pod(plan: Plan, called: str, words: Sequence[str]) -> Object:
    running = model(plan)
    needed = required_secrets(plan.system, plan.stores)
    own = [secret for secret in running.secrets if secret in needed]
    places: dict[str, tuple[str, str]] = {"backups": (FOLDER, CLAIM)}
    if second := _second_folder(plan):
        places["remote"] = (second, f"{CLAIM}-remote")
    container: Object = {
        "name": "backup",
        "image": image(plan, running.service.image or running.name),
        "imagePullPolicy": "IfNotPresent",
        "command": ["frontdesk", "backup", *words],
        "envFrom": [{"configMapRef": {"name": config_name(plan)}}],
        "env": environment_of(
            plan,
            {**running.variables, **_database(plan), "BACKUP_FOLDER": FOLDER},
            tuple(dict.fromkeys((*own, *secrets.backup_names(plan)))),
            "backup",
        ),
        "resources": resources(NEEDED, "backup"),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [*mounts(), *({"name": each, "mountPath": path} for each, (path, _) in places.items())],
    }
    claims: list[Object] = [
        {"name": each, "persistentVolumeClaim": {"claimName": claim}} for each, (_, claim) in places.items()
    ]
    return pod(
        plan,
        called,
        identity=DESK,
        containers=[container],
        volumes=[*volumes(plan, running.service), *claims],
        annotations={"checksum/config": config.checksum(plan)},
        restart="OnFailure",
    )
