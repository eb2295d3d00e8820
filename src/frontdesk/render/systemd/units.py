"""Unit files. Each service is confined to its own folder, its own secrets, and the system calls that services need."""

from collections.abc import Iterable, Iterator

from frontdesk.render import backups, store_commands
from frontdesk.render.docker import PROCESS, in_a_line, ready_url, wants_gpu
from frontdesk.render.nginx import behind_proxies
from frontdesk.render.places import HERE, Machine, from_here, listening
from frontdesk.render.systemd.cards import environment as card_environment
from frontdesk.render.systemd.cards import needed as card_unit
from frontdesk.render.systemd.stores import POOLER_SCRIPT, pooler_here
from frontdesk.system.layout.plan import Plan, Running
from frontdesk.system.layout.stores import Postgres

PROGRAM = "/opt/frontdesk/bin/frontdesk"
USER = "frontdesk"
LOOPBACK = "127.0.0.1,::1"  # where nginx and the server of the pages stand
OF_DEBIAN = {"postgres": "postgresql.service", "redis": "valkey-server.service redis-server.service"}
CARD_DEVICES = (
    "/dev/nvidiactl",
    "/dev/nvidia-uvm",
    "/dev/nvidia-uvm-tools",
    "char-nvidia-frontend",
    "char-nvidia-caps",
)
TELEMETRY = "OTEL_EXPORTER_OTLP_ENDPOINT"  # a cluster's address: on bare hosts the system file says where one listens
START_WITHIN = 300  # seconds, for what it waits for as well

_CONFINED = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
PrivateUsers=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
UMask=0077
LimitNOFILE=65536
TasksMax=512"""


def folder(plan: Plan) -> str:
    """Where the configuration lies on the host."""
    return f"/etc/{plan.name}"


def backup_folder(plan: Plan) -> str:
    """Where backups lie on a host, whichever of its services makes them."""
    return f"/var/backups/{plan.name}"


def secrets_of(plan: Plan, running: Running) -> tuple[str, ...]:
    """The secrets of a service there."""
    more = backups.secrets(plan) if running.service.role in backups.ROLES else ()
    return tuple(dict.fromkeys((*running.secrets, *more)))


def target_unit(plan: Plan, machine: Machine) -> str:
    """The whole system on this host; what cannot run yet is not wanted."""
    wanted = [unit_name(plan, running) for running in machine.services if running.service.built]
    if pooler_here(plan, machine):
        wanted.insert(0, pooler_name(plan))
    where = f" on {machine.name}" if machine.name else ""
    return _text(
        ("Unit", [f"Description={plan.name}{where}", *_each("Wants", wanted), *_each("After", wanted)]),
        ("Install", ["WantedBy=multi-user.target"]),
    )


def unit(plan: Plan, machine: Machine, running: Running) -> str:
    """One service."""
    return _text(
        ("Unit", list(_order(plan, machine, running))),
        ("Service", list(_service(plan, machine, running))),
        ("Install", [f"WantedBy={plan.name}.target"]),
    )


def pooler_unit(plan: Plan) -> str:
    """PgBouncer between the services and PostgreSQL, with a configuration of its own."""
    secret = store_commands.POSTGRES_SECRET
    return _text(
        (
            "Unit",
            [
                f"Description={plan.name}: PgBouncer",
                f"PartOf={plan.name}.target",
                "Conflicts=pgbouncer.service",
                f"After=pgbouncer.service {OF_DEBIAN['postgres']}",
            ],
        ),
        (
            "Service",
            [
                "Type=exec",
                f"User={USER}",
                f"Group={USER}",
                f"LoadCredential={secret}:{folder(plan)}/secrets/{secret}",
                f"ExecStart=/bin/sh {folder(plan)}/{POOLER_SCRIPT}",
                "KillSignal=SIGINT",
                "Restart=on-failure",
                "RestartSec=2",
                "PrivateDevices=yes",
                *_CONFINED.splitlines(),
            ],
        ),
        ("Install", [f"WantedBy={plan.name}.target"]),
    )


def environment_file(plan: Plan, machine: Machine, running: Running) -> str:
    """Its variables, one a line; secrets are none of them."""
    said = {name: from_here(machine, name, value) for name, value in running.variables.items() if name != TELEMETRY}
    said |= {
        "FRONTDESK_SYSTEM": f"{folder(plan)}/system.yaml",
        "FRONTDESK_HOME": f"/var/lib/{plan.name}/{running.name}",
        "HOST": listening(plan, machine, running),
        **({"BACKUP_FOLDER": backup_folder(plan)} if running.service.role in backups.ROLES else {}),
        **({"TRUSTED_PROXIES": LOOPBACK} if running.key in behind_proxies(plan) else {}),
        **card_environment(plan, running),
    }
    return "".join(f'{name}="{_quoted(value)}"\n' for name, value in said.items())


def unit_name(plan: Plan, running: Running) -> str:
    """What the unit of a service is called."""
    return f"{plan.name}-{running.name}.service"


def pooler_name(plan: Plan) -> str:
    """What the unit of the pooler is called."""
    return f"{plan.name}-pooler.service"


def _order(plan: Plan, machine: Machine, running: Running) -> Iterator[str]:
    own = {each.key: each for each in machine.services}
    beside = [unit_name(plan, own[need]) for need in running.service.needs if need in own and own[need].service.built]
    stores = [OF_DEBIAN.get(need, OF_DEBIAN["redis"]) for need in running.service.needs if need in machine.stores]
    if "postgres" in running.service.needs and pooler_here(plan, machine):
        stores.append(pooler_name(plan))
    card = card_unit(plan, machine, running)
    about = in_a_line(running.service.description) or running.name
    yield f"Description={plan.name}: {about.rstrip('.')}"
    yield f"PartOf={plan.name}.target"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield from _each("Wants", beside)
    yield from _each("After", [*beside, *stores])
    if card:
        yield f"Requires={card}"
        yield f"After={card}"
    yield "StartLimitIntervalSec=300"
    yield "StartLimitBurst=10"


def _service(plan: Plan, machine: Machine, running: Running) -> Iterator[str]:
    yield "Type=exec"
    yield f"User={USER}"
    yield f"Group={USER}"
    yield f"EnvironmentFile={folder(plan)}/environment/{running.name}.env"
    for name in secrets_of(plan, running):
        yield f"LoadCredential={name}:{folder(plan)}/secrets/{name}"
        yield f"Environment={name}_FILE=%d/{name}"
    for asked in _waited_for(plan, machine, running):
        yield f"ExecStartPre={_until(asked)}"
    yield f"ExecStart={' '.join((PROGRAM, *running.command[1:], *_moved(plan, running)))}"
    if running.service.built:
        yield f"ExecStartPost={_until(ready_url(running).replace(PROCESS, 'process:$MAINPID'))}"
    yield f"TimeoutStartSec={START_WITHIN}"
    yield "Restart=on-failure"
    yield "RestartSec=2"
    yield "KillMode=mixed"
    yield "KillSignal=SIGTERM"
    yield f"TimeoutStopSec={running.service.stopping.grace}"
    yield f"StateDirectory={plan.name}/{running.name}"
    yield "StateDirectoryMode=0700"
    yield f"WorkingDirectory=/var/lib/{plan.name}/{running.name}"
    if running.service.role in backups.ROLES:
        yield f"ReadWritePaths={backup_folder(plan)}"
        yield from (f"ReadWritePaths=-{folder}" for folder in (backups.second_folder(plan),) if folder)
    yield from _bounds(running)
    yield from _devices(running)
    yield from _CONFINED.splitlines()


def _waited_for(plan: Plan, machine: Machine, running: Running) -> Iterator[str]:
    """What it needs that is no unit of this host: stores, and services elsewhere."""
    own = {each.key for each in machine.services}
    for need in running.service.needs:
        if need in plan.stores and not plan.stores[need].managed:
            store = plan.stores[need]
            pooler = store.pooler if isinstance(store, Postgres) else None
            address = machine.addresses.get(store.name, HERE)
            yield f"tcp://{address}:{(pooler or store).port}"
        elif need not in own and need not in plan.stores:
            other = plan.service(need)
            if other.service.port and other.service.built:
                yield f"tcp://{machine.addresses[f'{other.host_name}:{other.service_port}']}"


def _moved(plan: Plan, running: Running) -> tuple[str, ...]:
    """Which port tells metrics, where that of the file is taken on this host."""
    port = running.service.metrics_port
    return () if port == plan.service(running.key).service.metrics_port else ("--metrics-port", str(port))


def _until(asked: str) -> str:
    return f"/bin/sh -c 'until {PROGRAM} probe --quiet {asked}; do sleep 1; done'"


def _bounds(running: Running) -> Iterator[str]:
    limits = running.service.resources.limits
    if limits.memory:
        yield f"MemoryMax={limits.memory // 2**20}M"
    if limits.cpu:
        yield f"CPUQuota={limits.cpu // 10}%"


def _devices(running: Running) -> Iterator[str]:
    if not wants_gpu(running):
        yield "PrivateDevices=yes"
        return
    yield "DevicePolicy=closed"
    for device in CARD_DEVICES:
        yield f"DeviceAllow={device} rw"


def _each(key: str, values: Iterable[str]) -> list[str]:
    return [f"{key}={value}" for value in values]


def _text(*sections: tuple[str, list[str]]) -> str:
    return "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
