"""Programs that tell Prometheus what the desk itself does not know: machines, cards, certificates, the collector."""

from dataclasses import dataclass

from frontdesk.render.observability.expressions import every, metrics_in
from frontdesk.system.layout.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """A program, where it answers, and the metrics of it that may be named. `of_a_host`: each machine has its own."""

    name: str
    image: str
    port: int
    metrics: frozenset[str]
    of_a_host: bool = False


NODE = Exporter(
    name="node-exporter",
    image="prom/node-exporter:v1.10.2",
    port=9100,
    metrics=frozenset(
        {
            "node_cpu_seconds_total",
            "node_memory_MemAvailable_bytes",
            "node_memory_MemTotal_bytes",
            "node_filesystem_avail_bytes",
            "node_filesystem_size_bytes",
            "node_network_receive_bytes_total",
            "node_network_transmit_bytes_total",
            "node_disk_reads_completed_total",
            "node_disk_writes_completed_total",
        }
    ),
    of_a_host=True,
)
CARDS = Exporter(  # asks nvidia-smi, so it knows cards for games too, of which DCGM tells only part
    name="nvidia-gpu-exporter",
    image="utkuozdemir/nvidia_gpu_exporter:1.4.1",
    port=9835,
    metrics=frozenset(
        {"nvidia_smi_utilization_gpu_ratio", "nvidia_smi_memory_used_bytes", "nvidia_smi_memory_total_bytes"}
    ),
    of_a_host=True,
)
COLLECTOR = Exporter(
    name="otel-collector",
    image="otel/opentelemetry-collector-contrib:0.140.1",
    port=8888,
    metrics=frozenset({"otelcol_exporter_sent_spans", "otelcol_exporter_send_failed_spans"}),
)
CERTIFICATES = Exporter(
    name="blackbox-exporter",
    image="prom/blackbox-exporter:v0.27.0",
    port=9115,
    metrics=frozenset({"probe_success", "probe_ssl_earliest_cert_expiry"}),
)
EXPORTERS = (NODE, CARDS, COLLECTOR, CERTIFICATES)


def wanted(plan: Plan) -> tuple[Exporter, ...]:
    """Those whose metrics some alert, objective or dashboard of the system names."""
    named = {metric for _, expression in every(plan) for metric in metrics_in(expression)}
    return tuple(exporter for exporter in EXPORTERS if exporter.metrics & named)
