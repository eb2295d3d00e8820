"""The engagement blueprint: each environment starts with its column of settings, and the segments with theirs."""

from pathlib import Path

import pytest

from frontdesk.decision.options import EngagementOptions
from frontdesk.system.home import blueprint_file
from frontdesk.system.load import examine, load
from frontdesk.system.system import System

SECRETS = {
    "SECRET_KEY": "s" * 48,
    "JWT_SECRET": "j" * 48,
    "JWT_SECRET_KEY": "j" * 48,
    "ENCRYPTION_KEY": "e" * 32,
    "MCP_SERVICE_TOKEN": "m" * 48,
    "OPENAI_API_KEY": "sk-of-this-test",
    "ANTHROPIC_API_KEY": "sk-ant-of-this-test",
}

COLUMNS: dict[str, tuple[object, object]] = {
    "engagement.mode": ("fully_autonomous", "supervised"),
    "engagement.confidence_threshold": (0.85, 0.70),
    "engagement.minimum_confidence": (0.75, 0.60),
    "engagement.risk_tolerance": (0.05, 0.15),
    "engagement.learning_rate": (0.10, 0.20),
    "engagement.exploration_rate": (0.05, 0.15),
    "engagement.cache_enabled": (True, True),
    "engagement.batch_processing": (True, False),
    "engagement.parallel_execution": (True, True),
    "engagement.max_workers": (20, 10),
    "engagement.decision_latency_target": (100, 200),
    "engagement.throughput_target": (10_000, 5_000),
    "engagement.error_rate_threshold": (0.001, 0.01),
    "engagement.safety.content_filtering": ("strict", "moderate"),
    "engagement.safety.pii_detection": (True, True),
    "engagement.safety.compliance_checking": (True, True),
    "engagement.safety.audit_logging": ("comprehensive", "detailed"),
    "engagement.learning.enabled": (True, True),
    "engagement.learning.feedback_integration": ("real_time", "batch"),
    "engagement.learning.model_update_frequency": ("daily", "hourly"),
    "engagement.learning.strategy_evolution": ("enabled", "testing"),
    "engagement.rollback.max_performance_drop": (0.10, 0.10),
    "models.openai_model": ("gpt-4-turbo", "gpt-4"),
    "knowledge.embedder.model": ("text-embedding-3-large", "text-embedding-3-small"),
    "http.port": (8085, 8085),
    "telemetry.metrics_port": (9090, 9090),
}


def started(home: Path, environment: str, **variables: str) -> System:
    return load(blueprint_file("engagement"), home=home, variables={"NODE_ENV": environment, **SECRETS, **variables})


@pytest.mark.proves("engagement-6")
@pytest.mark.parametrize(("environment", "place"), [("production", 0), ("staging", 1)])
def test_an_environment_starts_with_its_column(environment: str, place: int, tmp_path: Path) -> None:
    shown = {setting.path: setting.value for setting in started(tmp_path, environment).settings()}
    assert {name: shown[name] for name in COLUMNS} == {name: values[place] for name, values in COLUMNS.items()}


@pytest.mark.proves("engagement-6")
@pytest.mark.parametrize(
    ("environment", "floor"), [("production", "0.86"), ("staging", "0.71"), ("development", "0.61")]
)
def test_a_floor_above_the_threshold_refuses_to_start(environment: str, floor: str, tmp_path: Path) -> None:
    variables = {"NODE_ENV": environment, "MINIMUM_CONFIDENCE": floor, **SECRETS}
    _, problems = examine(blueprint_file("engagement"), home=tmp_path, variables=variables)
    assert any("is above the threshold" in problem.what for problem in problems)


def test_the_flat_variables_rule_production(tmp_path: Path) -> None:
    system = started(
        tmp_path,
        "production",
        AI_ORCHESTRATION_PORT="8086",
        LOG_LEVEL="info",
        LEARNING_ENABLED="false",
        CONFIDENCE_THRESHOLD="0.9",
        MINIMUM_CONFIDENCE="0.8",
        RISK_TOLERANCE="0.04",
        ADAPTATION_RATE="0.12",
        EXPLORATION_RATE="0.06",
        PRIMARY_LLM="gpt-5",
        FALLBACK_LLM="claude-5",
        MAX_TOKENS="2000",
        TEMPERATURE="0.5",
        DECISION_LATENCY_TARGET="90",
        THROUGHPUT_TARGET="9000",
        ERROR_RATE_THRESHOLD="0.002",
        MAX_PERFORMANCE_DROP="0.2",
        BIAS_DETECTION="false",
        EXPLAINABILITY_REQUIRED="false",
        CACHE_ENABLED="false",
    )
    options = system.section(EngagementOptions)
    assert (options.confidence_threshold, options.minimum_confidence, options.risk_tolerance) == (0.9, 0.8, 0.04)
    assert (options.learning_rate, options.exploration_rate, options.cache_enabled) == (0.12, 0.06, False)
    assert (options.learning.enabled, options.bias.enabled, options.explainability_required) == (False, False, False)
    assert (options.decision_latency_target, options.throughput_target) == (90, 9000)
    assert (options.error_rate_threshold, options.rollback.max_performance_drop) == (0.002, 0.2)
    shown = {setting.path: setting.value for setting in system.settings()}
    assert (shown["http.port"], shown["telemetry.log_level"]) == (8086, "INFO")
    assert (shown["models.openai_model"], shown["models.anthropic_model"]) == ("gpt-5", "claude-5")
    assert (shown["models.max_tokens"], shown["models.temperature"]) == (2000, 0.5)


def test_a_temporary_name_of_the_learning_rate_is_the_stronger_one(tmp_path: Path) -> None:
    system = started(tmp_path, "production", ADAPTATION_RATE="0.12", LEARNING_RATE="0.15")
    assert system.section(EngagementOptions).learning_rate == 0.15


def test_enterprise_is_as_its_figures_say_and_others_are_more_relaxed(tmp_path: Path) -> None:
    segments = started(tmp_path, "production").section(EngagementOptions).segments
    enterprise = segments["enterprise"]
    assert (enterprise.approach, enterprise.personalization_depth) == ("conservative", 5)
    assert (enterprise.risk_tolerance, enterprise.innovation_level) == (0.02, 0.3)
    assert enterprise.compliance_requirements == ["SOC2", "GDPR", "HIPAA"]
    assert enterprise.content_guidelines.model_dump() == {
        "tone": "professional",
        "formality": 0.9,
        "technical_depth": "high",
        "emoji_usage": "never",
        "length_preference": "comprehensive",
    }
    rules = enterprise.engagement_rules.model_dump(exclude={"quiet_from", "quiet_until"})
    assert rules == {
        "max_messages_per_week": 3,
        "business_hours_only": True,
        "approval_required": True,
        "escalation_enabled": True,
    }
    for other in (segments["default"], segments["smb"]):
        assert other.risk_tolerance > enterprise.risk_tolerance
        assert not other.engagement_rules.approval_required
