"""The daily look at how groups of customers are treated."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby

import structlog

from frontdesk.decision.bias import SEGMENT, Groups, Treated
from frontdesk.decision.options import EngagementOptions
from frontdesk.decision.settings import Settings
from frontdesk.ports import Clock
from frontdesk.store import gaps
from frontdesk.store.audit import Act, Audit
from frontdesk.store.gaps import MEASURES, GapRow, Gaps
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.decision")

LOOK_BACK = timedelta(days=28)


class Fairness:
    """Compares groups, and raises findings. `settings` gives the options in effect."""

    def __init__(self, rows: Gaps, settings: Settings, clock: Clock, audit: Audit) -> None:
        self._rows = rows
        self._settings = settings
        self._clock = clock
        self._audit = audit

    async def look(self) -> list[GapRow]:
        """Compare what was done in the last weeks; the findings that are new. Nothing where bias is not looked for."""
        options = self._settings()
        if not options.bias.enabled:
            return []
        groups, since, after = Groups(), self._clock.now() - LOOK_BACK, ""
        while rows := await self._rows.treated(since, after):
            groups.add(treated(rows, options))
            after = rows[-1].customer_id
        fresh = await self._rows.keep(groups.gaps(options.bias), options.bias.least_ratio)
        for finding in fresh:
            await self._audit.append(Act(act="bias.finding", subject=finding.id, outcome=200))
            log.warning("bias_found", measure=finding.measure, trait=finding.trait, ratio=round(finding.ratio, 3))
        await self.publish()
        return fresh

    async def publish(self) -> None:
        """Show the open findings in the metrics of this process."""
        found = await self._rows.all()
        for measure in MEASURES:
            open_ones = [row for row in found if row.state == "open" and row.measure == measure]
            metrics.bias_findings.labels(measure).set(len(open_ones))


def treated(rows: Sequence[gaps.Treated], options: EngagementOptions) -> list[Treated]:
    """Each customer with their groups, from rows that stand by customer."""
    offers = {message.key: message.offer for message in options.messages}
    found: list[Treated] = []
    for _, together in groupby(rows, key=lambda row: row.customer_id):
        own = list(together)
        traits = {name: str(own[0].traits[name]) for name in options.bias.groups if own[0].traits.get(name) is not None}
        found.append(
            Treated(
                traits={SEGMENT: own[0].segment, **traits},
                decisions=sum(row.decisions for row in own),
                messages=sum(row.messages for row in own),
                offers=sum(row.messages * offers.get(row.arm.partition("/")[0], 0.0) for row in own),
                successes=sum(row.successes for row in own),
            )
        )
    return found
