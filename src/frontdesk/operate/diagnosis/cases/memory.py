"""Memory, CPU and disk: who exceeds what, and by how much to raise it."""

from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import fail, share, size, warn
from frontdesk.operate.diagnosis.cases.use import of_cluster
from frontdesk.operate.diagnosis.seen import ProcessSeen, Seen
from frontdesk.operate.doctor import Finding

HIGH, FULL = 0.8, 0.95
LITTLE_DISK = 0.15
SOON = 3600.0  # seconds
RAISE = "Raise its memory limit (engagement: to 8Gi) or run fewer workers in one process"


def killed(seen: Seen) -> Iterator[Finding]:
    """Engagement, section 12: killed for memory, or about to be."""
    for process in seen.processes:
        yield from _growing(process)
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
    if seen.machine.killed_for_memory:
        again = ", ".join(each.name for each in seen.processes if each.restarts)
        cause = f"This machine has killed {seen.machine.killed_for_memory} processes for memory since it started"
        more = f"; {again} ended by itself and was started again" if again else ""
        yield warn("memory", cause + more, "The kernel's log names them: journalctl -k -g 'Out of memory'")


def _growing(process: ProcessSeen) -> Iterator[Finding]:
    """The trend of its memory, where figures were looked at twice."""
    if not process.growth or not process.memory or not process.memory_limit:
        return
    left = (process.memory_limit - process.memory) / process.growth
    if 0 < left <= SOON:
        cause = (
            f"{process.name} grows by {size(process.growth * 60)} a minute, and has none left in {left / 60:.0f} min"
        )
        yield warn(
            "memory", cause, "Look again over a longer time: --over 300. If it goes on, restart it; then report it."
        )


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
        yield from of_cluster(seen.cluster)
