"""Faults of the engagement blueprint."""

from tests.render.planted import Fault, Series

UP = 'up{job="ai-orchestration", instance="a"}'
TOOK = 'ai_decision_duration_seconds_bucket{le="%s"}'
DECIDED = 'ai_decisions_total{customer_segment="smb", objective="retain", confidence_level="high"}'
FAILED = 'ai_orchestration_errors_total{stage="decide", error_type="store_unavailable"}'
LEARNED = 'ai_learning_events_total{event_type="click", significance="medium"}'

HEALTHY: Series = {UP: "1x240"}

FAULTS = {
    "a process dies": Fault(
        alert="AIOrchestrationDown",
        series={UP: "1x4 0x10 1x30"},
        quiet="6m",
        fires="8m",
        resolved="16m",
        labels={"job": "ai-orchestration", "instance": "a"},
    ),
    "nothing is known of any process": Fault(
        alert="AIOrchestrationDown",
        series={UP: "1x4 _x15 1x30"},
        quiet="10m",
        fires="13m",
        resolved="22m",
        labels={"job": "ai-orchestration"},
    ),
    "decisions take long": Fault(
        alert="HighDecisionLatency",
        series={
            TOOK % "0.1": "0+100x10 1000+50x20 2000+100x30",
            TOOK % "0.5": "0+100x60",
            TOOK % "+Inf": "0+100x60",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "confidence sinks": Fault(
        alert="LowAIConfidence",
        series={
            "ai_decision_confidence_sum": "0+90x20 1800+50x40 3800+90x60",
            "ai_decision_confidence_count": "0+100x120",
        },
        quiet="21m",
        fires="55m",
        resolved="90m",
    ),
    "nothing is learned": Fault(
        alert="LearningStagnation",
        series={LEARNED: "0+1x10 10+0x150 10+1x60", "ai_learning_enabled": "1x240"},
        quiet="60m",
        fires="110m",
        resolved="170m",
    ),
    "what is asked fails": Fault(
        alert="HighAIErrorRate",
        series={DECIDED: "0+100x60", FAILED: "0+0x10 0+5x20 100+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
}

HARMLESS: dict[str, Series] = {
    "learning is off": {LEARNED: "0x240", "ai_learning_enabled": "0x240"},
    "learning goes on": {LEARNED: "0+1x240", "ai_learning_enabled": "1x240"},
    "one in a thousand fails": {DECIDED: "0+1000x240", FAILED: "0+1x240"},
    "nothing is decided": {
        "ai_decision_confidence_sum": "0+0x240",
        "ai_decision_confidence_count": "0+0x240",
    },
}
