"""The nodes and their settings (docs.k3s.io/installation/configuration: every flag is a key of config.yaml)."""

from dataclasses import dataclass

from frontdesk.render.target import yaml_text
from frontdesk.system.layout.hosts import Host
from frontdesk.system.layout.plan import Plan

ONLY = "server"  # the node of a system that names no hosts
HOST_LABEL = "frontdesk/host"
CARD_LABEL = "nvidia.com/device-plugin.config"


@dataclass(frozen=True, slots=True)
class Node:
    """A machine, or a kind of machines. The first one in the file leads the cluster."""

    name: str
    host: Host | None
    leads: bool


def nodes(plan: Plan) -> tuple[Node, ...]:
    """Every host of the file; one when there is none."""
    if not plan.hosts:
        return (Node(ONLY, None, True),)
    return tuple(Node(name, host, number == 0) for number, (name, host) in enumerate(plan.hosts.items()))


def configuration(node: Node) -> dict[str, object]:
    """Its `/etc/rancher/k3s/config.yaml`. Where to join, and with which token, the script adds: that is no file's."""
    found: dict[str, object] = {}
    if node.leads:
        found |= {
            "cluster-init": True,  # etcd: a second and third server may join
            "write-kubeconfig-mode": "0600",
            "secrets-encryption": True,
            "flannel-backend": "wireguard-native",  # what goes from machine to machine is encrypted
            "embedded-registry": True,  # machines give each other the images that one has
            "disable": ["traefik", "servicelb"],  # the edge is a gateway of its own
            "etcd-snapshot-schedule-cron": "0 2 * * *",
            "etcd-snapshot-retention": 30,
            "kube-apiserver-arg": [
                "audit-log-path=/var/log/k3s-audit.log",
                "audit-log-maxage=30",
                "audit-log-maxsize=100",
                "audit-log-maxbackup=5",
            ],
        }
    found |= {
        "node-label": [f"{key}={value}" for key, value in labels(node).items()],
        "protect-kernel-defaults": True,
        "kubelet-arg": ["pod-max-pids=2048", f"eviction-hard=memory.available<{_reserve(node)},nodefs.available<10%"],
    }
    if node.host and node.host.taint:
        found["node-taint"] = [_taint(node.host.taint)]
    if node.host and node.host.gpu:
        found["default-runtime"] = "nvidia"  # pods ask for a card by its resource alone
    return found


def labels(node: Node) -> dict[str, str]:
    """What chooses the node: its own labels, and its name in the file."""
    found = {HOST_LABEL: node.name}
    if node.host:
        found |= node.host.labels
        if node.host.gpu:
            found[CARD_LABEL] = node.name
    return found


def registries(plan: Plan) -> str:
    """`/etc/rancher/k3s/registries.yaml`: from which registries nodes may give images to each other."""
    own = plan.deployment.images.registry.partition("/")[0]
    names = dict.fromkeys(name for name in ("docker.io", "registry.k8s.io", own) if name)
    head = "# Credentials are added on the machines, under `configs`: docs.k3s.io/installation/private-registry\n"
    mirrors: dict[str, dict[str, str]] = {name: {} for name in names}
    return head + yaml_text({"mirrors": mirrors})


def _taint(said: str) -> str:
    """Whole, of `key`, `key=value` or `key=value:effect`."""
    rest, _, effect = said.partition(":")
    key, _, value = rest.partition("=")
    return f"{key}={value or 'true'}:{effect or 'NoSchedule'}"


def _reserve(node: Node) -> str:
    """Memory that pods are driven out for: a fiftieth, 256 MiB at least."""
    memory = node.host.memory if node.host else 0
    return f"{max(256, memory // 50 // 2**20)}Mi"
