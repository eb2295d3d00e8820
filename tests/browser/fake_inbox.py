"""What the scripted desk answers to the inbox and the work page: four conversations over three channels."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.browser.fake_lines import Lines, frame
from tests.browser.fake_values import ago, message, problem

ADA, GRACE = {"id": "per_1", "name": "Ada"}, {"id": "per_2", "name": "Grace"}
CITED = {"number": 1, "title": "House rules"}
MOST = 100  # lines of a list that one call brings
DOT = base64.b64decode("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=")  # the smallest picture
DRAFT = "The parcel is **at the desk** [1], and is kept for a week."
FILES = [
    {"id": "file_picture", "name": "door.gif", "media_type": "image/gif"},
    {"id": "file_bill", "name": "bill.pdf", "media_type": "application/pdf"},
]


def talk(id: str, channel: str, person: str, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "title": messages[0]["text"],
        "channel": channel,
        "person": {"id": f"per_of_{id}", "name": person},
        "status": "open",
        "held_by": None,
        "assigned_to": None,
        "head_id": messages[-1]["id"],
        "running_turn_id": None,
        "survey": None,
        "earlier": False,
        "messages": messages,
        "notes": [],
        "letters_unknown": [],
        "updated_at": messages[-1]["created_at"],
        "waiting_since": None,
        "unhappy": False,
    } | more


def conversations() -> dict[str, dict[str, Any]]:
    parcel = [
        message("m1", None, "user", "Where is my parcel?", created_at=ago(minutes=12)),
        message(
            "m2",
            "m1",
            "assistant",
            "I do not know. I found nothing about your parcel.",
            grounding="unknown",
            model="large",
            created_at=ago(minutes=11),
            feedback={"value": -1, "reason": "Not what I asked"},
        ),
        message("m3", "m2", "user", "Can somebody look, please?", created_at=ago(minutes=4), files=FILES),
    ]
    opening = [
        message("o1", None, "user", "When do you open?", created_at=ago(hours=2)),
        message(
            "o2",
            "o1",
            "assistant",
            "The desk is open **from nine to six** on weekdays [1].",
            grounding="sourced",
            model="large",
            citations=[CITED],
            created_at=ago(hours=2),
        ),
    ]
    table = [
        message("t1", None, "user", "A table for four on Friday?", created_at=ago(hours=3)),
        message("t2", "t1", "notice", "Grace has joined", created_at=ago(hours=2.9)),
        message("t3", "t2", "assistant", "Friday at eight is free.", author=GRACE, created_at=ago(hours=2.8)),
    ]
    moved = [
        message("a1", None, "user", "How do I change my address?", created_at=ago(days=1)),
        message("a2", "a1", "assistant", "In your account.", grounding="quoted", created_at=ago(days=1)),
    ]
    letter = {"id": "out_1", "text": "We have found your parcel.", "at": ago(minutes=3)}
    note = {"id": "note_1", "author": GRACE, "text": "He called twice this week.", "created_at": ago(minutes=8)}
    all_of_them = [
        talk("conv_parcel", "telegram", "Mia", parcel, waiting_since=ago(minutes=4), unhappy=True)
        | {"notes": [note], "letters_unknown": [letter]},
        talk("conv_open", "web", "Alan", opening),
        talk("conv_table", "widget", "", table, held_by=GRACE, assigned_to=GRACE),
        talk("conv_moved", "web", "Linus", moved, status="closed"),
    ]
    return {one["id"]: one for one in all_of_them}


WORK: dict[str, Any] = {
    "answer": "One letter failed for good, and one may have been sent.",
    "queues": [
        {"kind": "turn", "queue": "ml", "length": 3, "oldest_seconds": 4.2, "running": 2},
        {"kind": "letter", "queue": "general", "length": 0, "oldest_seconds": 0, "running": 0},
    ],
    "workers": [
        {"name": "ml@one", "queues": ["ml"], "seen_at": ago(seconds=2), "running": 2, "state": "up"},
        {"name": "general@two", "queues": ["general"], "seen_at": ago(minutes=3), "running": 0, "state": "down"},
    ],
    "schedules": [
        {"name": "retention", "every": "1 day", "next_at": ago(hours=-3), "last_at": ago(hours=21), "last_result": "ok"}
    ],
    "updates_kept": [{"channel": "telegram", "id": "817", "kind": "chat_boost", "at": ago(hours=5)}],
}
SATISFACTION: dict[str, Any] = {
    "answered": 20,
    "asked": 31,
    "average": 4.25,
    "by_score": {"1": 1, "2": 1, "3": 2, "4": 4, "5": 12},
    "items": [
        {
            "id": "sat_1",
            "conversation_id": "conv_moved",
            "score": 5,
            "comment": "Quick and kind.",
            "at": ago(hours=2),
            "person": {"id": "per_9", "name": "Linus"},
        }
    ],
}


class FakeInbox:
    """The operators' side in memory. Ada is signed in; `told` holds what the page has asked for, in order."""

    def __init__(self) -> None:
        self.talks = conversations()
        self.told: list[tuple[str, Any]] = []
        self.keys: list[str] = []
        self.is_lost = False  # replies come too late: somebody else has just taken the conversation
        self.lines = Lines()
        self.draft_release = asyncio.Event()
        self.draft_release.set()
        self.list_release = asyncio.Event()
        self.list_release.set()
        self.canned = [
            {"id": "can_1", "shortcut": "hi", "title": "Greeting", "text": "Good morning {name}."},
            {"id": "can_2", "shortcut": "parcel", "title": "Parcel kept", "text": "It is at the desk for a week."},
        ]
        self.dead = [
            {
                "kind": "letter",
                "id": f"out_{number}",
                "channel": "telegram",
                "reason": "The chat has blocked the bot",
                "attempts": 5,
                "at": ago(hours=number),
                "summary": summary,
            }
            for number, summary in enumerate(["A reply to Mia", "A reply to Alan"], start=1)
        ]
        self.unknown = [
            {
                "id": "out_9",
                "channel": "telegram",
                "place": "4711",
                "at": ago(minutes=3),
                "proactive": False,
                "text": "We have found your parcel.",
            }
        ]

    def routes(self) -> list[Route]:
        root, one = "/api/v1/console", "/api/v1/console/inbox/{id}"
        table = [
            ("GET", f"{root}/inbox", self.list),
            ("GET", f"{root}/events", self.events),
            ("GET", one, self.read),
            ("GET", f"{one}/files/{{file}}", self.file),
            ("GET", f"{root}/turns/{{id}}/events", self.turn),
            ("POST", f"{one}/take", self.take),
            ("POST", f"{one}/hand-back", self.hand_back),
            ("POST", f"{one}/reply", self.reply),
            ("POST", f"{one}/typing", self.done),
            ("POST", f"{one}/notes", self.note),
            ("DELETE", f"{one}/notes/{{note}}", self.forget_note),
            ("PUT", f"{one}/assignee", self.assign),
            ("PUT", f"{one}/status", self.status),
            ("POST", f"{one}/draft", self.draft),
            ("GET", f"{root}/canned", self.canned_list),
            ("POST", f"{root}/canned", self.make_canned),
            ("PUT", f"{root}/canned/{{id}}", self.change_canned),
            ("DELETE", f"{root}/canned/{{id}}", self.remove_canned),
            ("GET", f"{root}/satisfaction", self.satisfaction),
            ("GET", f"{root}/work", self.work),
            ("POST", f"{root}/work/dead/{{kind}}/{{id}}/replay", self.bury),
            ("DELETE", f"{root}/work/dead/{{kind}}/{{id}}", self.bury),
            ("POST", f"{root}/work/unknown/{{id}}", self.decide),
        ]
        return [Route(path, handler, methods=[method]) for method, path, handler in table]

    async def tell(self, event: str, conversation: str = "", who: str = "") -> None:
        """News on every open line."""
        await self.lines.tell(event, conversation_id=conversation, name=who)

    async def say(self, id: str, role: str, text: str, **more: Any) -> dict[str, Any]:
        """A message comes into a conversation."""
        found = self.talks[id]
        added = message(f"m{len(found['messages']) + 20}", found["head_id"], role, text, **more)
        found["messages"].append(added)
        found |= {"head_id": added["id"], "updated_at": added["created_at"]}
        await self.tell("changed", id)
        return added

    async def hold(self, id: str, who: dict[str, str] | None) -> None:
        self.talks[id]["held_by"] = who
        await self.tell("changed", id)

    # --- reading ---

    async def events(self, request: Request) -> Response:
        return self.lines.open()

    async def list(self, request: Request) -> Response:
        """The lines, as soon as `list_release` is set."""
        await self.list_release.wait()
        asked = request.query_params
        views = {
            "open": lambda one: one["status"] == "open",
            "mine": lambda one: ADA in (one["held_by"], one["assigned_to"]),
            "unassigned": lambda one: one["status"] == "open" and not one["assigned_to"],
            "held": lambda one: one["held_by"] is not None,
            "waiting": lambda one: one["waiting_since"] is not None,
            "closed": lambda one: one["status"] == "closed",
            "all": lambda one: True,
        }
        found = [line(one) for one in self.talks.values() if views[asked.get("view", "open")](one)]
        found = [one for one in found if asked.get("channel", one["channel"]) == one["channel"]]
        found = [one for one in found if asked.get("query", "").lower() in json.dumps(one).lower()]
        counts = {name: sum(map(fits, self.talks.values())) for name, fits in views.items()}
        waits = counts["waiting"]
        answer = "Nobody waits for a person." if not waits else "One person waits for somebody of the team."
        begin, limit = int(asked.get("cursor", "0")), int(asked["limit"])
        assert limit <= MOST, "no call may ask for more"
        following = str(begin + limit) if len(found) > begin + limit else None
        items = found[begin : begin + limit]
        return JSONResponse({"items": items, "next": following, "counts": counts, "answer": answer})

    async def read(self, request: Request) -> Response:
        found = self.talks.get(request.path_params["id"])
        if found is None:
            return problem(404, "not_found", "There is no such conversation")
        limit = int(request.query_params.get("limit", "200"))
        newest = found["messages"][-limit:]
        return JSONResponse(found | {"messages": newest, "earlier": len(newest) < len(found["messages"])})

    async def file(self, request: Request) -> Response:
        if request.path_params["file"] == "file_picture":
            return Response(DOT, media_type="image/gif")
        how = {"Content-Disposition": "attachment; filename=bill.pdf"}
        return Response(b"A bill", media_type="application/octet-stream", headers=how)

    async def turn(self, request: Request) -> Response:
        """An answer that stops in its middle until `draft_release`."""
        end = {
            "reply_id": "m_run",
            "grounding": "sourced",
            "model": "large",
            "reason": "stop",
            "can_leave_message": False,
        }
        told = [
            ("text.added", {"text": "It is **at"}),
            ("text.added", {"text": " the desk**."}),
            ("turn.finished", end),
        ]

        async def frames() -> AsyncIterator[bytes]:
            for seq, (name, data) in enumerate(told, start=1):
                yield f"id: {seq}\n".encode() + frame(name, data)
                await self.draft_release.wait()

        return StreamingResponse(frames(), media_type="text/event-stream")

    # --- acting ---

    def heard(self, request: Request, body: Any = None) -> dict[str, Any]:
        self.told.append((request.url.path.rsplit("/", 1)[1], body))
        return self.talks[request.path_params["id"]]

    async def done(self, request: Request) -> Response:
        self.heard(request)
        return Response(status_code=204)

    async def take(self, request: Request) -> Response:
        self.heard(request)["held_by"] = ADA
        await self.say(request.path_params["id"], "notice", "Ada has joined")
        return Response(status_code=204)

    async def hand_back(self, request: Request) -> Response:
        self.heard(request, await request.json())["held_by"] = None
        await self.say(request.path_params["id"], "notice", "The desk answers again")
        return Response(status_code=204)

    async def reply(self, request: Request) -> Response:
        body = await request.json()
        found = self.heard(request, body["text"])
        self.keys.append(request.headers["idempotency-key"])
        if self.is_lost or found["held_by"] != ADA:
            return problem(409, "not_holder", "Somebody else holds this conversation")
        found["waiting_since"] = None
        return JSONResponse({"message": await self.say(found["id"], "assistant", body["text"], author=ADA)})

    async def note(self, request: Request) -> Response:
        body = await request.json()
        found = self.heard(request, body["text"])
        made = {"id": f"note_{len(self.told)}", "author": ADA, "text": body["text"]}
        found["notes"].append(made | {"created_at": ago()})
        return JSONResponse({"note": found["notes"][-1]})

    async def forget_note(self, request: Request) -> Response:
        found = self.talks[request.path_params["id"]]
        found["notes"] = [one for one in found["notes"] if one["id"] != request.path_params["note"]]
        return Response(status_code=204)

    async def assign(self, request: Request) -> Response:
        body = await request.json()
        who = {one["id"]: one for one in (ADA, GRACE)}.get(body["person_id"])
        self.heard(request, body)["assigned_to"] = who
        return Response(status_code=204)

    async def status(self, request: Request) -> Response:
        body = await request.json()
        self.heard(request, body)["status"] = body["status"]
        return Response(status_code=204)

    async def draft(self, request: Request) -> Response:
        self.heard(request)

        async def frames() -> AsyncIterator[bytes]:
            for at in range(0, len(DRAFT), 9):
                yield frame("text.added", {"text": DRAFT[at : at + 9]})
                await self.draft_release.wait()
            yield frame("draft.finished", {"grounding": "sourced", "citations": [CITED]})

        return StreamingResponse(frames(), media_type="text/event-stream")

    # --- canned replies, satisfaction, work ---

    async def canned_list(self, request: Request) -> Response:
        return JSONResponse({"items": self.canned, "next": None})

    async def make_canned(self, request: Request) -> Response:
        body = await request.json()
        if any(one["shortcut"] == body["shortcut"] for one in self.canned):
            return problem(409, "conflict", "This shortcut is taken")
        self.canned.append({"id": f"can_{len(self.canned) + 1}"} | body)
        return JSONResponse(self.canned[-1], status_code=201)

    async def change_canned(self, request: Request) -> Response:
        one = next(one for one in self.canned if one["id"] == request.path_params["id"])
        one |= await request.json()
        return JSONResponse(one)

    async def remove_canned(self, request: Request) -> Response:
        self.canned = [one for one in self.canned if one["id"] != request.path_params["id"]]
        return Response(status_code=204)

    async def satisfaction(self, request: Request) -> Response:
        return JSONResponse(SATISFACTION)

    async def work(self, request: Request) -> Response:
        calm = {} if self.dead or self.unknown else {"answer": "Nothing is stuck."}
        return JSONResponse(WORK | {"dead": self.dead, "unknown": self.unknown} | calm)

    async def bury(self, request: Request) -> Response:
        self.told.append((request.method, request.url.path.removeprefix("/api/v1/console/work/dead/")))
        self.dead = [one for one in self.dead if one["id"] != request.path_params["id"]]
        return Response(status_code=204)

    async def decide(self, request: Request) -> Response:
        self.told.append((request.path_params["id"], (await request.json())["decision"]))
        self.unknown = [one for one in self.unknown if one["id"] != request.path_params["id"]]
        for one in self.talks.values():
            one["letters_unknown"] = [
                letter for letter in one["letters_unknown"] if letter["id"] != request.path_params["id"]
            ]
        return Response(status_code=204)


def line(talk: dict[str, Any]) -> dict[str, Any]:
    last = next(one for one in reversed(talk["messages"]) if one["role"] != "notice")
    writer = "person" if last["role"] == "user" else "operator" if last["author"] else "desk"
    names = ("id", "channel", "title", "person", "status", "held_by", "assigned_to", "updated_at")
    facts = {name: talk[name] for name in (*names, "waiting_since", "unhappy")}
    return facts | {"last_from": writer, "last_text": last["text"], "running": talk["running_turn_id"] is not None}
