"""Tool calls that wait for the caller's word."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter
from pydantic import Field

from frontdesk.api.errors import COMMON, described
from frontdesk.api.fields import Body, PathId, View, Who
from frontdesk.messages import Approval, Person


class Decisions(Protocol):
    """What this door needs of the approvals."""

    async def pending(self, person: Person) -> Sequence[Approval]:
        """Those that wait for this person, for operators everybody's, oldest first."""
        ...

    async def decide(self, approval_id: str, person: Person, *, approve: bool, digest: str) -> Approval:
        """Settle one. Raises `NotFound`, and `Conflict` when it is settled, expired or of another digest."""
        ...


class DecisionBody(Body):
    """Yes or no to exactly the call that `digest` covers."""

    decision: Literal["approve", "deny"]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ApprovalView(View):
    """A tool call that waits, with the very arguments that would run.

    `unusual_letters` names what can deceive the eye in them: invisible letters, foreign ones inside a Latin word.
    """

    id: str
    turn_id: str
    person_id: str
    tool: str
    arguments: str
    unusual_letters: list[str]
    digest: str
    state: Literal["pending", "approved", "denied", "expired", "used"]
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, approval: Approval) -> "ApprovalView":
        """The approval with what its reader should look at twice."""
        own = {name: getattr(approval, name) for name in cls.model_fields if name != "unusual_letters"}
        return cls(**own, unusual_letters=unusual_letters(f"{approval.tool} {approval.arguments}"))


class ApprovalList(View):
    """What waits for the caller, oldest first."""

    items: list[ApprovalView]
    next: None = None


def router(approvals: Decisions) -> APIRouter:
    """The routes of approvals."""
    routes = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], responses=COMMON)

    @routes.get("")
    async def pending(who: Who) -> ApprovalList:
        """Tool calls that wait for the caller's word."""
        return ApprovalList(items=[ApprovalView.of(one) for one in await approvals.pending(who.person)])

    @routes.post("/{id}", responses=described(404, 409))
    async def decide(id: PathId, body: DecisionBody, who: Who) -> ApprovalView:
        """Approve or deny a call. It binds to the digest: other arguments would need another approval."""
        settled = await approvals.decide(id, who.person, approve=body.decision == "approve", digest=body.digest)
        return ApprovalView.of(settled)

    return routes


def unusual_letters(text: str) -> list[str]:
    """What can deceive the eye of whoever approves: `U+0430 CYRILLIC SMALL LETTER A`, each once, in order.

    Invisible characters, and letters of another script inside a word of Latin ones.
    """
    odd: dict[str, None] = {}
    for word in text.split():
        scripts = {letter: unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
        for letter in word:
            mixed = "LATIN" in scripts.values() and scripts.get(letter, "LATIN") != "LATIN"
            if mixed or unicodedata.category(letter) in ("Cf", "Cc", "Co", "Cs", "Zl", "Zp"):
                odd[f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}"] = None
    return list(odd)
