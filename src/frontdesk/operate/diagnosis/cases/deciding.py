"""Decisions: slower than their target, or less sure of themselves than they should be."""

from collections.abc import Iterator

from frontdesk.operate.diagnosis.case import duration, fail, share, warn
from frontdesk.operate.diagnosis.cases.stores import slowest_of
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding

ENOUGH = 20  # decisions, below which a mean says nothing
BUSY = 0.85
ROUND_TRIP = 2.0  # seconds of a model call, beyond which writing lags behind deciding


def latency(seen: Seen) -> Iterator[Finding]:
    """Engagement, section 12: decisions over their target: load of each replica, the models, the slowest queries."""
    p95 = seen.figures.quantile(0.95, "ai_decision_duration_seconds")
    count = seen.figures.sum("ai_decision_duration_seconds_count")
    if p95 is None or count < ENOUGH or p95 <= seen.targets.decision:
        return
    because = _because(seen)
    cause = f"Of 100 decisions 5 take longer than {duration(p95)}; the target is {duration(seen.targets.decision)}"
    yield fail("decision latency", f"{cause}. {because or 'No part of it is full'}", _remedy(because))


def _because(seen: Seen) -> str:
    busy = [each for each in seen.processes if each.cpu is not None and each.cpu >= BUSY]
    if busy:
        return f"{busy[0].name} uses {share(busy[0].cpu or 0)} of a core"
    slow = slowest_of(seen.database.slowest, 0.05) if seen.database else []
    if slow:
        return f"{len(slow)} queries are slow, the slowest takes {duration(slow[0].seconds)}: {slow[0].text}"
    if seen.database and seen.database.waiting:
        return f"{len(seen.database.waiting)} statements wait for locks of the database"
    trip = seen.figures.mean("frontdesk_model_call_duration_seconds")
    if trip is not None and trip > ROUND_TRIP:
        return f"A call of a model takes {duration(trip)}, on average"
    return ""


def _remedy(because: str) -> str:
    if "quer" in because:
        return "Tune those queries: EXPLAIN (ANALYZE, BUFFERS). Set CACHE_ENABLED=true."
    if "core" in because:
        return "Scale to 5 replicas (services.NAME.scaling.least). Set CACHE_ENABLED=true."
    return "Set CACHE_ENABLED=true; then scale to 5 replicas."


def confidence(seen: Seen) -> Iterator[Finding]:
    """Engagement, section 12: mean confidence under its measure, many decisions for people; how learning goes."""
    mean = seen.figures.mean("ai_decision_confidence")
    count = seen.figures.sum("ai_decision_confidence_count")
    if mean is None or count < ENOUGH or mean >= seen.targets.confidence:
        return
    bands = seen.figures.by("ai_decisions_total", "confidence_level")
    total = sum(bands.values())
    people = f"{share((total - bands.get('high', 0.0)) / total)} are held or wait for a person" if total else ""
    learned = seen.figures.sum("ai_learning_events_total")
    cause = f"Mean confidence is {share(mean)}, under {share(seen.targets.confidence)}; {people}"
    if not seen.learning:
        yield fail("confidence", f"{cause}. Learning is switched off", "Set LEARNING_ENABLED=true.")
    elif learned < 1:
        remedy = "Send feedback: POST /api/v1/feedback, or connect the channels that report opens and clicks."
        yield fail("confidence", f"{cause}. No outcome has been learned from", remedy)
    else:
        remedy = (
            "Learn faster for a while: PUT /api/v1/engagement/settings with learning_rate 0.15 and an end; "
            "then one step of evolution: frontdesk evolution step"
        )
        yield fail("confidence", f"{cause}. {learned:.0f} outcomes have been learned from", remedy)
    error = seen.figures.most("ai_calibration_error")
    if error is not None and error > 0.1:
        cause = f"Confidence is off by {share(error)}: what it says is not what comes true"
        yield warn("confidence", cause, "Look at how the policy was learned: frontdesk policies list, then show")
