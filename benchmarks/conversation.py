"""A scaled desk under load: nothing lost or doubled, what it adds to model and typing, memory, and long histories.

Everything runs on this machine: the desk, its servers, the stand-in for Telegram and the simulated people. What the
desk adds therefore holds what they take from it.
"""

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable

import msgspec

from benchmarks.desk import FRONTDESK
from benchmarks.figures import Figure, at_least, below, seen
from benchmarks.processes import cpu_seconds
from benchmarks.scaled import Scaled, scaled_desk
from frontdesk.operate.load.tally import Report, memory_mb

ADDED_MS, FIRST_MS, WEBHOOK_MS, HISTORY_MS = 300, 250, 200, 200
CONVERSATION_KIB, WEB_MB = 64, 250
SPEED = 40  # words a second
TURNS = 9  # of which the median is told
HISTORY_MB, PIECE = 36, 20_000  # of so many bytes each, so that what a model is shown of it fits into its mind


def run(quick: bool, only: str | None = None) -> list[Figure]:
    """Measure all parts, or the one of the name `only`."""
    parts = PARTS if only is None else {only: PARTS[only]}
    return [figure for part in parts.values() for figure in part(quick)]


def people(quick: bool) -> list[Figure]:
    """Many people on Telegram, one message each 10 to 30 s."""
    count, minutes = (100, 1) if quick else (1000, 10)
    with scaled_desk(first_delay=1, words=40) as desk:
        used = _processor_seconds(desk)
        report = _load(desk, "telegram", people=count, every="10-30", minutes=minutes, first_delay=1)
        used = _processor_seconds(desk) - used
    share = 100 * report.errors / max(1, report.messages)
    return [
        seen(f"{count} people, {minutes} min: messages", report.messages, ""),
        _none("lost", report.lost),
        _none("doubled", report.doubled),
        below("refused", share, "%", 1),
        seen("reply, p95", 1000 * report.latency.p95, "ms"),
        below("added by the desk, p95", 1000 * report.added.p95, "ms", ADDED_MS),
        seen("processor time of the desk for a message", 1000 * used / max(1, report.messages), "ms"),
    ]


def streams(quick: bool) -> list[Figure]:
    """Answers that stream to many browsers at once, and what that costs in memory."""
    count = 100 if quick else 1000
    coming = 10 if quick else 60  # seconds over which they come; the answers last longer
    words = SPEED * (coming + 10)
    with scaled_desk(first_delay=1, words=words) as desk:
        _load(desk, "web", people=20, every="100", minutes=0.1, first_delay=1)  # code is loaded, pools are filled
        before = sum(memory_mb(pid) or 0 for pid in desk.web)
        used = _processor_seconds(desk)
        report = _load(desk, "web", people=count, every="1000", minutes=2 * coming / 60, first_delay=1)
        used = _processor_seconds(desk) - used
    most = max(memory.most for memory in report.memory)
    grown = sum(memory.most for memory in report.memory) - before
    return [
        at_least("streams open at once", report.most_open, "", count),
        _none("lost", report.lost + report.errors),
        below("added until the first words, p95", 1000 * report.added_first.p95, "ms", FIRST_MS),
        seen(f"processor time of the desk for an answer of {words} words", 1000 * used / count, "ms"),
        below("memory for each open conversation", 1024 * grown / count, "KiB", CONVERSATION_KIB),
        below(f"a web process at {count} conversations", most, "MB", WEB_MB),
    ]


def webhook(quick: bool) -> list[Figure]:
    """How soon the webhook answers while the model takes its time."""
    count, minutes = (100, 0.5) if quick else (300, 3)
    with scaled_desk(first_delay=5, words=10) as desk:
        report = _load(desk, "telegram", people=count, every="10-30", minutes=minutes, first_delay=5)
    return [
        below("webhook's answer while the model takes 5 s, p99", 1000 * report.webhook.p99, "ms", WEBHOOK_MS),
        _none("lost", report.lost),
    ]


def history(quick: bool) -> list[Figure]:
    """How soon a turn starts in a conversation that is very long. Summaries of it are written at once, too."""
    megabytes = 4 if quick else HISTORY_MB
    with scaled_desk(first_delay=0, words=4) as desk:
        visitor = _Visitor(desk.address)
        for _ in range(megabytes * 1_000_000 // PIECE):
            visitor.ask("word " * (PIECE // 5))
        took = _median([visitor.ask("And now?") for _ in range(TURNS)])
        stranger = _Visitor(desk.address)
        short = _median([stranger.ask("And now?") for _ in range(TURNS)])
    return [
        below(f"first words in a conversation of {megabytes} MB", 1000 * took, "ms", HISTORY_MS),
        seen("the same in a new one", 1000 * short, "ms"),
    ]


PARTS: dict[str, Callable[[bool], list[Figure]]] = {
    "people": people,
    "streams": streams,
    "webhook": webhook,
    "history": history,
}


def _load(desk: Scaled, channel: str, *, people: int, every: str, minutes: float, first_delay: float) -> Report:
    """Run `frontdesk load conversation` as a process of its own."""
    address = desk.telegram if channel == "telegram" else desk.address
    options = {
        "channel": channel,
        "address": address,
        "people": people,
        "every": every,
        "minutes": minutes,
        "first-delay": first_delay,
        "words-per-second": SPEED,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    pids = [word for pid in desk.web for word in ("--pid", str(pid))]
    command = [FRONTDESK, "load", "conversation", "--json", *words, *pids]
    done = subprocess.run(command, capture_output=True, text=True, timeout=minutes * 60 + 300, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr[-1000:])
    return msgspec.json.decode(done.stdout, type=Report)


class _Visitor:
    """A browser with one conversation. The model `instant` answers it, so that only the desk takes time."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._cookie = ""
        self._conversation = ""

    def ask(self, text: str) -> float:
        """Seconds until the first words of the answer."""
        body = {"text": text, "model": "instant"} | ({"conversation_id": self._conversation} if self._cookie else {})
        headers = {"Accept": "text/event-stream", "Content-Type": "application/json", "X-Frontdesk": "1"}
        request = urllib.request.Request(
            f"{self._address}/api/v1/chat",
            data=json.dumps(body).encode(),
            headers=headers | ({"Cookie": self._cookie} if self._cookie else {}),
        )
        began, first, tag, value, last = time.perf_counter(), 0.0, "", "", ""
        with urllib.request.urlopen(request, timeout=60) as answer:
            self._cookie = self._cookie or answer.headers["set-cookie"].partition(";")[0]
            for line in answer:
                name, _, value = line.decode().strip().partition(": ")
                tag = value if name == "event" else tag
                last = value if name == "data" else last
                if name == "data" and tag == "turn.started":
                    self._conversation = json.loads(value)["conversation_id"]
                if name == "data" and tag == "text.added" and not first:
                    first = time.perf_counter() - began
        if tag != "turn.finished":
            raise RuntimeError(f"The turn did not finish: {tag} {last}")
        return first


def _processor_seconds(desk: Scaled) -> float:
    """What its web processes and workers have used so far; its database not."""
    return sum(cpu_seconds(session) for session in desk.sessions)


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _none(what: str, number: int) -> Figure:
    return Figure(what, number, "", "= 0", number == 0)
