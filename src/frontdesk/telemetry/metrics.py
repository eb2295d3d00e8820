"""Every metric that the desk publishes, in one place. `docs/reference/metrics.md` is generated from here.

Labels hold names of a bounded set (routes, models, outcomes), never ids or text.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

registry = CollectorRegistry()

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

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
    buckets=SECONDS,
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
