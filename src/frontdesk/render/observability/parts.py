"""The containers that watch a system: what each is started with, so that flags and files stand in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from frontdesk.render.observability import alertmanager, collector, logs, traces
from frontdesk.render.observability.exporters import CARDS, CERTIFICATES, COLLECTOR, NODE, wanted
from frontdesk.render.observability.grafana import DASHBOARDS
from frontdesk.render.observability.prometheus import ALERTMANAGER_PORT, PORT
from frontdesk.system.layout.plan import SECRETS, Plan

GRAFANA_PASSWORD = "GRAFANA_PASSWORD"  # noqa: S105 — the secret's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A container. `files`: place in it → path of the target; a folder's ends with `/`. `data`: its volume, if it keeps
    anything. `shown`: the port of its pages, and the one on this machine. `reads`: places of the host that it reads.

    `memory` is what it may take at most, in MiB: several times what it needs for a system of some dozen replicas. A
    program in Go is told of it, so that it tidies up before it is ended.
    """

    name: str
    image: str
    memory: int
    go: bool = True
    command: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    data: str = ""
    user: str = ""
    ports: tuple[int, ...] = ()
    shown: tuple[int, int] | None = None
    secrets: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    gpu: bool = False


def parts(plan: Plan) -> tuple[Part, ...]:
    """Every container, those that others rest on first."""
    told = plan.dashboards.alerts_to
    found = [
        Part(
            name="alertmanager",
            image="prom/alertmanager:v0.29.0",
            memory=128,
            command=("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
            files={"/etc/alertmanager/alertmanager.yml": alertmanager.FILE},
            data="/alertmanager",
            user="65534:65534",
            ports=(ALERTMANAGER_PORT,),
            secrets=(told,) if told else (),
        ),
        Part(
            name="prometheus",
            image="prom/prometheus:v3.7.3",
            memory=1024,
            command=(
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                f"--storage.tsdb.retention.time={plan.dashboards.keep_days}d",
            ),
            files={
                "/etc/prometheus/prometheus.yml": "prometheus/prometheus.yml",
                "/etc/prometheus/rules": "prometheus/rules/",
            },
            data="/prometheus",
            user="65534:65534",
            ports=(PORT,),
            shown=(PORT, 9090),
            needs=("alertmanager",),
        ),
        Part(
            name="loki",
            image="grafana/loki:3.5.8",
            memory=1024,
            command=("-config.file=/etc/loki/loki.yaml",),
            files={"/etc/loki/loki.yaml": logs.LOKI},
            data=logs.LOKI_DATA,
            user="10001:10001",
            ports=(logs.LOKI_PORT,),
            shown=(logs.LOKI_PORT, 3100),
        ),
        Part(
            name="vector",
            image="timberio/vector:0.51.1-alpine",
            memory=256,
            go=False,
            command=("--config", "/etc/vector/vector.yaml"),
            files={"/etc/vector/vector.yaml": "vector/vector.yaml"},
            data=logs.VECTOR_DATA,
            variables={"COMPOSE_PROJECT_NAME": "${COMPOSE_PROJECT_NAME}"},  # whose containers it listens to
            needs=("loki",),
            reads=("/var/run/docker.sock",),
        ),
        Part(
            name="jaeger",
            image="jaegertracing/jaeger:2.12.0",
            memory=1024,
            command=("--config", "/etc/jaeger/jaeger.yaml"),
            files={"/etc/jaeger/jaeger.yaml": traces.FILE},
            data=traces.DATA,
            user="10001:10001",
            ports=(4317, traces.PAGES_PORT),
            shown=(traces.PAGES_PORT, 16686),
        ),
        Part(
            name=COLLECTOR.name,
            image=COLLECTOR.image,
            memory=1024,
            command=("--config", "/etc/otelcol/config.yaml"),
            files={"/etc/otelcol/config.yaml": collector.FILE},
            user="10001:10001",
            ports=(4317, 4318, COLLECTOR.port),
            needs=("jaeger",),
        ),
        Part(
            name="grafana",
            image="grafana/grafana:12.3.0",
            memory=512,
            files={
                "/etc/grafana/provisioning/datasources": "grafana/provisioning/datasources/",
                "/etc/grafana/provisioning/dashboards": "grafana/provisioning/dashboards/",
                DASHBOARDS: "grafana/dashboards/",
            },
            data="/var/lib/grafana",
            user="472:472",
            ports=(3000,),
            shown=(3000, plan.dashboards.grafana_port),
            secrets=(GRAFANA_PASSWORD,),
            variables={
                "GF_SECURITY_ADMIN_PASSWORD__FILE": f"{SECRETS}/{GRAFANA_PASSWORD}",
                "GF_USERS_ALLOW_SIGN_UP": "false",
                "GF_AUTH_ANONYMOUS_ENABLED": "false",
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            },
            needs=("prometheus", "loki", "jaeger"),
        ),
    ]
    return (*found, *_exporters(plan))


def _exporters(plan: Plan) -> tuple[Part, ...]:
    known = {
        NODE: Part(
            name=NODE.name,
            image=NODE.image,
            memory=128,
            command=("--path.rootfs=/host",),
            user="65534:65534",
            ports=(NODE.port,),
            reads=("/",),  # under /host
        ),
        CARDS: Part(name=CARDS.name, image=CARDS.image, memory=128, ports=(CARDS.port,), gpu=True),
        CERTIFICATES: Part(
            name=CERTIFICATES.name,
            image=CERTIFICATES.image,
            memory=128,
            command=("--config.file=/etc/blackbox/blackbox.yml",),
            files={"/etc/blackbox/blackbox.yml": "blackbox/blackbox.yml"},
            user="65534:65534",
            ports=(CERTIFICATES.port,),
        ),
    }
    return tuple(known[exporter] for exporter in wanted(plan) if exporter in known)
