"""Slow answers: which part is the bottleneck. The one that waits longest beyond its measure is named first."""

from collections.abc import Iterator, Mapping

from frontdesk.operate.diagnosis.case import duration, fail, share, warn
from frontdesk.operate.diagnosis.cases.serving import short
from frontdesk.operate.diagnosis.cases.stores import slowest_of
from frontdesk.operate.diagnosis.cases.use import at_its_most
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding

WAITS = 5.0  # seconds for which the oldest row of a queue may wait
FIRST_WORD = 3.0  # seconds that a model may take for its first word
WHOLE = 20.0  # seconds that a model call may take
BUSY = 0.85  # share of one core: a process has one thread that answers
STATEMENT = 0.1  # seconds that a statement may take on average
PUT_OFF = 0.01  # share of the replies


def slow(seen: Seen) -> Iterator[Finding]:
    """Conversation, section 11: name the bottleneck: app, queue, model, database, Telegram's limit."""
    p95 = seen.figures.quantile(0.95, "http_request_duration_seconds", short)
    reply = seen.figures.quantile(0.95, "reply_latency_seconds")
    causes = [*_app(seen), *at_its_most(seen.cluster), *_queue(seen), *_model(seen), *_database(seen), *_telegram(seen)]
    yield from causes
    told = [
        (p95, seen.targets.response, "requests"),
        (reply, seen.targets.reply, "replies"),
    ]
    for value, most, what in told:
        if value is not None and value > most and not causes:
            cause = f"Of 100 {what} 5 take longer than {duration(value)}, and no part of the desk is full"
            yield warn(
                "slow", cause, "Look at a trace (OTEL_EXPORTER_OTLP_ENDPOINT), and at the network to the people."
            )


def _app(seen: Seen) -> Iterator[Finding]:
    for process in seen.processes:
        if process.cpu is not None and process.cpu >= BUSY:
            cause = f"The app is the bottleneck: {process.name} uses {share(process.cpu)} of a core"
            yield fail("slow", cause, "Add web replicas: services.NAME.replicas, or `frontdesk up --workers`.")


def _queue(seen: Seen) -> Iterator[Finding]:
    for queue, _ in seen.figures.by("queue_oldest_seconds", "queue").items():
        oldest = (
            seen.figures.most("queue_oldest_seconds", lambda labels, queue=queue: labels.get("queue") == queue) or 0.0
        )
        if oldest <= WAITS:
            continue
        length = seen.figures.most("queue_length", lambda labels, queue=queue: labels.get("queue") == queue) or 0.0
        alive = seen.figures.most("frontdesk_workers_alive", lambda labels, queue=queue: labels.get("queue") == queue)
        cause = f"The queue {queue} is the bottleneck: {length:.0f} wait, the oldest for {duration(oldest)}"
        if alive == 0:
            yield fail("slow", f"{cause}, and nobody works on it", "Start a worker: frontdesk up --role worker")
        else:
            who = f"; {alive:.0f} work on it" if alive else ""
            yield fail("slow", f"{cause}{who}", f"Add workers: frontdesk up --role worker --queues {queue}")


def _model(seen: Seen) -> Iterator[Finding]:
    figures = seen.figures
    for model in sorted(figures.by("frontdesk_model_call_duration_seconds_count", "model")):

        def of_it(labels: Mapping[str, str], model: str = model) -> bool:
            return labels.get("model") == model

        first = figures.quantile(0.95, "frontdesk_model_first_token_seconds", of_it)
        whole = figures.mean("frontdesk_model_call_duration_seconds", of_it)
        if figures.most("frontdesk_model_circuit_open", of_it):
            cause = f"The model {model} is the bottleneck: its circuit is open after failures"
            yield fail("slow", cause, "See its key, its limits and its address; another in `models.order` takes over.")
        elif first is not None and first > FIRST_WORD:
            cause = f"The model {model} is the bottleneck: of 100 calls 5 take {duration(first)} to the first word"
            yield fail(
                "slow", cause, "Ask a faster or nearer model first (`models.order`), or give this one more cards."
            )
        elif whole is not None and whole > WHOLE:
            cause = f"The model {model} is the bottleneck: a call takes {duration(whole)} on average"
            yield fail("slow", cause, "Ask a faster model first (`models.order`), or lower OPENAI_MAX_TOKENS.")


def _database(seen: Seen) -> Iterator[Finding]:
    database = seen.database
    if database is None:
        return
    if database.waiting:
        cause = f"The database is the bottleneck: {len(database.waiting)} statements wait for locks"
        yield fail("slow", cause, "See `database`: it names who holds them.")
    for statement in slowest_of(database.slowest, STATEMENT)[:3]:
        took = f"{duration(statement.seconds)} for {statement.text} ({statement.calls} calls)"
        cause = f"The database is the bottleneck: {took}"
        yield fail("slow", cause, "Look at its plan with EXPLAIN (ANALYZE, BUFFERS); an index may be missing.")


def _telegram(seen: Seen) -> Iterator[Finding]:
    """Beyond a share of what was sent: a single refusal of long ago slows nobody down."""
    refused = seen.figures.sum("frontdesk_telegram_limited_total")
    if refused > PUT_OFF * seen.figures.sum("replies_total"):
        cause = f"Telegram's limit is the bottleneck: it has put the bot off {refused:.0f} times"
        yield fail("slow", cause, "Lower `telegram.rates`; what waits is sent later, and nothing is lost.")
