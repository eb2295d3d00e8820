"""Values of the desk's API as the pages read them, with the fields that a test does not care about filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import JSONResponse, Response


def ago(**time: float) -> str:
    """A moment of the past, as the API writes it."""
    return (datetime.now(UTC) - timedelta(**time)).isoformat()


def message(id: str, parent: str | None, role: str, text: str, **more: Any) -> dict[str, Any]:
    """A message of this moment, unless `more` says otherwise."""
    return {
        "id": id,
        "parent_id": parent,
        "role": role,
        "text": text,
        "state": "complete",
        "created_at": ago(),
        "author": None,
        "grounding": None,
        "model": None,
        "citations": [],
        "tools": [],
        "files": [],
        "feedback": None,
        "turn_id": None,
        "error": None,
        "can_leave_message": False,
    } | more


def problem(status: int, code: str, words: str, *, where: str | None = None) -> Response:
    """A refusal."""
    error = {"code": code, "message": words, "where": where, "hint": "", "request_id": "req_1"}
    return JSONResponse({"error": error}, status_code=status)
