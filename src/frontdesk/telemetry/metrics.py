"""Every metric that the desk publishes, in one place. `docs/reference/metrics.md` is generated from here.

Labels hold names of a bounded set (routes, models, outcomes), never ids or text.
"""

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

registry = CollectorRegistry()
ProcessCollector(registry=registry)  # process_resident_memory_bytes, process_cpu_seconds_total, … of this process

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUEST_SECONDS = (0.05, 0.1, 0.25, 0.3, 0.5, 1, 2, 2.5, 5, 10, 30)  # 0.3 and 2 are bounds of objectives and alerts

# Every HTTP request is counted under two pairs of names, because operators of the blueprints know either the one or the
# other, and a rule of theirs must find the name that it asks for without a rewriting server in between.

http_requests = Counter(
    "http_requests_total",
    "HTTP requests, by route template",
    ["method", "path", "status"],
    registry=registry,
)
http_request_duration = Histogram(
    "http_request_duration_seconds",
    "Time from a request to its last byte; for streams to the first one",
    ["method", "path"],
    buckets=REQUEST_SECONDS,
    registry=registry,
)
requests = Counter(
    "requests_total",
    "The same HTTP requests under the name of the conversation blueprint",
    ["route", "method", "status"],
    registry=registry,
)
response_time = Histogram(
    "response_time_seconds",
    "The same time under the name of the conversation blueprint",
    ["route"],
    buckets=SECONDS[:-1],
    registry=registry,
)
tokens_used = Counter(
    "openai_tokens_used_total",
    "Tokens used, of every model and wire (the name is kept from the first one)",
    ["model", "kind"],
    registry=registry,
)
model_circuit_open = Gauge(
    "frontdesk_model_circuit_open", "1 while the model's circuit is open", ["model"], registry=registry
)
model_call_duration = Histogram(
    "frontdesk_model_call_duration_seconds",
    "Time of a whole model call, by outcome: ok, failed, abandoned",
    ["model", "outcome"],
    buckets=SECONDS,
    registry=registry,
)
model_first_token = Histogram(
    "frontdesk_model_first_token_seconds",
    "Time from a model call to its first word",
    ["model"],
    buckets=SECONDS,
    registry=registry,
)
model_failures = Counter(
    "frontdesk_model_failures_total", "Failed model calls, by reason", ["model", "reason"], registry=registry
)
memory_retrieval = Histogram(
    "frontdesk_memory_retrieval_seconds",
    "Time to find, of what is remembered about a person, the facts that bear on a question",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
    registry=registry,
)
tool_servers_up = Gauge("frontdesk_tool_servers_up", "MCP servers that answer now", registry=registry)
tool_calls = Counter(
    "frontdesk_tool_calls_total",
    "Tool calls by MCP server and outcome: ok, tool_error, bad_arguments, timeout, broken, unavailable",
    ["server", "outcome"],
    registry=registry,
)
tool_call_duration = Histogram(
    "frontdesk_tool_call_duration_seconds",
    "Time that an MCP server took for a call",
    ["server"],
    buckets=SECONDS,
    registry=registry,
)

# --- people and channels ---

telegram_updates = Counter(
    "telegram_updates_total",
    "Updates from Telegram by kind and outcome: accepted, duplicate, refused",
    ["kind", "outcome"],
    registry=registry,
)
telegram_limited = Counter(
    "frontdesk_telegram_limited_total",
    "Calls that Telegram put off (429), which are made again later",
    registry=registry,
)
replies = Counter(
    "replies_total",
    "Replies that left the desk, by outcome: sent, fallback (an apology or another model's), failed",
    ["outcome"],
    registry=registry,
)
reply_latency = Histogram(
    "reply_latency_seconds",
    "Time from a message's arrival to its reply's being sent",
    buckets=(0.5, 1, 2, 5, 10, 20, 30),
    registry=registry,
)
typing_simulations = Counter(
    "typing_simulations_total",
    "Times that typing was shown before a reply, by outcome: finished, cancelled",
    ["outcome"],
    registry=registry,
)
conversations_active = Gauge(
    "conversations_active",
    "People who were in a conversation within the last 5 minutes, counted in the database: the same of every process",
    registry=registry,
)


class Distribution(Collector):
    """A histogram of how things are now, not of what has happened: read it without `rate`."""

    def __init__(self, name: str, documentation: str, *, buckets: Sequence[int], registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._buckets = tuple(buckets)
        self._values: tuple[int, ...] = ()
        registry.register(self)

    def show(self, values: Sequence[int]) -> None:
        """These are the values now."""
        self._values = tuple(values)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        counts = [0] * (len(self._buckets) + 1)
        for value in self._values:
            counts[bisect_left(self._buckets, value)] += 1
        bounds = [*(f"{bound:.1f}" for bound in self._buckets), "+Inf"]
        upto = [(bound, float(sum(counts[: index + 1]))) for index, bound in enumerate(bounds)]
        yield HistogramMetricFamily(self._name, self._documentation, buckets=upto, sum_value=float(sum(self._values)))

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """For the registry: the name, without values."""
        yield HistogramMetricFamily(self._name, self._documentation)


conversation_length = Distribution(
    "conversation_length_messages",
    "Messages in each conversation of the last hour, as they are now, counted in the database (no counter: no rate)",
    buckets=(1, 2, 5, 10, 20, 50),
    registry=registry,
)

# --- decisions about customers ---


class Observed(Collector):
    """A histogram that takes many values at once: thousands a second cost it next to nothing."""

    def __init__(self, name: str, documentation: str, *, buckets: Sequence[float], registry: CollectorRegistry) -> None:
        self._name, self._documentation = name, documentation
        self._bounds = [*(float(bound) for bound in buckets), float("inf")]
        self._counts = [0] * len(self._bounds)
        self._sum = 0.0
        registry.register(self)

    def observe_many(self, values: Sequence[float]) -> None:
        """Count these values."""
        for value, count in Counts(values).items():
            self._counts[bisect_left(self._bounds, value)] += count
            self._sum += value * count

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """For the registry."""
        names = [*(str(bound) for bound in self._bounds[:-1]), "+Inf"]
        upto = list(zip(names, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets=upto, sum_value=self._sum)

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """For the registry: the name, without values."""
        yield HistogramMetricFamily(self._name, self._documentation)


decisions = Counter(
    "ai_decisions_total",
    "Decisions, by band of confidence: low (held), medium (a person decides), high",
    ["customer_segment", "objective", "confidence_level"],
    registry=registry,
)
decision_duration = Observed(
    "ai_decision_duration_seconds",
    "Time from a question to its durable decision",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5),
    registry=registry,
)
decision_confidence = Observed(
    "ai_decision_confidence",
    "Calibrated probability that a decision was better than doing nothing, by the margin",
    buckets=(0.1, 0.3, 0.5, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0),
    registry=registry,
)
decisions_per_second = Gauge(
    "ai_decisions_per_second",
    "Decisions of this process a second, over the last 10 seconds: what its replicas are scaled by",
    registry=registry,
)
orchestration_errors = Counter(
    "ai_orchestration_errors_total",
    "What failed on the way from an event to a message, by stage",
    ["stage", "error_type"],
    registry=registry,
)

# --- the process and what it needs ---

build_info = Gauge(
    "frontdesk_build_info", "1 for each process, labelled with what runs", ["version", "role"], registry=registry
)
part_up = Gauge("frontdesk_part_up", "1 while the database or Redis answers this process", ["part"], registry=registry)
memory_used = Gauge(
    "frontdesk_memory_used_bytes", "Working set of the process's container, or of the machine", registry=registry
)
memory_limit = Gauge(
    "frontdesk_memory_limit_bytes", "Memory that the container, or the machine, has", registry=registry
)
disk_free = Gauge("frontdesk_disk_free_bytes", "Free space on the disk of the desk's home", registry=registry)
disk_size = Gauge("frontdesk_disk_size_bytes", "Size of the disk of the desk's home", registry=registry)

# --- backups ---

backup_last_success = Gauge(
    "frontdesk_backup_last_success_timestamp_seconds",
    "When the newest good backup was finished, by the audit log: the same of every process; 0: there is none",
    registry=registry,
)
restore_last_success = Gauge(
    "frontdesk_restore_last_success_timestamp_seconds",
    "When a backup of this desk was last brought back, here or elsewhere to try it, by the audit log; 0: never",
    registry=registry,
)
backup_size = Gauge(
    "frontdesk_backup_size_bytes", "Size of the newest backup, where this process can see it", registry=registry
)
backup_failures = Counter(
    "frontdesk_backup_failures_total", "Backups that this process could not make", registry=registry
)
backup_damaged = Gauge(
    "frontdesk_backup_damaged",
    "1 when a backup was damaged or gone at the last look at all of them, every week, by the audit log",
    registry=registry,
)

# --- limits ---

limited = Counter(
    "frontdesk_limited_total", "Requests that a limit refused, by the limit's name", ["limit"], registry=registry
)
limits_shared = Gauge(
    "frontdesk_limits_shared",
    "1 while all processes count a limit together in Redis, 0 while Redis is away and this one keeps to its share",
    ["limit"],
    registry=registry,
)
takeovers = Counter(
    "frontdesk_takeovers_total",
    "Conversations that people of the team took over, and what they did with them: taken, returned, closed",
    ["outcome"],
    registry=registry,
)
satisfaction = Counter(
    "frontdesk_satisfaction_total",
    "Answers to the question how content people were, by score from 1 to 5",
    ["score"],
    registry=registry,
)

# --- messages to customers ---

outreach_messages = Counter(
    "frontdesk_outreach_total",
    "Messages to customers by channel and what became of them: approval, scheduled, released, withheld, withdrawn, …",
    ["channel", "state"],
    registry=registry,
)
outreach_verdicts = Counter(
    "frontdesk_outreach_verdicts_total",
    "What people said of messages: approve, edit, reject; overrule of held ones; expire, escalate where nobody did",
    ["verdict"],
    registry=registry,
)

# --- learning ---

learning_events = Counter(
    "ai_learning_events_total",
    "Outcomes of decisions that were taken in, by kind and significance: low, medium, high",
    ["event_type", "significance"],
    registry=registry,
)
learning_enabled = Gauge("ai_learning_enabled", "1 while outcomes change what is decided", registry=registry)
pattern_discoveries = Counter(
    "ai_pattern_discoveries_total",
    "Patterns found in outcomes, by kind and by how sure they are: medium, high",
    ["pattern_type", "confidence"],
    registry=registry,
)
calibration_error = Gauge(
    "ai_calibration_error",
    "Expected calibration error of the champion's confidence, on customers whom nothing was learned from",
    registry=registry,
)

# --- strategies ---

strategy_fitness = Gauge(
    "ai_strategy_fitness_score",
    "Fitness of the best strategy of the latest step of evolution, in conversions a decision; older series are dropped",
    ["strategy_type", "generation"],
    registry=registry,
)
evolution_generation = Gauge(
    "ai_evolution_generation", "How many steps of evolution there were", ["strategy_type"], registry=registry
)
strategy_moves = Counter(
    "frontdesk_strategy_moves_total",
    "Strategies that the guard moved, by what it did (promoted, ended, rolled_back, or on trial) and by which rule",
    ["act", "rule"],
    registry=registry,
)
bias_findings = Gauge(
    "frontdesk_bias_findings",
    "Groups of people who are treated too differently, surely and unaccepted, by measure: selection, offer, outcome",
    ["measure"],
    registry=registry,
)

# --- work ---

queue_length = Gauge(
    "queue_length", "Rows that wait for a worker, by queue, counted in the database", ["queue"], registry=registry
)
queue_oldest = Gauge(
    "queue_oldest_seconds", "How long the oldest of them has been waiting, by queue", ["queue"], registry=registry
)
workers_alive = Gauge(
    "frontdesk_workers_alive",
    "Processes that work on a queue and showed a sign of life within 30 s, counted in the database",
    ["queue"],
    registry=registry,
)
rows_running = Gauge(
    "frontdesk_rows_running", "Rows that this process works on or has in hand, by kind", ["kind"], registry=registry
)


def names() -> frozenset[str]:
    """What every published metric is called, without the endings of counters and histograms."""
    return frozenset(family.name for family in registry.collect())
