"""Requests that go straight through to a model: accepted before the model is asked, settled before the answer ends."""

from typing import Literal

import sqlalchemy as sa

from frontdesk.messages import Usage
from frontdesk.ports import Clock, Ids
from frontdesk.store.database import UtcDateTime, metadata
from frontdesk.store.prepared import Prepared
from frontdesk.store.rows import Rows

requests = sa.Table(
    "model_requests",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, sa.ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("completion_tokens", sa.Integer, nullable=False, server_default="0"),
    sa.Column("accepted_at", UtcDateTime, nullable=False),
    sa.Column("settled_at", UtcDateTime),
)

State = Literal["accepted", "done", "failed", "left"]

_ACCEPT = Prepared(requests.insert(), ("id", "person_id", "model", "state", "accepted_at"))
_SETTLE = Prepared(
    requests.update()
    .where(requests.c.id == sa.bindparam("request_id"))
    .values(
        state=sa.bindparam("now_state"),
        prompt_tokens=sa.bindparam("now_prompt_tokens"),
        completion_tokens=sa.bindparam("now_completion_tokens"),
        settled_at=sa.bindparam("now_settled_at"),
    )
)


class Requests:
    """The book of direct requests. One that stays `accepted` was cut off with its process: its end is unknown."""

    def __init__(self, rows: Rows, clock: Clock, ids: Ids) -> None:
        self._rows = rows
        self._clock = clock
        self._ids = ids

    async def accept(self, person_id: str, model: str) -> str:
        """Book a request that is about to be made, and give its id. Returns when it is durable."""
        request_id = self._ids.new("req")
        row = {
            "id": request_id,
            "person_id": person_id,
            "model": model,
            "state": "accepted",
            "accepted_at": self._clock.now(),
        }
        await self._rows.write(_ACCEPT, row)
        return request_id

    async def settle(self, request_id: str, state: State, usage: Usage) -> None:
        """Book how it ended: `left` when the asker went away. Returns when it is durable."""
        row = {
            "request_id": request_id,
            "now_state": state,
            "now_prompt_tokens": usage.prompt_tokens,
            "now_completion_tokens": usage.completion_tokens,
            "now_settled_at": self._clock.now(),
        }
        await self._rows.write(_SETTLE, row)
