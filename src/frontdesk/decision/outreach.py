"""A message's way from the decision to the outbox: written, approved where somebody must, released at its moment.

Each step is a transaction that names the state from which it starts, so a row may be handed out twice, by two
processes, or after one that died: what is done already is not done again.
"""

from datetime import timedelta

import structlog

from frontdesk.decision.approvals import Approvals
from frontdesk.decision.content.checks import blocks
from frontdesk.decision.content.writer import Content, Writer
from frontdesk.decision.profiles import signals
from frontdesk.decision.release import Release
from frontdesk.decision.settings import Settings
from frontdesk.engagement import Customer
from frontdesk.errors import FrontdeskError, ModelUnavailable, NotFound
from frontdesk.ports import Clock, Dispatcher
from frontdesk.store.audit import Act, Audit
from frontdesk.store.customers import Customers
from frontdesk.store.outreach import OutreachRow, OutreachRows, Written
from frontdesk.telemetry import metrics

log = structlog.get_logger("frontdesk.engagement")

LEASE = 120.0  # seconds; longer than a writing takes
FIRST_WAIT, LONGEST_WAIT = 15.0, 600.0  # seconds until models that were away are asked again; doubles with each try
PATIENCE = timedelta(hours=6)  # for which a message waits for its models; then a template serves


class Outreach:
    """Works on messages. `run` bears one that is done, or another's."""

    def __init__(
        self,
        rows: OutreachRows,
        customers: Customers,
        writer: Writer,
        approvals: Approvals,
        release: Release,
        audit: Audit,
        settings: Settings,
        clock: Clock,
        work: Dispatcher,
    ) -> None:
        self._rows = rows
        self._customers = customers
        self._writer = writer
        self._approvals = approvals
        self._release = release
        self._audit = audit
        self._settings = settings
        self._clock = clock
        self._work = work

    async def run(self, outreach_id: str) -> None:
        """Do what is due. Bears a message that is gone with its customer."""
        try:
            await self._step(outreach_id)
        except NotFound:
            return
        except Exception as error:
            kind = error.code if isinstance(error, FrontdeskError) else type(error).__name__
            metrics.orchestration_errors.labels("outreach", kind).inc()
            raise

    async def _step(self, outreach_id: str) -> None:
        claimed = await self._rows.claim(outreach_id, LEASE)
        if claimed is not None:
            await self._write(claimed)
        row = await self._rows.get(outreach_id)
        if row.due_at > self._clock.now():
            return
        if row.state == "approval":
            await self._approvals.lapse(outreach_id)
        elif row.state == "scheduled":
            await self._leave(row)

    async def _write(self, row: OutreachRow) -> None:
        customer = await self._customers.get(row.customer_id)
        now = self._clock.now()
        told = signals(customer.profile, now, customer.time_zone)
        try:
            content = await self._writer.write(row, customer, told, patient=now - row.created_at < PATIENCE)
        except ModelUnavailable as error:
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (row.attempts - 1))
            await self._rows.again(row, wait, error.code)
            metrics.orchestration_errors.labels("content", error.code).inc()
            log.warning("text_waits", outreach=row.id, code=error.code)
            return
        await self._keep(row, customer, content)
        if blocks(content.checks):
            await self._audit.append(Act(act="outreach.blocked", subject=row.id, outcome=200))

    async def _keep(self, row: OutreachRow, customer: Customer, content: Content) -> None:
        options = self._settings()
        prompt = content.prompt if options.safety.audit_logging == "comprehensive" else None
        if content.draft is None:
            await self._rows.withheld(row, content.problem, content.checks, prompt)
            metrics.outreach_messages.labels(row.channel, "withheld").inc()
            return
        text = Written(
            subject=content.draft.subject,
            body=content.draft.body,
            digest=self._approvals.digest(row, customer, content.draft),
            checks=content.checks,
            model=content.model,
            needs=max(row.needs, int(content.needs_person)),
            prompt=prompt,
        )
        if await self._rows.written(row, text, self._clock.now() + timedelta(hours=options.approval_hours)):
            metrics.outreach_messages.labels(row.channel, "approval" if text.needs else "scheduled").inc()

    async def _leave(self, row: OutreachRow) -> None:
        state, letters = await self._release.release(row.id)
        metrics.outreach_messages.labels(row.channel, state).inc()
        for letter_id in letters:
            await self._work.ready("letter", letter_id)
