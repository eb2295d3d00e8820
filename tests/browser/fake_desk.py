"""A desk that plays scripted turns over the real contract: its pages, policy and stream frames are the real ones.

What an answer says and how fast is decided by the question (`SCRIPTS`), so that a test can watch the page do each.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import frontdesk
from frontdesk.channels.pages import Pages
from frontdesk.gate.origins import security_headers
from tests.browser import fake_console
from tests.browser.fake_answers import CALL, PASSAGE, SCRIPTS, Event, done, said
from tests.browser.fake_engagement import FakeEngagement
from tests.browser.fake_inbox import FakeInbox
from tests.browser.fake_lines import Lines, frame
from tests.browser.fake_values import message, problem

PAGES = Path(frontdesk.__file__).parent / "pages"
NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@dataclass
class Turn:
    id: str
    conversation: str
    message_id: str
    reply_id: str
    events: list[Event] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    stopped: bool = False
    task: asyncio.Task[None] | None = None


class FakeDesk:
    """One person's desk in memory. `gate`, when set to an Event, holds every stream before its next piece of text."""

    def __init__(self, *, pause: float = 0.004, scripts: dict[str, list[Event]] | None = None) -> None:
        self.pause = pause
        self.scripts = SCRIPTS | (scripts or {})
        self.role = "owner"
        self.name = "Ada"
        self.password = "correct horse"
        self.signed_in = True
        self.is_last_owner = False
        self.refresh_token = ""  # what the next refresh takes; one that comes twice ends the session
        self.refreshes = 0
        self.hold_after: int | None = None
        self.release = asyncio.Event()
        self.cut_after: int | None = None
        self.asked: list[dict[str, Any]] = []
        self.kept: dict[str, Any] = {}
        self.conversations: dict[str, dict[str, Any]] = {}
        self.turns: dict[str, Turn] = {}
        self.memories = [{"id": "mem_1", "text": "Works in the garden house", "created_at": NOW.isoformat()}]
        self.approved = asyncio.Event()
        self.inbox = FakeInbox()
        self.engagement = FakeEngagement()
        self.lines = Lines()
        self.typed = 0
        self.links: list[dict[str, str]] = []
        self._number = itertools.count(1)

    def app(self) -> Starlette:
        routes: list[Route] = [
            Route(path, handler, methods=[method])
            for (method, path), handler in {
                ("GET", "/api/v1/desk"): self.facts,
                ("GET", "/api/v1/me"): self.me,
                ("PATCH", "/api/v1/me"): self.rename,
                ("DELETE", "/api/v1/me"): self.erase,
                ("PUT", "/api/v1/me/password"): self.set_password,
                ("GET", "/api/v1/me/export"): self.export,
                ("GET", "/api/v1/auth/start/{id}"): self.start,
                ("POST", "/api/v1/auth/refresh"): self.refresh,
                ("POST", "/api/v1/auth/link"): self.link,
                ("POST", "/api/v1/auth/sign-in"): self.sign_in,
                ("POST", "/api/v1/auth/sign-out"): self.nothing,
                ("POST", "/api/v1/chat"): self.chat,
                ("GET", "/api/v1/turns/{id}/events"): self.events,
                ("POST", "/api/v1/turns/{id}/stop"): self.stop,
                ("GET", "/api/v1/conversations"): self.list,
                ("GET", "/api/v1/conversations/{id}"): self.conversation,
                ("PATCH", "/api/v1/conversations/{id}"): self.change,
                ("DELETE", "/api/v1/conversations/{id}"): self.remove,
                ("GET", "/api/v1/conversations/{id}/events"): self.listen,
                ("POST", "/api/v1/conversations/{id}/typing"): self.typing,
                ("PUT", "/api/v1/conversations/{id}/satisfaction"): self.rate,
                ("GET", "/api/v1/me/links"): self.linked,
                ("POST", "/api/v1/me/links"): self.offer_link,
                ("PUT", "/api/v1/me/links"): self.make_link,
                ("DELETE", "/api/v1/me/links/{channel}"): self.cut_link,
                ("PUT", "/api/v1/messages/{id}/feedback"): self.keep,
                ("POST", "/api/v1/handoffs"): self.keep,
                ("POST", "/api/v1/files"): self.file,
                ("GET", "/api/v1/passages/{id}"): self.passage,
                ("GET", "/api/v1/memories"): self.memory,
                ("POST", "/api/v1/memories"): self.remember,
                ("DELETE", "/api/v1/memories/{id}"): self.forget,
                ("GET", "/api/v1/usage"): self.usage,
                ("GET", "/api/v1/approvals"): self.approvals,
                ("POST", "/api/v1/approvals/{id}"): self.approve,
            }.items()
        ]
        return Starlette(
            routes=[
                *routes,
                *self.inbox.routes(),
                *self.engagement.routes(),
                *fake_console.ROUTES,
                *Pages(PAGES).routes(),
            ]
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if not hasattr(self, "_app"):
            self._app = self.app()

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = security_headers(scope["path"], production=False)
                names = {name for name, _ in own}
                message["headers"] = [pair for pair in message["headers"] if pair[0] not in names] + own
            await send(message)

        await self._app(scope, receive, guarded)

    # --- who and where ---

    async def facts(self, request: Request) -> Response:
        return JSONResponse(
            {
                "name": "Frontdesk",
                "greeting": "Good morning. What can the desk do for you?",
                "suggestions": ["When do you open?", "Book a table", "Who is your barber?"],
                "version": "0.1.0",
                "sign_in": "required",
                "engagement": True,
                "providers": [{"id": "example", "name": "Example"}],
                "local_sign_in": True,
                "model": {"name": "scripted", "strength": "small"},
                "max_upload_bytes": 10_000_000,
            }
        )

    async def me(self, request: Request) -> Response:
        if not self.signed_in:
            return problem(401, "not_signed_in", "This needs somebody who is signed in")
        return JSONResponse({"person": self.person, "credential": "session", "scopes": ["*"]})

    @property
    def person(self) -> dict[str, Any]:
        return {"id": "per_1", "name": self.name, "role": self.role, "email": "ada@example.org"}

    async def rename(self, request: Request) -> Response:
        self.name = (await request.json())["name"]
        return await self.me(request)

    async def set_password(self, request: Request) -> Response:
        body = await request.json()
        if body["current"] != self.password:
            return problem(401, "not_signed_in", "The current password is wrong", where="current")
        self.password = body["password"]
        return Response(status_code=204)

    async def export(self, request: Request) -> Response:
        return JSONResponse({"person": self.person, "memories": self.memories})

    async def erase(self, request: Request) -> Response:
        if self.is_last_owner:
            return problem(409, "conflict", "The desk needs an owner")
        self.signed_in = False
        return Response(status_code=204)

    async def start(self, request: Request) -> Response:
        return Response(status_code=303, headers={"Location": request.query_params["next"]})

    async def refresh(self, request: Request) -> Response:
        """Trade the token in the cookie for the next one, as slowly as a busy desk does."""
        shown = request.cookies.get("fd_refresh", "")
        self.refreshes += 1
        if not shown or shown != self.refresh_token:
            self.signed_in, self.refresh_token = False, ""
            return problem(401, "not_signed_in", "Sign in again")
        self.refresh_token = f"token_{self.refreshes}"
        next_token = self.refresh_token
        await asyncio.sleep(0.3)
        self.signed_in = True
        answer = JSONResponse({})
        answer.set_cookie("fd_refresh", next_token, path="/api/v1/auth", httponly=True, samesite="strict")
        return answer

    async def link(self, request: Request) -> Response:
        if (await request.json())["token"] != "good":
            return problem(401, "not_signed_in", "This link is spent")
        self.signed_in = True
        return JSONResponse({})

    async def sign_in(self, request: Request) -> Response:
        if (await request.json())["password"] != self.password:
            return problem(401, "not_signed_in", "The address or the password is wrong")
        self.signed_in = True
        return JSONResponse({})

    async def nothing(self, request: Request) -> Response:
        return Response(status_code=204)

    # --- turns ---

    async def chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        turn = self.begin(body)
        return self.stream(turn, 0)

    def begin(self, body: dict[str, Any]) -> Turn:
        number = next(self._number)
        talk = self.conversations.get(body.get("conversation_id") or "")
        if talk is None:
            talk = {"id": f"conv_{number}", "title": body["text"][:60], "head_id": None, "running_turn_id": None}
            talk |= {"messages": [], "updated_at": datetime.now(UTC).isoformat()}
            talk |= {"status": "open", "held_by": None, "survey": None}
            self.conversations[talk["id"]] = talk
        if body.get("regenerate"):
            question = next(one for one in talk["messages"] if one["id"] == body["regenerate"])
        else:
            parent = None if body.get("at_start") else body.get("parent_id") or talk["head_id"]
            question = message(f"msg_{number}q", parent, "user", body["text"])
            question["files"] = [self.kept[one] for one in body.get("file_ids", [])]
            talk["messages"].append(question)
        reply = message(f"msg_{number}a", question["id"], "assistant", "")
        turn = Turn(f"turn_{number}", talk["id"], question["id"], reply["id"])
        if talk["held_by"]:
            names = {"turn_id": turn.id, "conversation_id": talk["id"], "message_id": question["id"], "reply_id": ""}
            turn.events = [("turn.started", names), ("turn.handed", {"name": talk["held_by"]["name"]})]
            talk["head_id"] = question["id"]
            return turn
        reply |= {"state": "running", "turn_id": turn.id}
        talk["messages"].append(reply)
        talk |= {"head_id": reply["id"], "running_turn_id": turn.id}
        self.turns[turn.id] = turn
        turn.task = asyncio.create_task(self.play(turn, talk, reply, self.script(question["text"], reply["id"])))
        return turn

    def script(self, question: str, reply_id: str) -> list[Event]:
        default = [*said(f"You said: {question}"), done("unsourced")]
        return [
            (tag, data | {"reply_id": reply_id} if tag == "turn.finished" else data)
            for tag, data in self.scripts.get(question, default)
        ]

    async def play(self, turn: Turn, talk: dict[str, Any], reply: dict[str, Any], script: list[Event]) -> None:
        names = {"turn_id": turn.id, "conversation_id": talk["id"]}
        await self.tell(turn, ("turn.started", names | {"message_id": turn.message_id, "reply_id": turn.reply_id}))
        texts = 0
        for tag, data in script:
            if turn.stopped:
                tag, data = done("unsourced", reason="stopped")
                data = data | {"reply_id": turn.reply_id}
            if tag == "wait.approval":
                await self.approved.wait()
                continue
            if tag == "text.added":
                texts += 1
                if self.hold_after is not None and texts > self.hold_after:
                    await self.release.wait()
                await asyncio.sleep(self.pause)
                reply["text"] += data["text"]
            if tag == "sources.cited":
                reply["citations"] = data["citations"]
            if tag == "turn.finished":
                reply |= {"state": "stopped" if data["reason"] == "stopped" else "complete"}
                reply |= {key: data[key] for key in ("grounding", "model", "can_leave_message")}
            if tag == "turn.failed":
                reply |= {"state": "failed", "error": data}
            if tag in ("turn.finished", "turn.failed"):
                talk["running_turn_id"] = None
            await self.tell(turn, (tag, data))
            if tag in ("turn.finished", "turn.failed"):
                return

    async def tell(self, turn: Turn, event: Event) -> None:
        async with turn.changed:
            turn.events.append(event)
            turn.changed.notify_all()

    async def events(self, request: Request) -> Response:
        after = int(request.headers.get("last-event-id", "0"))
        return self.stream(self.turns[request.path_params["id"]], after)

    def stream(self, turn: Turn, after: int) -> Response:
        cut, self.cut_after = self.cut_after, None

        async def frames() -> AsyncIterator[bytes]:
            seq = after
            while cut is None or seq < cut:
                async with turn.changed:
                    while len(turn.events) <= seq:
                        await turn.changed.wait()
                tag, data = turn.events[seq]
                seq += 1
                yield f"id: {seq}\n".encode() + frame(tag, data)
                if tag in ("turn.finished", "turn.failed", "turn.handed"):
                    return

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def stop(self, request: Request) -> Response:
        self.turns[request.path_params["id"]].stopped = True
        self.release.set()
        return Response(status_code=204)

    # --- what is kept ---

    async def list(self, request: Request) -> Response:
        words = request.query_params.get("query", "").lower()
        items = [
            {"id": talk["id"], "title": talk["title"], "updated_at": talk["updated_at"]}
            for talk in reversed(self.conversations.values())
            if words in json.dumps(talk["messages"]).lower()
        ]
        return JSONResponse({"items": items, "next": None})

    async def conversation(self, request: Request) -> Response:
        talk = self.conversations.get(request.path_params["id"])
        if talk is None:
            return problem(404, "not_found", "There is no such conversation")
        newest = talk["messages"][-int(request.query_params.get("limit", "200")) :]
        return JSONResponse(talk | {"messages": newest, "earlier": len(newest) < len(talk["messages"])})

    async def change(self, request: Request) -> Response:
        self.conversations[request.path_params["id"]] |= await request.json()
        return Response(status_code=204)

    async def remove(self, request: Request) -> Response:
        del self.conversations[request.path_params["id"]]
        return Response(status_code=204)

    async def listen(self, request: Request) -> Response:
        return self.lines.open()

    async def person_says(self, id: str, role: str, text: str, name: str | None = None) -> None:
        """A notice, or a message of somebody of the team, comes into a conversation."""
        talk = self.conversations[id]
        added = message(f"msg_{next(self._number)}p", talk["head_id"], role, text)
        added["author"] = {"id": "per_2", "name": name} if name else None
        talk["messages"].append(added)
        talk["head_id"] = added["id"]
        await self.lines.tell("changed")

    async def typing(self, request: Request) -> Response:
        self.typed += 1
        return Response(status_code=204)

    async def rate(self, request: Request) -> Response:
        self.kept["satisfaction"] = await request.json()
        self.conversations[request.path_params["id"]]["survey"]["score"] = self.kept["satisfaction"]["score"]
        return Response(status_code=204)

    async def linked(self, request: Request) -> Response:
        return JSONResponse({"items": self.links})

    async def offer_link(self, request: Request) -> Response:
        channels = [{"id": "telegram", "name": "Telegram", "address": "https://t.me/example_bot"}]
        ends = datetime.now(UTC) + timedelta(minutes=15)
        return JSONResponse({"code": "K7QF-29MX", "expires_at": ends.isoformat(), "channels": channels})

    async def make_link(self, request: Request) -> Response:
        if (await request.json())["code"] != "GOOD-CODE":
            return problem(404, "not_found", "This code is wrong or spent", where="code")
        self.links.append({"channel": "telegram", "since": datetime.now(UTC).isoformat()})
        return JSONResponse({"channel": "telegram"})

    async def cut_link(self, request: Request) -> Response:
        self.links = [one for one in self.links if one["channel"] != request.path_params["channel"]]
        return Response(status_code=204)

    async def keep(self, request: Request) -> Response:
        self.kept[request.url.path] = await request.json()
        return JSONResponse({"id": "kept_1"}, status_code=201)

    async def file(self, request: Request) -> Response:
        async with request.form() as form:
            upload: Any = form["file"]
            facts = {"id": f"file_{next(self._number)}", "name": upload.filename, "media_type": upload.content_type}
            size = upload.size
        self.kept[facts["id"]] = facts
        return JSONResponse(facts | {"bytes": size}, status_code=201)

    async def passage(self, request: Request) -> Response:
        return JSONResponse(PASSAGE)

    async def memory(self, request: Request) -> Response:
        return JSONResponse({"items": self.memories, "next": None})

    async def remember(self, request: Request) -> Response:
        fact = {"id": f"mem_{next(self._number)}", "created_at": NOW.isoformat()} | await request.json()
        self.memories.append(fact)
        return JSONResponse(fact, status_code=201)

    async def forget(self, request: Request) -> Response:
        self.memories = [one for one in self.memories if one["id"] != request.path_params["id"]]
        return Response(status_code=204)

    async def usage(self, request: Request) -> Response:
        days = [(NOW - timedelta(days=back)).date().isoformat() for back in range(3)]
        items = [
            {"day": day, "model": "scripted", "calls": 3, "prompt_tokens": 1200, "completion_tokens": 340, "cost": 0}
            for day in days
        ]
        totals = {"calls": 9, "prompt_tokens": 3600, "completion_tokens": 1020, "cost": 0}
        return JSONResponse({"items": items, "totals": totals})

    async def approvals(self, request: Request) -> Response:
        waiting = {"id": "apr_1", "turn_id": "turn_1", "tool": CALL["name"], "arguments": CALL["arguments"]}
        return JSONResponse({"items": [waiting | {"digest": "0" * 64, "state": "pending"}], "next": None})

    async def approve(self, request: Request) -> Response:
        self.kept["approval"] = await request.json()
        self.approved.set()
        return JSONResponse({})
