"""5xx, slow tails and missed objectives, over all requests that were counted."""

from collections.abc import Iterator, Mapping

from frontdesk.operate.diagnosis.case import duration, fail, share, size, warn
from frontdesk.operate.diagnosis.seen import ProcessSeen, Seen
from frontdesk.operate.doctor import Finding

ENOUGH = 20  # requests, below which a share says nothing
NEW = 24.0  # hours for which a release is suspected first
LINES = ("/health", "/ready", "/metrics")
LONG = ("/v1/", "/mcp", "/api/v1/chat")  # answers as long as their model takes
BUSY_GPU = 0.95


def asked(labels: Mapping[str, str]) -> bool:
    """Requests of people and programs, not of probes."""
    return labels.get("path", "") not in LINES


def short(labels: Mapping[str, str]) -> bool:
    """Requests that wait for no model and no news."""
    path = labels.get("path", "")
    return path not in LINES and not path.startswith(LONG) and not path.endswith(("/events", "/draft"))


def failed_share(seen: Seen) -> float | None:
    """Of all requests; None when there were too few."""
    total = seen.figures.sum("http_requests_total", asked)
    failed = seen.figures.sum(
        "http_requests_total", lambda labels: asked(labels) and labels.get("status", "").startswith("5")
    )
    return failed / total if total >= ENOUGH else None


def errors(seen: Seen) -> Iterator[Finding]:
    """Agents, section 13: state and health, reachability of the stores; restart it, roll a new release back."""
    if seen.answers is not None and seen.answers.state != "healthy":
        yield fail("errors", f"The desk is not available. {seen.answers.cause}", _of_stores(seen) or _again(seen))
    for process in seen.processes:
        if process.away:
            away = ", ".join(f"{name} ({state})" for name, state in process.away.items())
            yield fail("errors", f"{process.name} is not ready: {away}", _of_stores(seen) or "Mend what it names.")
        elif process.ready is False:
            yield fail("errors", f"{process.name} does not answer", _again(seen, process))
    failing = failed_share(seen)
    if failing is not None and failing > seen.targets.error_share:
        by_route = seen.figures.by(
            "http_requests_total", "path", lambda labels: labels.get("status", "").startswith("5")
        )
        worst = max(by_route, key=lambda route: by_route[route])
        cause = f"{share(failing)} of the requests fail, most of them at {worst} ({by_route[worst]:.0f})"
        yield fail("errors", cause, _of_stores(seen) or _again(seen))


def _of_stores(seen: Seen) -> str:
    looked = [seen.probe(name) for name in ("database", "redis", "broker")]
    away = [each.name for each in looked if each is not None and not each.well and each.fault != "missing"]
    return f"Mend {' and '.join(away)} first: see there." if away else ""


def _again(seen: Seen, process: ProcessSeen | None = None) -> str:
    if seen.released_hours_ago is not None and seen.released_hours_ago < NEW:
        hours = f"{seen.released_hours_ago:.0f} h"
        return f"The release is {hours} old: undo it first (frontdesk release undo), then look for the cause."
    return f"Its log says why; start it again: frontdesk {f'restart {process.name}' if process else 'up'}"


def slowest(seen: Seen) -> Iterator[Finding]:
    """Agents, section 13: P99 over its objective: name the slowest part, GPU and memory pressure."""
    p99 = seen.figures.quantile(0.99, "http_request_duration_seconds", short)
    if p99 is None or p99 <= seen.targets.response:
        return
    tails = {
        path: seen.figures.quantile(
            0.99, "http_request_duration_seconds", lambda labels, path=path: labels.get("path") == path
        )
        or 0.0
        for path in seen.figures.by("http_request_duration_seconds_count", "path", short)
    }
    worst = max(tails, key=lambda path: tails[path])
    over = f"P99 is {duration(p99)}, over {duration(seen.targets.response)}"
    cause = f"{over}; the slowest is {worst} ({duration(tails[worst])})"
    yield fail("p99", cause, f"A trace of it names the slowest span. {_pressed(seen)}".strip())


def _pressed(seen: Seen) -> str:
    for gpu in seen.machine.gpus:
        if gpu.used >= BUSY_GPU or gpu.memory >= 0.9 * gpu.memory_most:
            used = f"{share(gpu.used)} busy, {size(gpu.memory)} of {size(gpu.memory_most)} taken"
            return f"{gpu.name} is {used}: cap or move the group of lowest priority."
    for process in seen.processes:
        if process.cpu is not None and process.cpu >= 0.9:
            return f"{process.name} uses {share(process.cpu)} of a core: add a replica."
    return "Neither CPU nor a card is full: look at the database and the network between the services."


def objectives(seen: Seen) -> Iterator[Finding]:
    """Agents, section 13: alerts and their cause, budget left; freeze releases when it is spent."""
    failing = failed_share(seen)
    if failing is None:
        return
    budget = 1 - seen.targets.availability
    if failing > budget:
        cause = f"{share(1 - failing)} of the requests succeeded, {share(seen.targets.availability)} are promised"
        remedy = (
            "The budget of errors is spent: release nothing but mends until it has recovered, and mend `errors` first."
        )
        yield fail("objectives", cause, remedy)
    elif failing > budget / 2:
        cause = f"{share(failing / budget)} of the budget of errors is used"
        yield warn("objectives", cause, "Release with care, and look at `errors` now.")
