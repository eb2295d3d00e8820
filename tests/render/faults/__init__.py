"""What goes wrong, and what only looks so: for each blueprint a fault for every alert, and series that fire none."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.render.faults import agents, answering, assistant, conversation, engagement
from tests.render.planted import Fault, Series

EVERYWHERE = {
    "a backup is damaged": Fault(
        alert="BackupDamaged",
        series={
            'frontdesk_backup_damaged{instance="a"}': "0x4 1x10 0x30",
            'frontdesk_backup_damaged{instance="b"}': "0x44",
        },
        quiet="8m",
        fires="11m",
        resolved="16m",
    ),
}


@dataclass(frozen=True, slots=True)
class Planted:
    """Of one blueprint: the faults, what is harmless, the series of a healthy system, and when those are looked at."""

    faults: Mapping[str, Fault]
    harmless: Mapping[str, Series]
    healthy: Series
    minutes: tuple[int, ...] = (1, 6, 12, 30)


PLANTED = {
    "agents": Planted(agents.FAULTS | EVERYWHERE, agents.HARMLESS, agents.HEALTHY),
    "answering": Planted(answering.FAULTS | EVERYWHERE, answering.HARMLESS, answering.HEALTHY),
    "assistant": Planted(assistant.FAULTS | EVERYWHERE, assistant.HARMLESS, assistant.HEALTHY),
    "conversation": Planted(conversation.FAULTS | EVERYWHERE, conversation.HARMLESS, conversation.HEALTHY),
    "engagement": Planted(
        engagement.FAULTS | EVERYWHERE, engagement.HARMLESS, engagement.HEALTHY, (1, 12, 61, 100, 150)
    ),
}
