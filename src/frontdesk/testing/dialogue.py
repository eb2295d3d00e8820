"""A talk with a running desk, from outside, as its callers talk: `python -m frontdesk.testing.dialogue URL`.

For the container whose end decides about a run (`docker compose run tests`): each line says what was
tried, and the exit code is 1 if anything went wrong. The API key, for chat and tools, stands in FRONTDESK_KEY.
"""

import http.client
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

T = TypeVar("T")
PATIENCE = 120.0  # seconds for one answer
READY_WITHIN = 60.0
TURNS = ("Hello.", "How do I give you documents to answer from?", "And how do I take one away again?")


class Wrong(Exception):
    """The desk did something else than it promises."""


class Message(msgspec.Struct):
    """What is said."""

    content: str


class Choice(msgspec.Struct):
    """One answer of those that the model gave."""

    message: Message


class Completion(msgspec.Struct):
    """The body of an answer."""

    choices: list[Choice]


class Server(msgspec.Struct):
    """A tool server: `up`, `down` or `refused`."""

    state: str


class Servers(msgspec.Struct):
    """The body of the list of tool servers."""

    servers: list[Server]


class Refusal(msgspec.Struct):
    """The body of an error."""

    error: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, and the body as text."""

    status: int
    body: str

    def read(self, kind: type[T]) -> T:
        """The body as JSON of this kind. Raises `Wrong`."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.MsgspecError as error:
            raise Wrong(f"{self.status} and no {kind.__name__} ({error}): {self.body[:300]}") from None


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody with a key who talks to the desk at `address`."""

    address: str
    key: str
    said: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def ask(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Answer:
        """One request. Raises `OSError`."""
        parts = urlsplit(self.address)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
        headers: Mapping[str, str] = {
            "Authorization": f"Bearer {self.key if key is None else key}",
            "Content-Type": "application/json",
        }
        try:
            connection.request(method, path, None if body is None else json.dumps(body), dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def turn(self, text: str) -> str:
        """Say something in the conversation so far; the answer, which then belongs to it. Raises `Wrong`."""
        self.said.append({"role": "user", "content": text})
        answer = self.ask("POST", "/v1/chat/completions", {"model": "frontdesk", "messages": self.said})
        words = _words(answer)
        self.said.append({"role": "assistant", "content": words})
        return words


def becomes_ready(caller: Caller) -> None:
    """It says that it can work, within a minute."""
    until = time.monotonic() + READY_WITHIN
    while True:
        try:
            answer = caller.ask("GET", "/ready")
        except OSError as error:
            answer = Answer(0, str(error))
        if answer.status == 200:
            return
        if time.monotonic() > until:
            raise Wrong(f"not ready within {READY_WITHIN:g} s: {answer.status} {answer.body[:200]}")
        time.sleep(0.5)  # there is no event to wait for in another process


def answers_turn_by_turn(caller: Caller) -> None:
    """Each turn of a conversation gets an answer in words."""
    for text in TURNS:
        caller.turn(text)


def streams(caller: Caller) -> None:
    """An answer comes piece by piece, says why it ends, and ends."""
    body = {"model": "frontdesk", "stream": True, "messages": [{"role": "user", "content": TURNS[1]}]}
    answer = caller.ask("POST", "/v1/chat/completions", body)
    lines = [line.removeprefix("data: ") for line in answer.body.splitlines() if line.startswith("data: ")]
    if answer.status != 200 or not lines or lines[-1] != "[DONE]":
        raise Wrong(f"{answer.status}, and the stream ends with {answer.body[-200:]!r}")
    if not any('"finish_reason":"stop"' in line.replace(" ", "") for line in lines):
        raise Wrong("no piece says why the answer ended")


def finds_tools(caller: Caller) -> None:
    """Every tool server that it knows answers; one alone may be missing on purpose, all of them may not."""
    states = [server.state for server in caller.ask("GET", "/api/v1/tools").read(Servers).servers]
    if states and "up" not in states:
        raise Wrong(f"no tool server answers: {', '.join(states)}")


def refuses_what_is_wrong(caller: Caller) -> None:
    """A wrong key, a wrong model and a wrong body are refused as such, and the next right question is answered."""
    fine = {"model": "frontdesk", "messages": [{"role": "user", "content": TURNS[0]}]}
    for status, body, key in (
        ((401,), fine, "fd_nobody"),
        ((404,), {**fine, "model": "no-such-model"}, None),
        ((400, 422), {"model": "frontdesk", "messages": "nothing"}, None),
    ):
        answer = caller.ask("POST", "/v1/chat/completions", body, key=key)
        if answer.status not in status or not answer.read(Refusal).error:
            raise Wrong(f"{answer.status} where {status[0]} was due: {answer.body[:200]}")
    _words(caller.ask("POST", "/v1/chat/completions", fine))


STEPS: Mapping[str, Callable[[Caller], None]] = {
    "it becomes ready": becomes_ready,
    "it answers turn by turn": answers_turn_by_turn,
    "it streams": streams,
    "its tools are found": finds_tools,
    "it refuses what is wrong": refuses_what_is_wrong,
}


def _words(answer: Answer) -> str:
    if answer.status != 200:
        raise Wrong(f"{answer.status}: {answer.body[:300]}")
    words = answer.read(Completion).choices[0].message.content
    if not words.strip():
        raise Wrong("an answer without words")
    return words


def main(arguments: Sequence[str]) -> int:
    """Take every step, even after one that failed; 1 if any did."""
    if len(arguments) != 1:
        print("usage: FRONTDESK_KEY=… python -m frontdesk.testing.dialogue URL", file=sys.stderr)
        return 2
    caller = Caller(arguments[0].rstrip("/"), os.environ.get("FRONTDESK_KEY", ""))
    failed = 0
    for name, step in STEPS.items():
        began = time.monotonic()
        try:
            step(caller)
            print(f"ok    {name}  ({time.monotonic() - began:.1f} s)", flush=True)
        except (Wrong, OSError, http.client.HTTPException) as error:
            failed += 1
            print(f"FAIL  {name}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
