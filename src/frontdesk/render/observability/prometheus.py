"""Prometheus: what it asks, and how often. One file for each kind of place: containers beside each other, bare hosts,
a cluster. Jobs are called as the services, because alerts and objectives name them so.
"""

from collections.abc import Iterable, Iterator, Mapping

from frontdesk.render.observability.exporters import CARDS, CERTIFICATES, COLLECTOR, Exporter, wanted
from frontdesk.render.places import machine_names, machines
from frontdesk.render.target import Files, yaml_text
from frontdesk.system.layout.plan import MONITORING, Plan, Running

PORT = 9090
ALERTMANAGER_PORT = 9093
SPANS_PORT = 8889  # where the collector tells what it counted in spans
CERTIFICATE_MODULE = "certificate"

Job = Mapping[str, object]


def files(plan: Plan) -> Files:
    """`prometheus.yml` for Compose, `.hosts.yml` for bare hosts, `.kubernetes.yml` for a cluster."""
    found = {
        "prometheus/prometheus.yml": _configuration(plan, _beside(plan), "alertmanager"),
        "prometheus/prometheus.hosts.yml": _configuration(plan, _on_hosts(plan), "localhost"),
        "prometheus/prometheus.kubernetes.yml": _configuration(plan, _in_cluster(plan), "alertmanager"),
    }
    if CERTIFICATES in wanted(plan):
        found["blackbox/blackbox.yml"] = yaml_text(_CERTIFICATE)
    return found


def watched(plan: Plan) -> tuple[Running, ...]:
    """The services that Prometheus may reach and that have a port to answer on. Nobody answers for a role that is not
    built."""
    reached = (each for each in plan.services if each.service.built and MONITORING in each.service.called_by)
    return tuple(each for each in reached if metrics_port(each))


def metrics_port(running: Running) -> int | None:
    """Where a service tells its metrics, under `/metrics`."""
    return running.service.metrics_port or running.service.port


def machine_of(running: Running) -> str:
    """The host that a service always runs on; empty where it may run on several."""
    return running.service.host[0] if len(running.service.host) == 1 else ""


def _configuration(plan: Plan, jobs: Iterable[Job], alertmanager: str) -> str:
    every = f"{plan.dashboards.scrape_seconds}s"
    return yaml_text(
        {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": f"{min(10, plan.dashboards.scrape_seconds)}s",
                "evaluation_interval": every,
                "external_labels": {"system": plan.name, "environment": plan.environment},
            },
            "rule_files": ["rules/*.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{alertmanager}:{ALERTMANAGER_PORT}"]}]}]},
            "scrape_configs": [_static("prometheus", f"localhost:{PORT}"), *jobs],
        }
    )


def _beside(plan: Plan) -> Iterator[Job]:
    """Containers that know each other by name. Several replicas stand behind one name: each is asked by itself."""
    for running in watched(plan):
        port = metrics_port(running)
        machine = machine_of(running)
        if running.service.least > 1:
            found = {"names": [running.host_name], "type": "A", "port": port}
            yield {"job_name": running.name, "dns_sd_configs": [found], **_said("machine", machine)}
        else:
            yield _static(running.name, f"{running.host_name}:{port}", machine)
    for exporter in wanted(plan):
        if exporter is CERTIFICATES:
            yield _certificates(plan, exporter.name)
        else:
            address = f"{exporter.name}:{exporter.port}"
            names = [name for name in machine_names(plan) if _tells_of(plan, exporter, name)]
            targets = [_target(address, name) for name in names if exporter.of_a_host]  # this machine plays them all
            yield {"job_name": exporter.name, "static_configs": targets or [_target(address, "")]}
    yield _static("spans", f"{COLLECTOR.name}:{SPANS_PORT}")


def _tells_of(plan: Plan, exporter: Exporter, machine: str) -> bool:
    """Whether an exporter of each machine has anything to tell of this one: not of cards where it has none."""
    return exporter is not CARDS or machine not in plan.hosts or plan.hosts[machine].gpu is not None


def _on_hosts(plan: Plan) -> Iterator[Job]:
    """Bare hosts; Prometheus runs on one of them, with Alertmanager, the collector and the rest."""
    known = {each.key for each in watched(plan)}
    hosts = [(machine, plan.hosts[machine.name].address if machine.name else "localhost") for machine in machines(plan)]
    only = machine_names(plan)[0] if len(machine_names(plan)) == 1 else ""
    for machine, address in hosts:
        for running in (each for each in machine.services if each.key in known):
            yield _static(running.name, f"{address}:{metrics_port(running)}", machine.name or machine_of(running))
    for exporter in wanted(plan):
        if exporter is CERTIFICATES:
            yield _certificates(plan, "localhost")
        elif exporter.of_a_host:
            named = [(machine.name or only, address) for machine, address in hosts]
            targets = [(name, f"{address}:{exporter.port}") for name, address in named]
            told = [_target(address, name) for name, address in targets if _tells_of(plan, exporter, name)]
            yield {"job_name": exporter.name, "static_configs": told}
        else:
            yield _static(exporter.name, f"localhost:{exporter.port}")
    yield _static("spans", f"localhost:{SPANS_PORT}")


def _in_cluster(plan: Plan) -> Iterator[Job]:
    """Pods found by their label, asked as their annotations say."""
    for running in watched(plan):
        yield {
            "job_name": running.name,
            "kubernetes_sd_configs": [_pods(plan.deployment.namespace)],
            "relabel_configs": [
                _keep("__meta_kubernetes_pod_label_app_kubernetes_io_instance", plan.name),
                _keep("__meta_kubernetes_pod_label_app_kubernetes_io_name", running.name),
                _keep("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
                _keep("__meta_kubernetes_pod_phase", "Pending|Running"),
                *_hinted(),
                _copy("__meta_kubernetes_namespace", "namespace"),
                _copy("__meta_kubernetes_pod_name", "pod"),
                *([{"target_label": "machine", "replacement": machine_of(running)}] if machine_of(running) else ()),
            ],
        }
    for exporter in wanted(plan):
        if exporter is CERTIFICATES:
            yield _certificates(plan, exporter.name)
        elif exporter.of_a_host:
            yield _exporter_pods(plan, exporter)
        else:
            yield _static(exporter.name, f"{exporter.name}:{exporter.port}")
    yield _static("spans", f"{COLLECTOR.name}:{SPANS_PORT}")


def _pods(namespace: str) -> Job:
    return {"role": "pod", "namespaces": {"names": [namespace]}}


def _hinted() -> list[Job]:
    """Path and port as the annotations say; a pod with several ports is one target."""
    annotation = "__meta_kubernetes_pod_annotation_prometheus_io_"
    return [
        {
            "source_labels": [f"{annotation}port"],
            "action": "keepequal",
            "target_label": "__meta_kubernetes_pod_container_port_number",
        },
        {"source_labels": [f"{annotation}path"], "regex": "(.+)", "target_label": "__metrics_path__"},
    ]


def _exporter_pods(plan: Plan, exporter: Exporter) -> Job:
    """An exporter of every node; the node's label says which machine of the system file it is."""
    return {
        "job_name": exporter.name,
        "kubernetes_sd_configs": [
            {**_pods(plan.deployment.monitoring_namespace), "attach_metadata": {"node": True}},
        ],
        "relabel_configs": [
            _keep("__meta_kubernetes_pod_label_app_kubernetes_io_name", f"(prometheus-)?{exporter.name}"),
            _keep("__meta_kubernetes_pod_container_port_number", str(exporter.port)),
            _copy("__meta_kubernetes_pod_node_name", "node"),
            _copy("__meta_kubernetes_node_label_machine", "machine"),
        ],
    }


def _certificates(plan: Plan, prober: str) -> Job:
    """The blackbox exporter is asked to look at each public name (github.com/prometheus/blackbox_exporter)."""
    names = list(dict.fromkeys(f"https://{public.host}" for public in plan.edge.hosts))
    return {
        "job_name": "certificates",
        "scrape_interval": "5m",
        "metrics_path": "/probe",
        "params": {"module": [CERTIFICATE_MODULE]},
        "static_configs": [{"targets": names}],
        "relabel_configs": [
            _copy("__address__", "__param_target"),
            _copy("__param_target", "instance"),
            {"target_label": "__address__", "replacement": f"{prober}:{CERTIFICATES.port}"},
        ],
    }


def _static(job: str, address: str, machine: str = "") -> Job:
    return {"job_name": job, "static_configs": [_target(address, machine)]}


def _target(address: str, machine: str) -> Job:
    return {"targets": [address]} | ({"labels": {"machine": machine}} if machine else {})


def _said(label: str, text: str) -> Job:
    return {"relabel_configs": [{"target_label": label, "replacement": text}]} if text else {}


def _keep(label: str, pattern: str) -> Job:
    return {"source_labels": [label], "action": "keep", "regex": pattern}


def _copy(label: str, to: str) -> Job:
    return {"source_labels": [label], "target_label": to}


_CERTIFICATE: Job = {
    "modules": {
        CERTIFICATE_MODULE: {
            "prober": "http",
            "timeout": "10s",
            "http": {
                "method": "HEAD",
                "follow_redirects": False,
                "fail_if_not_ssl": True,
                "valid_status_codes": [200, 204, 301, 302, 303, 307, 308, 401, 403, 404, 405],
            },
        }
    }
}
