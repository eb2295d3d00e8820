"""Faults of the answering blueprint."""

from tests.render.planted import Fault, Series

SERVICES = (
    "conversation-engine",
    "profile-analytics",
    "user-management",
    "configuration-service",
    "storage-service",
    "monitoring",
)
UP = 'up{job="%s", instance="%s"}'
REQUESTS = 'http_requests_total{job="user-management", method="GET", path="%s", status="%s"}'
TOOK = 'http_request_duration_seconds_bucket{job="conversation-engine", method="GET", path="%s", le="%s"}'
CPU = 'process_cpu_seconds_total{job="profile-analytics", instance="a"}'
OF_A_PROCESS = {"job": "profile-analytics", "instance": "a"}
ALL_DAY = "x60"

HEALTHY: Series = {UP % (service, "a"): f"1{ALL_DAY}" for service in SERVICES}


def memory(used: str) -> Series:
    """Of a process that may use 100."""
    labels = '{job="profile-analytics", instance="a"}'
    return {
        f"frontdesk_memory_used_bytes{labels}": used,
        f"frontdesk_memory_limit_bytes{labels}": f"100{ALL_DAY}",
    }


def slow(over: str) -> Series:
    """Half of the responses take longer than `over` seconds for 20 minutes, the others less than one."""
    quick = "0+100x10 1000+50x20 2000+100x30"
    return {
        TOOK % ("/turns", "1.0"): quick,
        TOOK % ("/turns", over): quick,
        TOOK % ("/turns", "10"): "0+100x60",
        TOOK % ("/turns", "+Inf"): "0+100x60",
    }


FAULTS = {
    "the service of users is stopped": Fault(
        alert="ServiceDown",
        series={**HEALTHY, UP % ("user-management", "a"): "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "user-management", "instance": "a"},
    ),
    **{
        f"nothing is known of {service}": Fault(
            alert="ServiceDown",
            series={**HEALTHY, UP % (service, "a"): "1x4 _x10 1x30"},
            quiet="9m",
            fires="11m",
            resolved="16m",
            labels={"job": service},
        )
        for service in SERVICES
    },
    "a tenth of a service's requests fails": Fault(
        alert="HighErrorRate",
        series={REQUESTS % ("/users", 200): "0+90x60", REQUESTS % ("/users", 500): "0+0x10 0+10x20 200+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
        labels={"job": "user-management"},
    ),
    "three of a hundred requests of a service fail": Fault(
        alert="ErrorRateRaised",
        series={REQUESTS % ("/users", 200): "0+97x60", REQUESTS % ("/users", 500): "0+0x10 0+3x25 75+0x25"},
        quiet="15m",
        fires="25m",
        resolved="50m",
        labels={"job": "user-management"},
    ),
    "responses take more than two seconds": Fault(
        alert="SlowResponses",
        series=slow("2.5"),
        quiet="11m",
        fires="20m",
        resolved="40m",
        labels={"job": "conversation-engine"},
    ),
    "responses take more than a second": Fault(
        alert="ResponsesSlowing",
        series=slow("1.0"),
        quiet="15m",
        fires="26m",
        resolved="45m",
        labels={"job": "conversation-engine"},
    ),
    "the database is away for a moment": Fault(
        alert="DatabaseFailing",
        series={'frontdesk_part_up{part="database", job="storage-service", instance="a"}': "1x10 0x2 1x30"},
        quiet="9m",
        fires="11m",
        resolved="16m",
        labels={"part": "database", "job": "storage-service", "instance": "a"},
    ),
    "memory is used up": Fault(
        alert="ResourcesExhausted",
        series=memory("50x10 97x20 50x30"),
        quiet="11m",
        fires="17m",
        resolved="35m",
        labels=OF_A_PROCESS,
    ),
    "a core is used up": Fault(
        alert="ResourcesExhausted",
        series={CPU: "0+10x10 100+59x20 1280+10x30"},
        quiet="14m",
        fires="25m",
        resolved="40m",
        labels=OF_A_PROCESS,
    ),
    "memory becomes short": Fault(
        alert="ResourcesHigh",
        series=memory("50x10 85x20 50x30"),
        quiet="15m",
        fires="25m",
        resolved="35m",
        labels=OF_A_PROCESS,
    ),
    "a core is busy": Fault(
        alert="ResourcesHigh",
        series={CPU: "0+10x10 100+54x25 1450+10x30"},
        quiet="15m",
        fires="30m",
        resolved="45m",
        labels=OF_A_PROCESS,
    ),
    "a process begins anew": Fault(
        alert="ProcessRestarted",
        series={'process_start_time_seconds{job="storage-service", instance="a"}': "100x20 1300x40"},
        quiet="19m",
        fires="25m",
        resolved="45m",
        labels={"job": "storage-service", "instance": "a"},
    ),
}

HARMLESS: dict[str, Series] = {
    "three failures in an hour": {
        REQUESTS % ("/users", 500): "0+1x3 3+0x60",
        REQUESTS % ("/users", 200): "0+0x60",
    },
    "probes that fail": {REQUESTS % ("/ready", 503): "0+60x60"},
    "quiet news": {
        TOOK % ("/api/v1/console/events", "1.0"): "0+0x60",
        TOOK % ("/api/v1/console/events", "+Inf"): "0+9x60",
    },
}
