"""Faults of the agents blueprint."""

from tests.render.faults.assistant import BACKUP
from tests.render.planted import Fault, Series

GROUPS = (  # those that are built
    "infra-core",
    "observability",
    "memory-stack",
    "coordination",
    "language-stack",
    "utility-cpu",
    "pc2-infra-core",
    "pc2-memory-stack",
    "pc2-utility-cpu",
    "async-pipeline",
    "web-interface",
)
UP = 'up{job="%s", instance="a", machine="%s"}'
CARD = 'nvidia_smi_%s{uuid="x", machine="mainpc"}'
ALL_DAY = "x60"


def up(group: str) -> str:
    """The series of a group on its machine."""
    on_the_second = group.startswith("pc2") or group in ("async-pipeline", "web-interface")
    return UP % (group, "pc2" if on_the_second else "mainpc")


HEALTHY: Series = {**{up(group): f"1{ALL_DAY}" for group in GROUPS}, BACKUP: f"0{ALL_DAY}"}

FAULTS = {
    "a group dies": Fault(
        alert="GroupDown",
        series={**HEALTHY, up("pc2-memory-stack"): "1x4 0x10 1x30"},
        quiet="5m",
        fires="6m",
        resolved="16m",
        labels={"job": "pc2-memory-stack", "instance": "a", "machine": "pc2"},
    ),
    **{
        f"nothing is known of {group}": Fault(
            alert="GroupDown",
            series={**HEALTHY, up(group): "1x4 _x10 1x30"},
            quiet="9m",
            fires="11m",
            resolved="16m",
            labels={"job": group},
        )
        for group in GROUPS
    },
    "a card is busy": Fault(
        alert="CardBusy",
        series={CARD % "utilization_gpu_ratio": "0.7x10 0.98x20 0.7x30"},
        quiet="19m",
        fires="22m",
        resolved="35m",
        labels={"uuid": "x", "machine": "mainpc"},
    ),
    "a card's memory is full": Fault(
        alert="CardMemoryHigh",
        series={
            CARD % "memory_used_bytes": "20x10 23x20 20x30",
            CARD % "memory_total_bytes": f"24{ALL_DAY}",
        },
        quiet="14m",
        fires="17m",
        resolved="35m",
        labels={"uuid": "x", "machine": "mainpc"},
    ),
    "memory runs out": Fault(
        alert="MemoryHigh",
        series={"frontdesk_memory_used_bytes": "50x10 85x20 50x30", "frontdesk_memory_limit_bytes": f"100{ALL_DAY}"},
        quiet="11m",
        fires="17m",
        resolved="35m",
    ),
    "there is no new backup": Fault(
        alert="BackupOld",
        series={BACKUP: "0x1640 98400x60"},
        quiet="1565m",
        fires="1580m",
        resolved="1650m",
        evaluated="5m",
    ),
    "work waits": Fault(
        alert="WorkWaits",
        series={'queue_oldest_seconds{queue="general", instance="a"}': "10x10 400x20 10x30"},
        quiet="14m",
        fires="17m",
        resolved="35m",
        labels={"queue": "general"},
    ),
}

HARMLESS: dict[str, Series] = {
    "a card rests": {CARD % "utilization_gpu_ratio": f"0{ALL_DAY}"},
    "a short spike of a card": {CARD % "utilization_gpu_ratio": "0.7x10 1x5 0.7x45"},
    "a long queue that moves": {
        'queue_length{queue="general", instance="a"}': f"500{ALL_DAY}",
        'queue_oldest_seconds{queue="general", instance="a"}': f"60{ALL_DAY}",
    },
}
