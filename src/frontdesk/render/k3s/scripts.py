"""The script that makes a machine a node."""

from frontdesk.render.k3s.nodes import nodes
from frontdesk.system.layout.plan import Plan

K3S_VERSION = "v1.35.0+k3s1"


def install(plan: Plan) -> str:
    """A shell script that changes only what is not yet as it should be, and restarts k3s only then."""
    needs = "\n".join(
        f"  {node.name}) cores={node.host.cpu // 1000 if node.host else 1}"
        f" memory={node.host.memory // 2**20 if node.host else 1024} card={1 if node.host and node.host.gpu else 0} ;;"
        for node in nodes(plan)
    )
    names = ", ".join(node.name for node in nodes(plan))
    values = {"@PLAN@": plan.name, "@VERSION@": K3S_VERSION, "@NEEDS@": needs, "@NODES@": names}
    text = _SCRIPT
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


_SCRIPT = """\
#!/bin/sh
# Makes this machine a node of the cluster of @PLAN@; run it as root, as often as you like:
#   sh install.sh check NODE                               looks whether the machine can be it, and changes nothing
#   sh install.sh server NODE                              the first machine: it leads
#   K3S_URL=https://FIRST:6443 K3S_TOKEN_FILE=FILE sh install.sh agent NODE    every other one
# NODE is one of: @NODES@. The token lies on the first machine, in /var/lib/rancher/k3s/server/node-token.
set -eu
cd "$(dirname "$0")"
version=${K3S_VERSION:-@VERSION@}
role=${1:-}
node=${2:-}
settings=/etc/rancher/k3s

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

case $role in check | server | agent) ;; *) fail "say check, server or agent" ;; esac
case $node in
@NEEDS@
  *) fail "there is no node '$node': take one of @NODES@" ;;
esac
[ -f "nodes/$node.yaml" ] || fail "nodes/$node.yaml is missing beside this script"

# What the machine must have; everything that is wrong is told at once.
wrong=0
complain() {
  echo "  $1" >&2
  wrong=1
}
[ "$(id -u)" = 0 ] || complain "not root: sudo sh install.sh $role $node"
[ "$(nproc)" -ge "$cores" ] || complain "$(nproc) cores, and the description says $cores"
has=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
[ "$has" -ge $((memory * 95 / 100)) ] || complain "$has MiB of memory, and the description says $memory"
[ -e /sys/fs/cgroup/cgroup.controllers ] || complain "cgroups v2 are off: boot with systemd.unified_cgroup_hierarchy=1"
command -v curl >/dev/null || complain "no curl: apt-get install --yes curl"
command -v wg >/dev/null || complain "no WireGuard tools: apt-get install --yes wireguard-tools"
if [ "$card" = 1 ]; then
  command -v nvidia-smi >/dev/null || complain "no NVIDIA driver, and the description says that there is a card"
  command -v nvidia-container-runtime >/dev/null || complain "no NVIDIA container toolkit: nvidia-container-toolkit"
fi
if [ "$role" = agent ]; then
  [ -n "${K3S_URL:-}" ] || complain "K3S_URL is not set: https://FIRST:6443"
  [ -s "${K3S_TOKEN_FILE:-}" ] || complain "K3S_TOKEN_FILE names no file with the token"
fi
if ! command -v k3s >/dev/null && command -v ss >/dev/null; then
  for port in 6443 10250; do
    [ -z "$(ss -Hltn "sport = :$port")" ] || complain "something listens on port $port"
  done
fi
[ "$wrong" = 0 ] || fail "this machine cannot be $node yet"
[ "$role" = check ] && {
  echo "This machine can be $node."
  exit 0
}

# Settings; a file that is as it should be is not touched.
changed=0
put() { # FROM TO MODE
  cmp -s "$1" "$2" && return
  install -D -m "$3" "$1" "$2"
  changed=1
}
kernel=$(mktemp)
printf '%s\\n' vm.panic_on_oom=0 vm.overcommit_memory=1 kernel.panic=10 kernel.panic_on_oops=1 >"$kernel"
put "$kernel" /etc/sysctl.d/90-kubelet.conf 0644
rm -f "$kernel"
sysctl --quiet --load=/etc/sysctl.d/90-kubelet.conf
put "nodes/$node.yaml" "$settings/config.yaml" 0600
put registries.yaml "$settings/registries.yaml" 0600
if [ "$role" = server ] && [ -d manifests ]; then
  for manifest in manifests/*.yaml; do
    put "$manifest" "/var/lib/rancher/k3s/server/manifests/$(basename "$manifest")" 0600
  done
fi

# k3s itself, in the version that this script names; its own installer checks the download.
service=k3s
[ "$role" = server ] || service=k3s-agent
if ! k3s --version 2>/dev/null | grep -qF "$version"; then
  installer=$(mktemp)
  curl -fsSL "https://raw.githubusercontent.com/k3s-io/k3s/$version/install.sh" -o "$installer"
  INSTALL_K3S_VERSION="$version" INSTALL_K3S_EXEC="$role" sh "$installer"
  rm -f "$installer"
elif [ "$changed" = 1 ]; then
  systemctl restart "$service"
fi

# And it works.
tries=0
until systemctl is-active --quiet "$service"; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || fail "$service does not start: journalctl -u $service"
  sleep 2
done
if [ "$role" = server ]; then
  k3s kubectl wait --for=condition=Ready "node/$(hostname | tr '[:upper:]' '[:lower:]')" --timeout=180s
  echo "The token for the others: /var/lib/rancher/k3s/server/node-token"
fi
echo "This machine is $node."
"""
