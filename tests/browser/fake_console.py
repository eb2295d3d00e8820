"""What the scripted desk answers to the console: one calm morning's data."""

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.browser.fake_values import ago

NOW = datetime.now(UTC)


def page(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"items": items, "next": None}


PEOPLE = [
    {"id": "per_1", "name": "Ada", "role": "owner", "email": "ada@example.org", "state": "active"},
    {"id": "per_2", "name": "Grace", "role": "operator", "email": "grace@example.org", "state": "active"},
    {"id": "per_3", "name": "Alan", "role": "member", "email": None, "state": "blocked"},
]
ACTS = [("keys.create", 201), ("people.change", 403), ("sign_in.link", 200)]
MODELS = [
    {"name": "large", "wire": "openai", "model": "gpt-4", "state": "closed", "calls": 412, "failures": 3},
    {"name": "small", "wire": "local", "model": "smollm2", "state": "half_open", "calls": 40, "failures": 5},
]
TOOL = {
    "name": "calendar__book",
    "description": "Book a table for a day and an hour.",
    "parameters": {"type": "object", "properties": {"day": {"type": "string"}}},
    "needs_approval": True,
    "digest": "0" * 64,
}

ANSWERS: dict[str, Any] = {
    "/api/v1/console/overview": {
        "in_conversation": 1,
        "waiting": 2,
        "running_turns": 1,
        "unhappy": 1,
        "models_down": [],
        "documents": 3,
        "people": 3,
        "tokens_today": 48_210,
        "answer": "One person waits for somebody of the team.",
    },
    "/api/v1/console/handoffs": page(
        [
            {
                "id": f"hand_{number}",
                "conversation_id": "conv_1",
                "person_id": "per_2",
                "text": text,
                "contact": "grace@example.org",
                "state": "waiting",
                "created_at": ago(hours=3 + number),
                "settled_at": None,
            }
            for number, text in enumerate(["Who is your barber?", "Please call me about the parcel."])
        ]
    ),
    "/api/v1/knowledge/documents": page(
        [
            {"id": f"doc_{number}", "title": title, "source": source, "passages": count, "updated_at": ago(days=number)}
            for number, (title, source, count) in enumerate(
                [
                    ("House rules", "https://example.org/house-rules", 12),
                    ("Prices", "docs/prices.pdf", 31),
                    ("Getting here", "docs/way.md", 4),
                ]
            )
        ]
    )
    | {"problems": [], "notice": ""},
    "/api/v1/people": page([one | {"created_at": ago(days=30), "signed_in_at": ago(hours=2)} for one in PEOPLE]),
    "/api/v1/keys": page(
        [
            {
                "id": "key_1",
                "person_id": "per_1",
                "name": "web shop",
                "prefix": "fd_ab12",
                "scopes": ["chat"],
                "created_at": ago(days=9),
                "expires_at": None,
                "last_used_at": ago(minutes=4),
            }
        ]
    ),
    "/api/v1/tools": {
        "servers": [
            {
                "url": "http://127.0.0.1:8001/mcp",
                "name": "calendar",
                "state": "up",
                "protocol": "2026-07-28",
                "problem": "",
                "tools": [TOOL | {"state": "changed"}, TOOL | {"name": "calendar__list", "state": "approved"}],
            },
            {
                "url": "http://127.0.0.1:8003/mcp",
                "name": "other",
                "state": "down",
                "protocol": "",
                "problem": "the desk has closed the connection",
                "tools": [],
            },
            {
                "url": "http://localhost:8002",
                "name": "",
                "state": "down",
                "protocol": "",
                "problem": "nobody answers there",
                "tools": [],
            },
        ]
    },
    "/api/v1/console/models": page([model | {"p50_ms": 312.4, "last_error": None} for model in MODELS]),
    "/api/v1/console/usage": {
        "items": [
            {
                "day": (NOW - timedelta(days=back)).date().isoformat(),
                "model": "large",
                "calls": 10,
                "prompt_tokens": 900 * (31 - back) % 13_000,
                "completion_tokens": 310 * (back % 6 + 1),
                "cost": 21_000,
            }
            for back in range(0, 30, 2)
        ],
        "totals": {"calls": 150, "prompt_tokens": 90_000, "completion_tokens": 30_000, "cost": 315_000},
    },
    "/api/v1/audit": page(
        [
            {
                "seq": 40 - number,
                "at": ago(hours=number),
                "act": act,
                "actor": "per_1",
                "credential": "session",
                "subject": "key_1",
                "outcome": status,
                "origin": "127.0.0.1",
                "hash": "0" * 64,
            }
            for number, (act, status) in enumerate(
                [("keys.create", 201), ("people.change", 403), ("sign_in.link", 200)]
            )
        ]
    ),
    "/api/v1/audit/verdict": {"whole": True, "rows": 40, "at": None, "reason": ""},
}


async def answer(request: Request) -> Response:
    return JSONResponse(ANSWERS[request.url.path])


async def created(request: Request) -> Response:
    return JSONResponse(
        {"person": PEOPLE[2], "link": "http://127.0.0.1:8000/sign-in#token=good", "key": "fd_ab12_secret"}
    )


async def tried(request: Request) -> Response:
    passage = {"id": "psg_1", "title": "House rules", "heading": "Opening hours", "source": "docs/rules.md"}
    passage |= {"text": "The desk is open from nine to six on weekdays.", "score": 0.9}
    return JSONResponse({"confidence": 0.86, "would": "quote", "passages": [passage]})


async def done(request: Request) -> Response:
    return Response(status_code=204)


ROUTES = [
    *(Route(path, answer, methods=["GET"]) for path in ANSWERS),
    Route("/api/v1/people", created, methods=["POST"]),
    Route("/api/v1/keys", created, methods=["POST"]),
    Route("/api/v1/knowledge/try", tried, methods=["POST"]),
    Route("/api/v1/console/handoffs/{id}", done, methods=["PATCH"]),
    Route("/api/v1/tools/{name}", done, methods=["POST"]),
    Route("/api/v1/knowledge/documents/{id}", done, methods=["DELETE"]),
]
