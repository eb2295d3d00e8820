"""PostgreSQL: a primary, copies that stream from it, and a pooler where the services' connections would be too many."""

from frontdesk.render.kubernetes import secrets
from frontdesk.render.kubernetes.accounts import account
from frontdesk.render.kubernetes.naming import head, selector
from frontdesk.render.kubernetes.pods import Identity, container_security, places, pod, scratch
from frontdesk.render.kubernetes.scaling import budget
from frontdesk.render.kubernetes.stateful import config_map, config_sum, names_of, probes, set_name, stateful_set
from frontdesk.render.kubernetes.values import Object, value
from frontdesk.render.kubernetes.workloads import resources, service
from frontdesk.render.store_commands import (
    OPEN_FILES,
    POOLER_USER,
    POSTGRES_DATA,
    POSTGRES_SECRET,
    pooler_configuration,
    pooler_script,
    postgres_command,
    postgres_question,
    postgres_user,
    shared_memory,
)
from frontdesk.system.layout.plan import SECRETS, Plan
from frontdesk.system.layout.services import Placement
from frontdesk.system.layout.stores import Pooler, Postgres

PORT = "postgres"
FILES = "/etc/postgresql"
DATA = f"{POSTGRES_DATA}/pgdata"  # below the mount, so that the server's user may make it
RUN = "/var/run/postgresql"
GRACE = 120  # seconds for the last checkpoint
READING = 1800  # seconds that a copy may fall behind while a backup reads it
MEGABYTE = 2**20

ACCESS = """\
# type  database     user  address  method
local   all          all            scram-sha-256
host    all          all   all      scram-sha-256
host    replication  {replicator}   all      scram-sha-256
"""

REPLICATOR = """\
psql --set=ON_ERROR_STOP=1 --set=name="$REPLICATION_USER" --set=password="$(cat {password})" \\
  --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE :"name" WITH REPLICATION LOGIN PASSWORD :'password';
SQL
"""

COPY = """\
set -eu
[ -s "$PGDATA/PG_VERSION" ] && exit 0
slot="replica_${HOSTNAME##*-}"
PGPASSWORD="$(cat "$REPLICATION_PASSWORD_FILE")"
export PGPASSWORD
copy() {
  rm -rf "$PGDATA.new"
  pg_basebackup --host="$PRIMARY_HOST" --port="$PRIMARY_PORT" --username="$REPLICATION_USER" --no-password \\
    --pgdata="$PGDATA.new" --wal-method=stream --checkpoint=fast --write-recovery-conf --slot="$slot" "$@"
}
copy --create-slot || copy
chmod 0700 "$PGDATA.new"
mv "$PGDATA.new" "$PGDATA"
"""


def primary(store: Postgres) -> str:
    """The primary's StatefulSet."""
    return set_name(store.name)


def replica(store: Postgres) -> str:
    """The copies' StatefulSet."""
    return set_name(store.replica_name)


def objects(plan: Plan, store: Postgres) -> list[Object]:
    """Everything of the server, its copies and its pooler."""
    name = primary(store)
    found = [
        account(plan, name),
        config_map(plan, name, _files(store)),
        _set(plan, store, name, replicas=1),
        *names_of(plan, name, (store.name, *store.names), PORT, store.port),
    ]
    if store.replicas:
        copies = replica(store)
        found += [
            account(plan, copies),
            _set(plan, store, copies, replicas=store.replicas, copying=True),
            *names_of(plan, copies, (store.replica_name,), PORT, store.port),
        ]
    return found + (_pooler(plan, store, store.pooler) if store.pooler else [])


def _files(store: Postgres) -> dict[str, str]:
    found: dict[str, str] = {"pg_hba.conf": ACCESS.format(replicator=store.replication_user)}
    if store.replicas:
        found |= {
            "10-replicator.sh": REPLICATOR.format(password=f"{SECRETS}/{secrets.REPLICATION}"),
            "copy.sh": COPY,
        }
    return found


def _set(plan: Plan, store: Postgres, name: str, *, replicas: int, copying: bool = False) -> Object:
    user, group = postgres_user(store)
    wanted = (POSTGRES_SECRET, *((secrets.REPLICATION,) if store.replicas else ()))
    template = pod(
        plan,
        name,
        identity=Identity(user=user, group=group),
        before=[_copier(store)] if copying else [],
        containers=[_server(store, name, copying=copying)],
        volumes=[
            {"name": "files", "configMap": {"name": f"{primary(store)}-config"}},
            secrets.volume(plan, *wanted),
            scratch("run", 16 * MEGABYTE),
            scratch("tmp", 256 * MEGABYTE),
            scratch("shared-memory", shared_memory(store), in_memory=True),
        ],
        annotations=config_sum(_files(store)),
        placed=places(plan, name, store.host, store.placement),
        grace=GRACE,
    )
    return stateful_set(plan, name, replicas=replicas, storage=store.storage, template=template, key="postgres")


def _server(store: Postgres, name: str, *, copying: bool) -> Object:
    more = ["listen_addresses=*", f"port={store.port}", f"hba_file={FILES}/pg_hba.conf"]
    if store.replicas:  # a copy that is away may not fill the disk
        more.append(f"max_slot_wal_keep_size={max(1024, store.storage.size // 4 // MEGABYTE)}MB")
    if copying:  # a backup that reads it is not broken off
        more += ["hot_standby_feedback=on", f"max_standby_streaming_delay={READING}s"]
    command = [*postgres_command(store), *(part for setting in more for part in ("-c", setting))]
    env: list[Object] = [
        {"name": "PGDATA", "value": DATA},
        {"name": "POSTGRES_DB", "value": store.database},
        {"name": "POSTGRES_USER", "value": store.user},
        {"name": "POSTGRES_PASSWORD_FILE", "value": f"{SECRETS}/{POSTGRES_SECRET}"},
    ]
    mounts = _mounts(name)
    if store.replicas and not copying:
        env.append({"name": "REPLICATION_USER", "value": store.replication_user})
        script = "10-replicator.sh"
        mounts.append(
            {"name": "files", "mountPath": f"/docker-entrypoint-initdb.d/{script}", "subPath": script, "readOnly": True}
        )
    return {
        "name": "postgres",
        "image": value(store.image, "stores", "postgres", "image"),
        "imagePullPolicy": "IfNotPresent",
        "args": command,
        "ports": [{"name": PORT, "containerPort": store.port, "protocol": "TCP"}],
        "env": env,
        "resources": resources(store.resources, "stores", "postgres"),
        **probes(postgres_question(store), first=600),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": mounts,
    }


def _copier(store: Postgres) -> Object:
    """Copies the primary's data when there are none yet; a copy that was cut off begins anew."""
    return {
        "name": "copy-primary",
        "image": value(store.image, "stores", "postgres", "image"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["bash", f"{FILES}/copy.sh"],
        "env": [
            {"name": "PGDATA", "value": DATA},
            {"name": "PRIMARY_HOST", "value": store.name},
            {"name": "PRIMARY_PORT", "value": str(store.port)},
            {"name": "REPLICATION_USER", "value": store.replication_user},
            {"name": "REPLICATION_PASSWORD_FILE", "value": f"{SECRETS}/{secrets.REPLICATION}"},
        ],
        "resources": resources(store.resources, "stores", "postgres"),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": _mounts(replica(store)),
    }


def _mounts(name: str) -> list[Object]:
    return [
        {"name": f"{name}-storage", "mountPath": POSTGRES_DATA},
        {"name": "files", "mountPath": FILES, "readOnly": True},
        secrets.mount(),
        {"name": "run", "mountPath": RUN},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — of the container
        {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 — of the container
    ]


def _pooler(plan: Plan, store: Postgres, pooler: Pooler) -> list[Object]:
    """Each replica holds its part of the connections, so that together they keep the server's limit."""
    part = pooler.model_copy(update={"server_connections": max(1, pooler.server_connections // pooler.replicas)})
    files = "/etc/pgbouncer"
    configuration = {"pgbouncer.ini": pooler_configuration(part, store, store.name)}
    container: Object = {
        "name": pooler.name,
        "image": value(pooler.image, "stores", "pooler", "image"),
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", OPEN_FILES + pooler_script(store, f"{files}/pgbouncer.ini")],
        "ports": [{"name": "pooler", "containerPort": pooler.port, "protocol": "TCP"}],
        "resources": resources(pooler.resources, "stores", "pooler"),
        "livenessProbe": {"tcpSocket": {"port": "pooler"}, "periodSeconds": 10, "failureThreshold": 3},
        "readinessProbe": {"tcpSocket": {"port": "pooler"}, "periodSeconds": 5, "failureThreshold": 3},
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "files", "mountPath": files, "readOnly": True},
            secrets.mount(),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 — of the container
        ],
    }
    template = pod(
        plan,
        pooler.name,
        identity=Identity(user=POOLER_USER[0], group=POOLER_USER[1]),
        containers=[container],
        volumes=[
            {"name": "files", "configMap": {"name": f"{pooler.name}-config"}},
            secrets.volume(plan, POSTGRES_SECRET),
            scratch("tmp", 16 * MEGABYTE, in_memory=True),
        ],
        placed=places(plan, pooler.name, (), Placement()),
        annotations=config_sum(configuration),
        grace=60,
    )
    spec: Object = {
        "replicas": value(pooler.replicas, "stores", "pooler", "replicas"),
        "selector": {"matchLabels": selector(plan, pooler.name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }
    port: Object = {"name": "pooler", "port": pooler.port, "targetPort": "pooler", "protocol": "TCP"}
    return [
        account(plan, pooler.name),
        config_map(plan, pooler.name, configuration),
        head(plan, "apps/v1", "Deployment", pooler.name) | {"spec": spec},
        service(plan, pooler.name, pooler.name, [port]),
        *([budget(plan, pooler.name, {"maxUnavailable": 1})] if pooler.replicas > 1 else []),
    ]
