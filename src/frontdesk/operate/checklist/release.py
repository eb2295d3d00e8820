"""The 37 items before a release, in six groups (assistant, section 13)."""

from collections.abc import Iterator

from frontdesk.gate.options import GateOptions
from frontdesk.models.options import ANTHROPIC_URL, OPENAI_URL, ModelsOptions
from frontdesk.operate.checklist.item import Items, Verdict, at_an_address, by_a_person, failed, manual, passed, unless
from frontdesk.operate.checklist.sight import Sight
from frontdesk.operate.secrets import listed
from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import Running
from frontdesk.system.layout.proofs.connections import connections
from frontdesk.system.layout.proofs.lifetimes import lifetimes
from frontdesk.system.options import RedisOptions, StoreOptions, TelemetryOptions
from frontdesk.tools.options import ToolsOptions

HOUR, DAY = 3600.0, 86_400.0
LATEST_BACKUP = 26 * HOUR
LATEST_RESTORE = 35 * DAY
HEADERS = (
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
)
MOST_FAILURES = 20  # beyond which a circuit protects nobody


def _several(sight: Sight) -> bool:
    """Whether more than one process answers or works."""
    return sum(each.service.most for each in _ours(sight)) > 1


def _ours(sight: Sight) -> Iterator[Running]:
    return (each for each in sight.plan.services if each.service.role in ("all", "web", "worker"))


# --- security ---


def secrets(sight: Sight) -> Verdict:
    found = [each for each in listed(sight.system) if each.users]
    open_ = [each.name for each in found if each.open_to_others]
    in_file = [each.name for each in found if sight.system.environment_variables.is_in_file(each.name)]
    if open_:
        return failed(f"Others can read {', '.join(open_)}: chmod 600")
    if in_file:
        return failed(
            f"{', '.join(in_file)} stand in the environment file: frontdesk secrets create NAME --from-file -"
        )
    if sight.plan.services and sight.plan.deployment.secrets_from == "plain":
        return failed("`deployment.secrets_from` is plain: take `external` or `sealed`")
    if not found:
        return failed("No secret is set: frontdesk secrets create --all")
    return passed(f"{len(found)} secrets, none in the system file or the environment file")


def tls(sight: Sight) -> Verdict:
    bad = [f"{each.host}: {each.fault}" for each in sight.hosts if each.days is None]
    if sight.hosts and not bad:
        return passed(f"{', '.join(each.host for each in sight.hosts)} answer with certificates that are trusted")
    public = sight.system.section(GateOptions).public_url
    if public.startswith("http://"):
        return failed("PUBLIC_URL is not https")
    if bad:
        return failed("; ".join(bad))
    if public:
        return passed(f"PUBLIC_URL is https; a proxy ends TLS ({public})")
    return failed("No public address: set PUBLIC_URL to an https address, or `edge.hosts`")


def headers(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    missing = [name for name in HEADERS if name not in sight.desk.headers]
    return unless(f"Missing: {', '.join(missing)}" if missing else "", "HSTS, CSP, nosniff, frames, referrer")


def rate_limits(sight: Sight) -> Verdict:
    gate = sight.system.section(GateOptions)
    if not gate.rate_limit_enabled:
        return failed("RATE_LIMIT_ENABLED is off")
    if _several(sight) and not _has_redis(sight):
        return failed("Several processes without Redis count apart: set REDIS_URL")
    return passed(f"{gate.rate_limit_per_minute} a minute, {gate.rate_limit_per_hour} an hour, for each person")


def input_checks(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    status = sight.desk.malformed
    return unless(
        "" if 400 <= status < 500 else f"A malformed request is answered with {status or 'nothing'}",
        f"A malformed request is refused with {status}; bodies are bounded",
    )


def sql_injection(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    status = sight.desk.hostile
    return unless(
        "" if status == 401 else f"A credential that holds SQL is answered with {status or 'nothing'}",
        "A credential that holds SQL is 401; every statement is prepared",
    )


def script(sight: Sight) -> Verdict:
    if sight.desk is None:
        return at_an_address()
    policy = sight.desk.headers.get("content-security-policy", "")
    scripts = next((part for part in policy.split(";") if part.strip().startswith(("script-src", "default-src"))), "")
    bad = not scripts or "'unsafe-inline'" in scripts or "*" in scripts
    return unless(
        "The policy lets stored script run" if bad else "", f"Script comes from the desk alone: {scripts.strip()}"
    )


# --- configuration ---


def variables(sight: Sight) -> Verdict:
    if not sight.problems:
        return passed("Every setting is there and can be used")
    more = f" and {len(sight.problems) - 3} more" if len(sight.problems) > 3 else ""
    return failed(f"{'; '.join(problem.what for problem in sight.problems[:3])}{more}: frontdesk check")


def database(sight: Sight) -> Verdict:
    result = sight.store("database")
    if result is None or result.fault == "missing":
        return failed("SQLite, not made yet: start the desk once, or set DATABASE_URL")
    if result.state != "healthy":
        return failed(f"{result.cause}. {result.remedy}")
    if result.kind == "sqlite" and _several(sight):
        return failed("SQLite serves one machine: set DATABASE_URL for several replicas")
    return passed(result.cause)


def redis(sight: Sight) -> Verdict:
    result = sight.store("redis")
    if result is not None:
        return passed(result.cause) if result.state == "healthy" else failed(f"{result.cause}. {result.remedy}")
    if _several(sight):
        return failed("Several processes need one: set REDIS_URL")
    return passed("None is needed: one process counts for itself")


def _has_redis(sight: Sight) -> bool:
    return bool(sight.system.section(RedisOptions).url) or "redis" in sight.plan.stores


def model_keys(sight: Sight) -> Verdict:
    models = sight.system.section(ModelsOptions).every()
    strong = [each for each in models if each.wire not in ("local", "quote", "scripted")]
    keyless = [
        each.name
        for each in strong
        if each.key_variable and not sight.system.variable(each.key_variable) and each.base_url in _HOSTED
    ]
    if keyless:
        return failed(f"{', '.join(keyless)} have no key: frontdesk secrets create OPENAI_API_KEY --from-file -")
    if not strong:
        return failed("No strong model: set OPENAI_API_KEY, ANTHROPIC_API_KEY or OPENAI_BASE_URL")
    return passed(f"{', '.join(each.name for each in strong)} can be asked")


_HOSTED = (None, OPENAI_URL, ANTHROPIC_URL)


def providers(sight: Sight) -> Verdict:
    gate = sight.system.section(GateOptions)
    pairs = {
        "Google": (gate.google_client_id, gate.google_client_secret.get_secret_value()),
        "GitHub": (gate.github_client_id, gate.github_client_secret.get_secret_value()),
        gate.oidc_name: (gate.oidc_client_id, gate.oidc_client_secret.get_secret_value()),
    }
    half = [name for name, (one, other) in pairs.items() if bool(one) != bool(other)]
    whole = [name for name, (one, other) in pairs.items() if one and other]
    if half:
        return failed(f"{', '.join(half)}: id and secret go together")
    if whole:
        return passed(f"People can sign in with {', '.join(whole)}; try each once")
    if not gate.local_sign_in:
        return failed("Nobody can sign in: neither a provider nor `gate.local_sign_in`")
    return manual("No provider is set up: people sign in by password or link. Is that meant?")


def origins(sight: Sight) -> Verdict:
    listed_ = sight.system.section(GateOptions).allowed_origins
    local = [origin for origin in listed_ if "//localhost" in origin or "//127." in origin]
    if local and sight.system.environment == "production":
        return failed(f"ALLOWED_ORIGINS holds {', '.join(local)}")
    if sight.desk is not None and sight.desk.foreign != 403:
        return failed(f"A page of a foreign origin is answered with {sight.desk.foreign or 'nothing'}")
    return passed(f"Only {', '.join(listed_) or 'the desk itself'}")


# --- monitoring ---


def metrics(sight: Sight) -> Verdict:
    if not sight.system.section(TelemetryOptions).metrics:
        return failed("PROMETHEUS_ENABLED is off")
    if sight.desk is None:
        return passed("Switched on; an address shows them")
    there = "http_requests_total" in sight.desk.figures
    return unless("" if there else "/metrics does not tell http_requests_total", "/metrics tells http_requests_total")


def dashboards(sight: Sight) -> Verdict:
    found = sight.plan.dashboards.all
    return unless(
        "" if found else "None is described: `dashboards.list`",
        f"{', '.join(each.title for each in found)}: frontdesk render observability",
    )


def alerts(sight: Sight) -> Verdict:
    rules = sight.system.section(AlertsOptions).rules
    critical = sum(rule.severity == "critical" for rule in rules)
    if not critical:
        return failed("No critical alert is described: `alerts.rules`")
    if not sight.plan.dashboards.alerts_to:
        return failed(f"{len(rules)} alerts, and nobody is told: `dashboards.alerts_to`")
    return passed(f"{len(rules)} alerts, {critical} of them critical")


def log_lines(sight: Sight) -> Verdict:
    if not sight.plan.services:
        return manual("The desk writes JSON lines to stderr. Where are they gathered?")
    days = sight.plan.dashboards.logs_days
    return manual(f"`frontdesk render observability` brings Vector and Loki ({days} days). Do lines arrive there?")


def error_tracking(sight: Sight) -> Verdict:
    told = sight.system.section(TelemetryOptions).sentry_dsn.get_secret_value()
    return unless("" if told else "SENTRY_DSN is not set", "Errors are told to Sentry, without anybody's words")


def tracing(sight: Sight) -> Verdict:
    own = sight.system.section(TelemetryOptions).otlp_endpoint
    collector = sight.plan.outside.get("telemetry")
    if own:
        return passed(f"Traces go to {own}")
    if collector is not None:
        return passed(f"Services send traces to {collector.hosts[0]}:{collector.port}")
    return failed("OTEL_EXPORTER_OTLP_ENDPOINT is not set")


# --- performance ---


def indexes(sight: Sight) -> Verdict:
    if sight.tables is None:
        return manual("The database did not tell. Its indexes come with its tables: start the desk once")
    return unless(
        "" if sight.tables else "The tables are not of this version: start the desk, which brings them up to date",
        "Tables and their indexes are of this version",
    )


def caching(sight: Sight) -> Verdict:
    if _several(sight) and not _has_redis(sight):
        return failed("Several processes share nothing: set REDIS_URL")
    if sight.desk is not None and "cache-control" not in sight.desk.headers:
        return failed("Pages say nothing of how long they may be kept")
    return passed("Redis for what processes share; pages and scripts say how long they may be kept")


def pooling(sight: Sight) -> Verdict:
    store = sight.system.section(StoreOptions)
    found = [each.problem.what for each in connections(sight.plan)]
    if found:
        return failed(found[0])
    if "postgres" in sight.plan.stores:
        return passed(f"{store.pool_size} + {store.max_overflow} connections a process fit the server")
    if sight.system.database_url.startswith("sqlite"):
        return passed("SQLite needs none")
    return manual(f"{store.pool_size} + {store.max_overflow} for each process: do they fit the server?")


def autoscaling(sight: Sight) -> Verdict:
    if not sight.plan.services:
        return manual("One machine. Are processes added by hand? frontdesk up --workers")
    scaled = [each for each in sight.plan.services if each.service.scaling]
    rigid = [each.key for each in _ours(sight) if not each.service.scaling]
    if not scaled:
        return failed(f"No service of {sight.system.environment} has `scaling`: {', '.join(rigid)}")
    return passed(", ".join(f"{each.key} {each.service.least}-{each.service.most}" for each in scaled))


def limits(sight: Sight) -> Verdict:
    if not sight.plan.services:
        return manual("One machine. Does its service manager bound memory and CPU? frontdesk render systemd")
    without = [
        each.key
        for each in sight.plan.services
        if not (each.service.resources.limits.memory and each.service.resources.limits.cpu)
    ]
    return unless(
        f"Without limits: {', '.join(without)}" if without else "", "Every service has limits of CPU and memory"
    )


# --- reliability ---


def _probed(sight: Sight, path: str, status: int | None) -> Verdict:
    if status is not None:
        return unless("" if status == 200 else f"{path} answers {status or 'nothing'}", f"{path} answers 200")
    wrong = [
        each.key
        for each in sight.plan.services
        if each.service.port
        and each.service.built
        and (each.service.probes.liveness if path == "/health" else each.service.probes.readiness).path != path
    ]
    if not sight.plan.services:
        return at_an_address()
    return unless(f"{', '.join(wrong)} ask elsewhere" if wrong else "", f"Every service is asked at {path}")


def health(sight: Sight) -> Verdict:
    return _probed(sight, "/health", sight.desk.health if sight.desk else None)


def readiness(sight: Sight) -> Verdict:
    if sight.desk is not None and sight.desk.away:
        return failed(f"Not ready: {', '.join(sight.desk.away)}")
    return _probed(sight, "/ready", sight.desk.ready if sight.desk else None)


def circuits(sight: Sight) -> Verdict:
    circuit, tools = sight.system.section(ModelsOptions).circuit, sight.system.section(ToolsOptions)
    if max(circuit.failures, tools.circuit_failures) > MOST_FAILURES:
        return failed(f"A circuit that opens after more than {MOST_FAILURES} failures protects nobody")
    return passed(f"Models: {circuit.failures} failures in {circuit.window:g} s; tools: {tools.circuit_failures}")


def retries(sight: Sight) -> Verdict:
    tries = sight.system.section(ModelsOptions).retry.tries
    return unless("" if tries > 1 else "A model is asked once: `models.retry.tries`", f"A model is asked {tries} times")


def stopping(sight: Sight) -> Verdict:
    found = [each.problem.what for each in lifetimes(sight.plan) if "killed" in each.problem.what]
    if found:
        return failed(found[0])
    return passed("What runs may end before it is killed; streams go on where they were")


def backups(sight: Sight) -> Verdict:
    options = sight.system.section(BackupOptions)
    if not options.at and "postgres" not in sight.plan.stores:
        return failed("`backup.at` names no time, and no cluster's job makes any")
    if not options.remote:
        return failed("No second place: set BACKUP_REMOTE")
    if sight.desk is not None:
        if sight.desk.figures.most("frontdesk_backup_damaged"):
            return failed("A backup is damaged or gone: frontdesk doctor")
        last = sight.desk.figures.most("frontdesk_backup_last_success_timestamp_seconds") or 0.0
        if sight.now - last > LATEST_BACKUP:
            return failed(
                "The last good backup is older than 26 hours: frontdesk backup create" if last else "No backup was made"
            )
    when = f"Daily at {options.at}" if options.at else "Daily by a job of the cluster"
    return passed(f"{when}, kept {options.keep_days} days, and in {options.remote}")


# --- testing ---


def recovery(sight: Sight) -> Verdict:
    last = sight.desk.figures.most("frontdesk_restore_last_success_timestamp_seconds") if sight.desk else None
    if sight.desk is None or last is None:
        return manual("frontdesk restore NAME --into FOLDER tries a backup elsewhere. When was that last done?")
    if not last:
        return failed("No restore was ever tried: frontdesk restore NAME --into FOLDER")
    days = (sight.now - last) / DAY
    return unless("" if days <= 35 else f"The last restore was {days:.0f} days ago", f"Restored {days:.0f} days ago")


ITEMS: Items = (
    (
        "Security",
        (
            ("Secrets in a secret store", secrets),
            ("TLS", tls),
            ("Security headers", headers),
            ("Rate limiting", rate_limits),
            ("Input validation", input_checks),
            ("SQL-injection prevention", sql_injection),
            ("XSS protection", script),
        ),
    ),
    (
        "Configuration",
        (
            ("Variables set", variables),
            ("Database", database),
            ("Redis", redis),
            ("Model keys", model_keys),
            ("OAuth providers", providers),
            ("CORS", origins),
        ),
    ),
    (
        "Monitoring",
        (
            ("Metrics exposed", metrics),
            ("Dashboards", dashboards),
            ("Alerts", alerts),
            ("Log aggregation", log_lines),
            ("Error tracking", error_tracking),
            ("Performance tracing (APM)", tracing),
        ),
    ),
    (
        "Performance",
        (
            ("Database indexes", indexes),
            ("Caching", caching),
            (
                "CDN for static assets",
                by_a_person("Files under /assets have a name of their own for each content. Is a CDN before them?"),
            ),
            ("Connection pooling", pooling),
            ("Autoscaling", autoscaling),
            ("Resource limits", limits),
        ),
    ),
    (
        "Reliability",
        (
            ("Health checks", health),
            ("Readiness", readiness),
            ("Circuit breakers", circuits),
            ("Retry logic", retries),
            ("Graceful shutdown", stopping),
            ("Backup strategy", backups),
        ),
    ),
    (
        "Testing",
        (
            (
                "Unit tests",
                by_a_person("The job `test` of the pipeline (frontdesk render ci): is it green for this commit?"),
            ),
            (
                "Integration tests",
                by_a_person("The same run, with real stores; then ask the staged desk something: frontdesk chat"),
            ),
            (
                "Load test",
                by_a_person("frontdesk load ADDRESS prints a verdict. Was it `pass`, at the load that you expect?"),
            ),
            (
                "Security scan",
                by_a_person("The job `scan` of the pipeline fails on mendable HIGH and CRITICAL findings. Green?"),
            ),
            (
                "Penetration test",
                by_a_person("Somebody from outside has tried, and what was found is mended. Who, and when?"),
            ),
            ("Recovery test", recovery),
        ),
    ),
)
