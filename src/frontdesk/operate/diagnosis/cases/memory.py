"""Memory, CPU, disk and quotas: who exceeds what, and by how much to raise it."""

from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import fail, share, size, warn
from frontdesk.operate.diagnosis.kubernetes import Quota
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding
from frontdesk.system.layout.quantities import amount_of_bytes, millicores

HIGH, FULL = 0.8, 0.95
LITTLE_DISK = 0.15
RAISE = "Raise its memory limit (engagement: to 8Gi) or run fewer workers in one process"


def killed(seen: Seen) -> Iterator[Finding]:
    """Engagement, section 12: killed for memory, or about to be."""
    for process in seen.processes:
        if process.killed_for_memory:
            yield fail("memory", f"{process.name} was killed for memory", f"{RAISE}: resources.limits.memory.")
        if process.memory_limit and process.memory and process.memory >= HIGH * process.memory_limit:
            part = share(process.memory / process.memory_limit)
            used = f"{size(process.memory)} of {size(process.memory_limit)} ({part})"
            found = fail if process.memory >= FULL * process.memory_limit else warn
            remedy = f"{RAISE}. If it grows on and on, restart it and keep its figures."
            yield found("memory", f"{process.name} has used {used} of its memory", remedy)
    for pod in seen.cluster.pods if seen.cluster else ():
        for container in pod.containers:
            if container.killed_for_memory:
                cause = f"{pod.name} was killed for memory ({container.restart_count} restarts)"
                yield fail("memory", cause, f"{RAISE}: services.NAME.resources.limits.memory, then render again.")
    if seen.machine.killed_for_memory and not any(each.killed_for_memory for each in seen.processes):
        cause = f"This machine has killed {seen.machine.killed_for_memory} processes for memory since it started"
        yield warn("memory", cause, "The kernel's log names them: journalctl -k -g 'Out of memory'")


def shortage(seen: Seen) -> Iterator[Finding]:
    """Answering, section 12: who exceeds what; propose a size."""
    machine = seen.machine
    busiest = max(seen.processes, key=lambda each: each.cpu or 0.0, default=None)
    if machine.load > 2 * machine.cores:
        who = f"; {busiest.name} takes {share(busiest.cpu or 0)} of a core" if busiest and busiest.cpu else ""
        cause = f"{machine.load:.3g} processes want {machine.cores} cores{who}"
        yield warn("shortage", cause, f"Move something away, or take {machine.load:.0f} cores.")
    if machine.memory_most and machine.memory >= HIGH * machine.memory_most:
        largest = max(seen.processes, key=lambda each: each.memory or 0.0, default=None)
        who = f"; {largest.name} has {size(largest.memory)}" if largest and largest.memory else ""
        cause = f"{share(machine.memory / machine.memory_most)} of this machine's memory is used{who}"
        yield warn("shortage", cause, f"Move something away, or take {size(machine.memory * 1.5)}.")
    if machine.disk_size and machine.disk_free < LITTLE_DISK * machine.disk_size:
        cause = f"{size(machine.disk_free)} of {size(machine.disk_size)} of the disk are free"
        yield warn("shortage", cause, "Move old backups away, shorten `retention`, or enlarge the disk.")
    if seen.cluster is not None:
        for quota in seen.cluster.quotas:
            yield from _quota(quota)


def _quota(quota: Quota) -> Iterator[Finding]:
    """Each resource of it that is nearly used up (kubernetes.io/docs/concepts/policy/resource-quotas)."""
    for name, bound in quota.status.hard.items():
        used = quota.status.used.get(name, "0")
        most, taken = _amount(name, bound), _amount(name, used)
        if most and taken >= HIGH * most:
            found = fail if taken >= most else warn
            remedy = "Raise it in `deployment`, or ask for less: the next replica may not fit."
            yield found("shortage", f"{used} of {bound} of the quota {name} is taken", remedy)


def _amount(name: str, said: str) -> float:
    try:
        if "memory" in name or "storage" in name:
            return amount_of_bytes(said)
        return millicores(said)  # of counts, thousandths too: only their ratio matters
    except ValueError:
        return 0
