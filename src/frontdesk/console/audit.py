"""The audit log in the console."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from frontdesk.api.errors import COMMON
from frontdesk.api.fields import Limit, View
from frontdesk.store.audit import Audit


class AuditLine(View):
    """One act: who did what to whom, and with what outcome (the HTTP status)."""

    seq: int
    at: datetime
    act: str
    actor: str
    credential: str
    subject: str
    outcome: int
    origin: str
    hash: str


class AuditPage(View):
    """A page of acts, newest first."""

    items: list[AuditLine]
    next: str | None


class VerdictView(View):
    """Whether the log is whole; else at which row it is not, and why."""

    whole: bool
    rows: int
    at: int | None
    reason: str


def router(audit: Audit) -> APIRouter:
    """The routes of the audit log."""
    routes = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=COMMON)

    @routes.get("")
    async def page(
        cursor: Annotated[str | None, Query(pattern=r"^\d{1,15}$", description="`next` of the page before.")] = None,
        query: Annotated[str, Query(pattern=r"^[a-z_.]{0,50}$", description="Keeps acts that begin so.")] = "",
        limit: Limit = 50,
    ) -> AuditPage:
        """What was done, newest first."""
        rows = await audit.page(before=int(cursor) if cursor else None, act=query, limit=limit + 1)
        more = str(rows[limit - 1].seq) if len(rows) > limit else None
        return AuditPage(items=[AuditLine.model_validate(row) for row in rows[:limit]], next=more)

    @routes.get("/verdict")
    async def verdict() -> VerdictView:
        """Walk the whole log and check its chain."""
        return VerdictView.model_validate(await audit.verify())

    return routes
