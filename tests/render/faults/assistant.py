"""Faults of the assistant blueprint."""

from tests.render.planted import Fault, Series

UP = 'up{job="%s", instance="%s"}'
REQUESTS = 'http_requests_total{method="POST", path="%s", status="%s"}'
TOOK = 'http_request_duration_seconds_bucket{method="GET", path="%s", le="%s"}'
BACKUP = 'frontdesk_backup_last_success_timestamp_seconds{instance="a"}'
ALL_DAY = "x60"

HEALTHY: Series = {
    UP % ("orchestrator", "a"): f"1{ALL_DAY}",
    UP % ("frontend", "a"): f"1{ALL_DAY}",
    BACKUP: f"0{ALL_DAY}",  # planted series begin at the beginning of time: it was made a moment ago
}

FAULTS = {
    "a process of the orchestrator dies": Fault(
        alert="OrchestratorDown",
        series={**HEALTHY, UP % ("orchestrator", "b"): "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "orchestrator", "instance": "b"},
    ),
    "no orchestrator is known": Fault(
        alert="OrchestratorDown",
        series={UP % ("orchestrator", "a"): "1x4 _x10 1x30"},
        quiet="9m",
        fires="11m",
        resolved="16m",
        labels={"job": "orchestrator"},
    ),
    "the pages are not served": Fault(
        alert="FrontendDown",
        series={**HEALTHY, UP % ("frontend", "a"): "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "frontend", "instance": "a"},
    ),
    "a tenth of the requests fails": Fault(
        alert="HighErrorRate",
        series={REQUESTS % ("/chat", 200): "0+90x60", REQUESTS % ("/chat", 500): "0+0x10 0+10x20 200+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "three of a hundred requests fail": Fault(
        alert="ErrorRateRaised",
        series={REQUESTS % ("/chat", 200): "0+97x60", REQUESTS % ("/chat", 500): "0+0x10 0+3x20 60+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "answers take long": Fault(
        alert="HighLatency",
        series={
            TOOK % ("/chat", 1): "0+100x10 1000+50x20 2000+100x30",
            TOOK % ("/chat", 5): "0+100x60",
            TOOK % ("/chat", "+Inf"): "0+100x60",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "no tool server answers": Fault(
        alert="NoToolServer",
        series={'frontdesk_tool_servers_up{instance="a"}': "1x10 0x20 1x30"},
        quiet="14m",
        fires="17m",
        resolved="35m",
    ),
    "a circuit opens": Fault(
        alert="ModelCircuitOpen",
        series={
            'frontdesk_model_circuit_open{model="gpt-4.1", instance="a"}': "0x10 1x20 0x30",
            'frontdesk_model_circuit_open{model="gpt-4.1", instance="b"}': f"0{ALL_DAY}",
        },
        quiet="12m",
        fires="14m",
        resolved="35m",
        labels={"model": "gpt-4.1"},
    ),
    "there is no new backup": Fault(
        alert="BackupOld",
        series={BACKUP: "0x1640 98400x60"},  # 26 hours are 1560 minutes; one is made after 1640
        quiet="1565m",
        fires="1580m",
        resolved="1650m",
        evaluated="5m",
    ),
    "nothing is known of backups": Fault(
        alert="BackupOld",
        series={UP % ("orchestrator", "a"): f"1{ALL_DAY}", BACKUP: "_x30 1800x30"},
        quiet="9m",
        fires="15m",
        resolved="35m",
    ),
    "more tokens are used than a day allows": Fault(
        alert="TokenBudgetSpent",
        series={'openai_tokens_used_total{model="gpt-4.1", kind="prompt"}': "0+20000x300 6000000+0x1800"},
        quiet="30m",
        fires="300m",
        resolved="1800m",
        evaluated="5m",
    ),
}

HARMLESS: dict[str, Series] = {
    "three failures in an hour": {
        REQUESTS % ("/chat", 500): "0+1x3 3+0x60",
        REQUESTS % ("/chat", 200): "0+0x60",
    },
    "probes that fail": {REQUESTS % ("/ready", 503): "0+60x60"},
    "quiet news": {
        TOOK % ("/api/v1/console/events", 1): "0+0x60",
        TOOK % ("/api/v1/console/events", "+Inf"): "0+9x60",
    },
    "one of two tool servers is away": {
        'frontdesk_tool_servers_up{instance="a"}': f"1{ALL_DAY}",
        'frontdesk_tool_servers_up{instance="b"}': f"0{ALL_DAY}",
    },
}
