"""From what was seen to what is wrong."""

from frontdesk.operate.diagnosis.cases import CASES
from frontdesk.operate.diagnosis.seen import Seen
from frontdesk.operate.doctor import Finding


def diagnose(seen: Seen) -> list[Finding]:
    """Every case that is so, in the order in which one would mend them: what others follow from comes first."""
    found = [finding for case in CASES for finding in case.judge(seen)]
    return list(dict.fromkeys(found))
