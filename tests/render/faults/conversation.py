"""Faults of the conversation blueprint."""

from tests.render.planted import Fault, Series

REQUESTS = 'requests_total{route="/api/v1/chat", method="POST", status="%s"}'
LATENCY = 'reply_latency_seconds_bucket{le="%s"}'
RESPONSE = 'response_time_seconds_bucket{route="%s", le="%s"}'
INFO = 'frontdesk_build_info{version="%s", role="web", instance="%s"}'
UP = 'up{job="%s", instance="%s"}'
ALL_DAY = "x60"

HEALTHY: Series = {UP % (job, "a"): f"1{ALL_DAY}" for job in ("app", "worker-general", "worker-ml")}

FAULTS = {
    "a process dies": Fault(
        alert="ServiceDown",
        series={**HEALTHY, UP % ("app", "b"): "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "app", "instance": "b"},
    ),
    "nothing is known of any worker": Fault(
        alert="ServiceDown",
        series={**HEALTHY, UP % ("worker-ml", "a"): "1x4 _x10 1x30"},
        quiet="9m",
        fires="11m",
        resolved="16m",
        labels={"job": "worker-ml"},
    ),
    "the database is away": Fault(
        alert="DatabaseUnreachable",
        series={'frontdesk_part_up{part="database", instance="a"}': "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"part": "database", "instance": "a"},
    ),
    "a tenth of the requests fails": Fault(
        alert="HighErrorRate",
        series={REQUESTS % 200: "0+90x60", REQUESTS % 500: "0+0x10 0+10x20 200+0x30"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "a tenth of the replies fails": Fault(
        alert="HighErrorRate",
        series={
            'replies_total{outcome="sent"}': "0+90x60",
            'replies_total{outcome="failed"}': "0+0x10 0+10x20 200+0x30",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "replies take long": Fault(
        alert="HighLatency",
        series={LATENCY % 5: "0+100x10 1000+50x20 2000+100x30", LATENCY % 10: "0+100x60", LATENCY % "+Inf": "0+100x60"},
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "pages take long": Fault(
        alert="HighLatency",
        series={
            RESPONSE % ("/", 1): "0+100x10 1000+50x20 2000+100x30",
            RESPONSE % ("/", 2.5): "0+100x60",
            RESPONSE % ("/", "+Inf"): "0+100x60",
        },
        quiet="11m",
        fires="20m",
        resolved="40m",
    ),
    "memory runs out": Fault(
        alert="MemoryHigh",
        series={"frontdesk_memory_used_bytes": "50x10 85x20 50x30", "frontdesk_memory_limit_bytes": f"100{ALL_DAY}"},
        quiet="11m",
        fires="17m",
        resolved="35m",
    ),
    "the disk fills up": Fault(
        alert="DiskSpaceLow",
        series={"frontdesk_disk_free_bytes": "50x10 14x20 50x30", "frontdesk_disk_size_bytes": f"100{ALL_DAY}"},
        quiet="11m",
        fires="17m",
        resolved="35m",
    ),
    "the disk of a machine fills up": Fault(
        alert="DiskSpaceLow",
        series={
            'node_filesystem_avail_bytes{fstype="ext4", mountpoint="/", machine="database"}': "50x10 14x20 50x30",
            'node_filesystem_size_bytes{fstype="ext4", mountpoint="/", machine="database"}': f"100{ALL_DAY}",
        },
        quiet="11m",
        fires="17m",
        resolved="35m",
        labels={"fstype": "ext4", "mountpoint": "/", "machine": "database"},
    ),
    "a version is deployed": Fault(
        alert="Deployed",
        series={INFO % ("1", "a"): "1x20", INFO % ("2", "a"): "_x20 1x40"},
        quiet="19m",
        fires="22m",
        resolved="40m",
        labels={"version": "2"},
    ),
    "a process is added": Fault(
        alert="Scaled",
        series={INFO % ("1", "a"): f"1{ALL_DAY}", INFO % ("1", "b"): "_x20 1x40"},
        quiet="19m",
        fires="22m",
        resolved="40m",
        labels={"role": "web"},
    ),
}

SLOW_MODEL = RESPONSE.replace("%s", "/v1/chat/completions", 1)
QUIET_NEWS = RESPONSE.replace("%s", "/api/v1/console/events", 1)

HARMLESS: dict[str, Series] = {
    "three failures in an hour": {REQUESTS % 500: "0+1x3 3+0x60", REQUESTS % 200: "0+0x60"},
    "probes that fail": {'requests_total{route="/ready", method="GET", status="503"}': "0+60x60"},
    "a slow model": {SLOW_MODEL % 1: "0+0x60", SLOW_MODEL % "+Inf": "0+9x60"},
    "quiet news": {QUIET_NEWS % 1: "0+0x60", QUIET_NEWS % "+Inf": "0+9x60"},
    "a disk that is memory": {
        'node_filesystem_avail_bytes{fstype="tmpfs", mountpoint="/run"}': f"1{ALL_DAY}",
        'node_filesystem_size_bytes{fstype="tmpfs", mountpoint="/run"}': f"100{ALL_DAY}",
    },
    "a first start": {INFO % ("1", "a"): f"1{ALL_DAY}"},
}
