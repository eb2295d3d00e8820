"""The figures that each blueprint has to keep beside its services', in the description and in what follows from it."""

import re
from functools import cache

import pytest
from prometheus_client import Histogram

from frontdesk.system.alerts import AlertsOptions
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import Edge, variables_said
from frontdesk.system.layout.proofs.capacity import capacity
from frontdesk.system.layout.quantities import bytes_text
from frontdesk.system.layout.stores import Redis
from frontdesk.telemetry import metrics
from tests.system.shipped import ENVIRONMENTS, of, postgres

# --- namespaces, images, secrets, stores --------------------------------------------

NAMESPACES = {
    "assistant": ("ai-assistant-development", "ai-assistant-staging", "ai-assistant"),
    "conversation": ("ai-conversation-development", "ai-conversation-staging", "ai-conversation"),
    "engagement": ("userwhisperer-dev", "userwhisperer-staging", "userwhisperer-prod"),
    "answering": ("ai-ninja-development", "ai-ninja-staging", "ai-ninja"),
    "agents": ("ai-system-development", "ai-system-staging", "ai-system"),
}


@pytest.mark.parametrize("blueprint", NAMESPACES)
def test_each_environment_has_a_namespace_of_its_own(blueprint: str) -> None:
    found = tuple(of(blueprint, environment).deployment.namespace for environment in ENVIRONMENTS)
    assert found == NAMESPACES[blueprint]


STORES = {  # database, its user, the names of both stores
    "assistant": ("ai_assistant", "postgres", "postgres", "redis"),
    "conversation": ("ai_conversation", "ai_conversation_user", "postgres-primary-service", "redis-service"),
    "engagement": ("userwhisperer", "postgres", "postgres-service", "redis-service"),
    "answering": ("ai_ninja_main", "ai_ninja_user", "postgres-service", "redis-service"),
    "agents": ("ai_system", "frontdesk", "postgres-service", "redis-service"),
}


@pytest.mark.parametrize("blueprint", STORES)
def test_stores_have_their_names_ports_and_a_supported_release(blueprint: str) -> None:
    database, redis = postgres(blueprint), of(blueprint).stores["redis"]
    assert (database.database, database.user, database.name, redis.name) == STORES[blueprint]
    assert (database.port, redis.port) == (5432, 6379)
    assert re.search(r"pg1[78]\b|:1[78]", database.image)
    assert "latest" not in f"{database.image}{redis.image}"


@pytest.mark.parametrize(
    ("blueprint", "names"),
    {
        "assistant": "ai-assistant-config ai-assistant-secrets ai-assistant-tls",
        "conversation": "ai-conversation-config ai-conversation-secrets ai-conversation-tls",
        "engagement": "ai-orchestration-config ai-orchestration-secrets ai-orchestration-tls",
        "answering": "ai-ninja-config app-secrets ai-ninja-tls",
    }.items(),
)
def test_config_secret_and_certificate_have_the_names_that_operators_know(blueprint: str, names: str) -> None:
    plan = of(blueprint)
    assert f"{plan.config_name} {plan.secret_name} {plan.tls_secret}" == names


SECRETS = {
    ("assistant", "orchestrator"): "SECRET_KEY JWT_SECRET_KEY DATABASE_URL REDIS_URL OPENAI_API_KEY GOOGLE_CLIENT_ID "
    "GOOGLE_CLIENT_SECRET GITHUB_CLIENT_ID GITHUB_CLIENT_SECRET MCP_SERVICE_TOKEN",
    ("assistant", "mcp_example"): "MCP_SERVICE_TOKEN",
    ("assistant", "frontend"): "",
    ("conversation", "app"): "SECRET_KEY JWT_SECRET_KEY ENCRYPTION_KEY REDIS_PASSWORD POSTGRES_PASSWORD "
    "TELEGRAM_BOT_TOKEN TELEGRAM_WEBHOOK_SECRET SENTRY_DSN",
    ("conversation", "worker_ml"): "OPENAI_API_KEY TELEGRAM_BOT_TOKEN ENCRYPTION_KEY",
    ("engagement", "ai_orchestration"): "OPENAI_API_KEY ANTHROPIC_API_KEY EMBEDDING_API_KEY POSTGRES_PASSWORD "
    "REDIS_PASSWORD JWT_SECRET_KEY",
    ("engagement", "channel_orchestration"): "SMTP_USER SMTP_PASSWORD",
}


@pytest.mark.parametrize(("blueprint", "key"), SECRETS)
def test_each_service_gets_the_secrets_that_it_needs(blueprint: str, key: str) -> None:
    got, wanted = set(of(blueprint).service(key).secrets), set(SECRETS[blueprint, key].split())
    assert wanted <= got
    assert got == wanted or key not in ("mcp_example", "frontend")


# --- hosts and stores ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("blueprint", "environment", "machines", "cpu", "memory"),
    [
        ("conversation", "staging", 6, 24, 96),
        ("conversation", "production", 12, 72, 288),
        ("answering", "staging", 6, 12, 48),
        ("answering", "production", 12, 48, 192),
    ],
)
def test_the_least_and_the_recommended_nodes_add_up(
    blueprint: str, environment: str, machines: int, cpu: int, memory: int
) -> None:
    hosts = [host for name, host in of(blueprint, environment).hosts.items() if name != "ml"]  # those are optional
    assert sum(host.count for host in hosts) == machines
    assert sum(host.count * host.cpu for host in hosts) == cpu * 1000
    assert sum(host.count * host.memory for host in hosts) == memory * 2**30


def test_check_says_that_all_services_of_answering_at_their_most_need_more_than_the_recommended_nodes() -> None:
    (found,) = capacity(of("answering"))
    assert found.severity == "warning"
    assert "ask for 56.2 CPU" in found.problem.what
    assert "the hosts have 48.0 CPU and 192.0 GiB" in found.problem.what
    assert re.search(r"answering\.yaml:\d+$", found.problem.where or "")


def test_nodes_with_cards_are_as_listed() -> None:
    ml = of("conversation").hosts["ml"]
    assert ml.gpu is not None
    assert (ml.gpu.model, ml.gpu.count, ml.labels["node-type"], ml.cpu) == ("T4", 2, "ml", 8000)
    mainpc, pc2 = of("agents").hosts["mainpc"].gpu, of("agents").hosts["pc2"].gpu
    assert mainpc is not None
    assert pc2 is not None
    assert (mainpc.model, mainpc.memory, mainpc.spare) == ("RTX 4090", 24 * 2**30, 2**30)
    assert (pc2.model, pc2.memory) == ("RTX 3060", 12 * 2**30)


def test_the_quotas_and_default_bounds_are_as_listed() -> None:
    engagement, answering = of("engagement").deployment.quota, of("answering").deployment.quota
    assert engagement is not None
    assert answering is not None
    assert (engagement.requests_cpu, engagement.limits_cpu) == (50_000, 100_000)
    assert (engagement.requests_memory, engagement.limits_memory) == (100 * 2**30, 200 * 2**30)
    counted = (engagement.volume_claims, engagement.load_balancers, engagement.secrets, engagement.config_maps)
    assert counted == (10, 3, 20, 20)
    assert (answering.requests_cpu, answering.requests_memory) == (60_000, 128 * 2**30)
    asked = of("answering").deployment.default_requests
    assert (asked.cpu, asked.memory) == (250, 256 * 2**20)


def test_the_servers_of_engagement_are_tuned_as_listed() -> None:
    database = postgres("engagement")
    assert (database.connections, database.reserved) == (200, 3)
    assert database.settings == {
        "shared_buffers": "2GB",
        "effective_cache_size": "6GB",
        "work_mem": "16MB",
        "maintenance_work_mem": "512MB",
        "max_parallel_workers_per_gather": 4,
        "max_parallel_workers": 8,
        "parallel_tuple_cost": 0.1,
        "parallel_setup_cost": 1000,
        "log_statement": "mod",
        "log_min_duration_statement": 1000,
        "log_checkpoints": True,
        "log_connections": True,
        "log_disconnections": True,
        "shared_preload_libraries": "pg_stat_statements",
    }
    cache_store, queue = of("engagement").stores["cache"], of("engagement").stores["redis"]
    assert isinstance(cache_store, Redis)
    assert isinstance(queue, Redis)
    assert (cache_store.keeps, queue.keeps) == ("cache", "everything")
    assert queue.settings["maxmemory-policy"] == "noeviction"
    assert cache_store.settings == {
        "maxmemory": "4gb",
        "maxmemory-policy": "allkeys-lru",
        "save": "900 1 300 10 60 10000",
        "tcp-keepalive": 300,
        "timeout": 0,
        "hash-max-listpack-entries": 512,
        "hash-max-listpack-value": 64,
        "list-max-listpack-size": -2,
        "set-max-intset-entries": 512,
    }


def test_databases_are_copied_pooled_and_snapshotted_as_listed() -> None:
    conversation = postgres("conversation")
    assert conversation.pooler is not None
    assert (conversation.replicas, conversation.pooler.server_connections) == (1, 100)
    assert conversation.names == ("postgres-master-service",)
    storage = conversation.storage
    assert (bytes_text(storage.size), storage.storage_class) == ("100Gi", "fast-ssd")
    assert (storage.snapshot_class, storage.snapshots) == ("csi-snapclass", 4)
    assert [bytes_text(of("assistant", "development").stores[name].storage.size) for name in ("postgres", "redis")] == [
        "10Gi",
        "5Gi",
    ]
    assert all(of("assistant", name).stores["postgres"].managed for name in ("staging", "production"))


# --- settings, edge, network ------------------------------------------------------------

VARIABLES = {
    "assistant": "OPENAI_MODEL=gpt-4 OPENAI_MAX_TOKENS=4096 OPENAI_TEMPERATURE=0.7 RATE_LIMIT_ENABLED=true "
    "RATE_LIMIT_PER_MINUTE=60 RATE_LIMIT_PER_HOUR=1000 LOG_LEVEL=INFO DEBUG=false DATABASE_POOL_SIZE=20 "
    "DATABASE_MAX_OVERFLOW=40 REDIS_SSL=true PROMETHEUS_ENABLED=true "
    "ALLOWED_ORIGINS=https://ai-assistant.example.com,https://api.ai-assistant.example.com",
    "conversation": "DB_POOL_SIZE=30 DB_MAX_OVERFLOW=50 METRICS_ENABLED=true SENTRY_ENVIRONMENT=production "
    "TELEGRAM_WEBHOOK_URL=https://your-domain.com/webhook",
    "engagement": "LOG_LEVEL=INFO LEARNING_ENABLED=true CONFIDENCE_THRESHOLD=0.85 MINIMUM_CONFIDENCE=0.75 "
    "RISK_TOLERANCE=0.05 ADAPTATION_RATE=0.1 EXPLORATION_RATE=0.05 PRIMARY_LLM=gpt-4-turbo "
    "FALLBACK_LLM=claude-3-sonnet MAX_TOKENS=4000 TEMPERATURE=0.7 DECISION_LATENCY_TARGET=100 "
    "THROUGHPUT_TARGET=10000 ERROR_RATE_THRESHOLD=0.001 MAX_PERFORMANCE_DROP=0.1 BIAS_DETECTION=true "
    "EXPLAINABILITY_REQUIRED=true CACHE_ENABLED=true EMBEDDING_MODEL=text-embedding-3-large",
}


@pytest.mark.parametrize("blueprint", VARIABLES)
def test_production_is_told_the_listed_variables(blueprint: str) -> None:
    wanted = dict(pair.split("=", 1) for pair in VARIABLES[blueprint].split())
    said = variables_said(of(blueprint).system)
    assert {name: said.get(name) for name in wanted} == wanted


def test_services_find_each_other_in_the_cluster() -> None:
    plan = of("assistant")
    assert plan.service("frontend").variables["ORCHESTRATOR_URL"] == "http://orchestrator:8000"
    assert plan.service("orchestrator").variables["MCP_DISCOVERY_URLS"] == "http://mcp-example:8001"
    told = of("conversation").service("app").variables
    assert (told["DB_NAME"], told["DB_USER"], told["DB_HOST"]) == (
        "ai_conversation",
        "ai_conversation_user",
        "pgbouncer",
    )


def test_what_embeds_in_engagement_can_reach_the_endpoint_and_knows_the_size_of_its_vectors() -> None:
    plan = of("engagement")
    assert {edge.source for edge in plan.edges if edge.target == "model"} == {
        "ai_orchestration",
        "content_generation",
        "channel_orchestration",
    }
    knowledge = plan.system.sections["knowledge"].model_dump()
    assert (knowledge["embedder"]["model"], knowledge["embedder"]["dimensions"]) == ("text-embedding-3-large", 3072)


def test_only_the_gateway_and_prometheus_reach_the_orchestration() -> None:
    into = {(edge.source, edge.port) for edge in of("engagement").edges if edge.target == "ai_orchestration"}
    assert into == {("role=api-gateway", 8085), ("monitoring", 9090)}


def test_the_bot_is_reached_by_the_edge_and_reaches_what_it_must() -> None:
    edges = of("conversation").edges
    assert {Edge("edge", "app", 8000), Edge("monitoring", "app", 8001)} <= set(edges)
    assert {edge.target for edge in edges if edge.source == "worker_ml" and edge.port == 443} == {
        *("model", "telegram", "sentry"),
    }


HOSTS = {
    "assistant": {"ai-assistant.example.com": "frontend", "api.ai-assistant.example.com": "orchestrator"},
    "conversation": {"your-domain.com": "app"},
    "answering": {"ws.ai-ninja.com": "realtime_processor"},
}


@pytest.mark.parametrize("blueprint", HOSTS)
def test_public_names_lead_to_their_services(blueprint: str) -> None:
    edge = of(blueprint).edge
    assert HOSTS[blueprint].items() <= {public.host: public.service for public in edge.hosts}.items()
    assert "/metrics" in edge.hidden
    assert (bytes_text(edge.max_body), edge.timeout, edge.issuer) == ("10Mi", 600, "letsencrypt-prod")


# --- objectives, alerts, backups, order -----------------------------------------------------------------

OBJECTIVES = {  # of each category: percent available, seconds for 99 of 100, percent without an error
    "coordination": (99.9, 0.5, 99.9),
    "memory": (99.95, 0.1, 99.95),
    "gpu": (99.5, 2, 99.8),
    "language": (99.9, 1, 99.9),
    "web": (99.9, 0.3, 99.9),
}


@pytest.mark.parametrize("category", OBJECTIVES)
def test_each_category_of_agents_has_its_three_objectives(category: str) -> None:
    named = {each.name: each for each in of("agents").objectives.all if each.category == category}
    latency = named[f"{category}-latency"]
    figures = (named[f"{category}-availability"].target, latency.threshold, named[f"{category}-errors"].target)
    assert figures == OBJECTIVES[category]
    assert latency.target == 99


BOUNDS = re.compile(r'(\w+)_bucket\{[^}]*le="([0-9.]+)"')


@cache
def edges() -> dict[str, set[float]]:
    """The edges of every histogram of the desk: of those without labels as published, of the others as made."""
    found = {
        family.name: {float(sample.labels["le"]) for sample in family.samples if sample.name.endswith("_bucket")}
        for family in metrics.registry.collect()
    }
    for metric in vars(metrics).values():
        if isinstance(metric, Histogram):
            (description,) = metric.describe()
            found[description.name] = set(metric._upper_bounds)  # pyright: ignore[reportPrivateUsage] — nothing else tells them
    return found


@pytest.mark.parametrize("blueprint", NAMESPACES)
def test_every_bound_that_is_asked_for_is_an_edge_of_its_histogram(blueprint: str) -> None:
    for objective in of(blueprint).objectives.all:
        for name, bound in BOUNDS.findall(objective.good):
            assert float(bound) in edges()[name], objective.name
            assert objective.threshold == float(bound), objective.name


ALERTS = {  # severity, how long, and what its expression ends with or holds
    "assistant": {
        "OrchestratorDown": ("critical", "1m", "absent("),
        "FrontendDown": ("critical", "1m", "absent("),
        "HighErrorRate": ("critical", "5m", "> 0.05"),
        "ErrorRateRaised": ("warning", "5m", "> 0.01"),
        "HighLatency": ("warning", "5m", "> 2"),
        "NoToolServer": ("warning", "5m", "== 0"),
        "ModelCircuitOpen": ("critical", "2m", "== 1"),
        "BackupOld": ("critical", "10m", "> 26 * 3600"),
        "TokenBudgetSpent": ("warning", "0s", "[24h]"),
    },
    "conversation": {
        "ServiceDown": ("critical", "1m", "absent("),
        "DatabaseUnreachable": ("critical", "30s", "== 0"),
        "HighErrorRate": ("critical", "5m", "> 0.05"),
        "HighLatency": ("warning", "5m", "> 5"),
        "MemoryHigh": ("warning", "5m", "> 0.8"),
        "DiskSpaceLow": ("warning", "5m", "< 0.15"),
        "Deployed": ("info", "0s", "version"),
        "Scaled": ("info", "0s", "count"),
    },
    "engagement": {
        "AIOrchestrationDown": ("critical", "2m", "absent("),
        "HighDecisionLatency": ("warning", "5m", "> 0.1"),
        "LowAIConfidence": ("warning", "10m", "< 0.75"),
        "LearningStagnation": ("warning", "30m", "[1h])) < 1"),
        "HighAIErrorRate": ("critical", "5m", "> 0.01"),
    },
    "answering": {
        "ServiceDown": ("critical", "1m", "absent("),
        "HighErrorRate": ("critical", "5m", "> 0.05"),
        "SlowResponses": ("critical", "5m", "> 2"),
        "DatabaseFailing": ("critical", "0s", "[1m]"),
        "ResourcesExhausted": ("critical", "5m", "> 0.95"),
        "ResourcesHigh": ("warning", "10m", "> 0.8"),
        "ErrorRateRaised": ("warning", "10m", "> 0.01"),
        "ProcessRestarted": ("warning", "0s", "[15m]"),
        "ResponsesSlowing": ("warning", "10m", "> 1"),
    },
    "agents": {
        "GroupDown": ("critical", "1m", "absent("),
        "CardBusy": ("warning", "10m", "> 95"),
        "CardMemoryHigh": ("warning", "5m", "> 90"),
        "BackupOld": ("critical", "10m", "> 26 * 3600"),
    },
}


@pytest.mark.parametrize(("blueprint", "name"), [(name, alert) for name, each in ALERTS.items() for alert in each])
def test_each_alert_has_its_threshold_duration_and_severity(blueprint: str, name: str) -> None:
    (rule,) = [rule for rule in of(blueprint).system.section(AlertsOptions).rules if rule.name == name]
    severity, lasting, holds = ALERTS[blueprint][name]
    assert (rule.severity, rule.lasting) == (severity, lasting)
    assert holds in rule.expression


def test_the_rules_of_engagement_are_looked_at_every_30_seconds() -> None:
    options = of("engagement").system.section(AlertsOptions)
    assert (options.group, options.interval) == ("ai_orchestration_alerts", "30s")


@pytest.mark.parametrize("blueprint", NAMESPACES)
def test_backups_are_made_at_two_and_kept_as_long_as_listed(blueprint: str) -> None:
    options = of(blueprint).system.section(BackupOptions)
    assert options.at == "02:00"
    assert options.remote
    if blueprint == "agents":
        assert options.keep is not None
        assert (options.keep.daily, options.keep.weekly, options.keep.monthly) == (7, 4, 3)
    else:
        assert (options.keep, options.keep_days) == (None, 30)


def test_groups_of_agents_begin_in_the_listed_order() -> None:
    assert of("agents").stages == (
        ("infra_core", "pc2_infra_core"),
        ("observability",),
        ("memory_stack", "pc2_memory_stack"),
        ("coordination",),
        ("vision_gpu", "speech_gpu", "learning_gpu", "reasoning_gpu"),
        ("language_stack", "emotion_system", "utility_cpu", "pc2_utility_cpu"),
        ("async_pipeline", "tutoring_cpu", "vision_dream_gpu"),
        ("web_interface",),
    )


def test_services_of_answering_begin_platform_first_then_support_then_core() -> None:
    stage = {running.service.labels["tier"]: set[int]() for running in of("answering").services}
    for running in of("answering").services:
        stage[running.service.labels["tier"]].add(running.stage)
    assert max(stage["platform"]) < min(stage["support"])
    assert max(stage["support"]) < min(stage["core"])
