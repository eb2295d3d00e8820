"""Who cannot reach whom, and at which hop: the name, the endpoint, a policy on the way, TLS, or the door itself."""

import re
from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import fail, warn
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding

_HOPS = {
    "dns": (
        "the name",
        "Is the service there under this name, in this namespace? The network must let UDP and TCP 53 through.",
    ),
    "refused": (
        "the endpoint: no replica is ready behind it",
        "See why it does not start or is not ready; then its port.",
    ),
    "unreachable": ("the way: no network leads there", "Join both to one network, or start its machine."),
    "silent": ("a policy or firewall on the way", "Let it through: list it under `needs` or `calls` and render again."),
    "tls": ("TLS: one side does not trust the other's certificate", "Renew it; both must know one authority."),
    "broken": (
        "the other side, which broke off",
        "With mutual TLS both must be within the mesh; else its log says why.",
    ),
    "password": ("the door: the password is refused", "Give both sides one secret: `frontdesk secrets list`."),
    "forbidden": ("the door: this caller is not let in", "Let it in there."),
}
_STALE = re.compile(r"\b(STALE|NOT SENT|ERROR|IGNORED)\b")


def hops(seen: Seen) -> Iterator[Finding]:
    """Answering, section 12: name the failing hop: DNS, endpoint, policy, mTLS."""
    for result in seen.neighbours:
        if result.state == "healthy":
            continue
        itself = ("the service itself, which is reached and not well", f"{result.cause}. {result.remedy}".strip())
        hop, remedy = _HOPS.get(result.fault or "", itself)
        found = fail if result.needed else warn
        yield found("reach", f"{result.name} ({result.address}) is not reached. It fails at {hop}", remedy)


def mesh(seen: Seen) -> Iterator[Finding]:
    """Answering, section 12: proxies that are not in step, or whose configuration was refused.

    By `istioctl proxy-status` (istio.io/latest/docs/ops/diagnostic-tools/proxy-cmd): a line for each proxy, and
    SYNCED, NOT SENT or STALE for each kind of configuration.
    """
    lines = seen.cluster.proxies.splitlines() if seen.cluster else []
    for line in lines[1:]:
        found = _STALE.findall(line)
        if "STALE" in found or "ERROR" in found:
            remedy = (
                "It has not taken its configuration: its log says why (kubectl logs -c istio-proxy); restart its pod."
            )
            yield fail(
                "mesh", f"The proxy of {line.split()[0]} is not in step: {', '.join(dict.fromkeys(found))}", remedy
            )
