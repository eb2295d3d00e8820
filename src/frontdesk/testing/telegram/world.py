"""What the stand-in knows: chats, the messages in them, what the bot did, and what is to go wrong."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from frontdesk.ports import Clock

Json = dict[str, object]

ChatKind = Literal["private", "group", "supergroup"]


@dataclass
class Chat:
    """A person's chat with the bot, or a group."""

    id: int
    kind: ChatKind = "private"
    title: str = ""
    username: str = ""
    blocked: bool = False
    migrated_to: int | None = None

    def plain(self) -> Json:
        """The Bot API's `Chat`."""
        names: Json = {"first_name": self.title} if self.kind == "private" else {"title": self.title}
        if self.username:
            names["username"] = self.username
        return {"id": self.id, "type": self.kind, **names}


@dataclass(frozen=True)
class Pressable:
    """A button under a message of the bot."""

    label: str
    data: str


@dataclass
class Sent:
    """A message of the bot. `at` is the clock's monotonic seconds; `versions` are the texts before its edits."""

    chat: int
    id: int
    method: str
    text: str
    at: float
    entities: list[Json] = field(default_factory=list[Json])
    reply_to: int | None = None
    thread: int | None = None
    buttons: tuple[Pressable, ...] = ()
    file: bytes | None = None
    file_name: str = ""
    versions: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class Call:
    """One call of the Bot API, taken or refused (`status`)."""

    method: str
    chat: int | None
    parameters: Mapping[str, object]
    at: float
    status: int


@dataclass
class Fault:
    """What befalls the next `times` calls of `method` (any, if empty) for `chat` (any, if None).

    It answers `status` (429 with `retry_after`), never answers (`hang`), or closes the line (`cut`); with `taken` the
    message has arrived all the same before that.
    """

    method: str = "sendMessage"
    times: int = 1
    chat: int | None = None
    status: int = 0
    retry_after: int | None = None
    hang: bool = False
    cut: bool = False
    taken: bool = False
    description: str = "Internal Server Error"


@dataclass(frozen=True)
class Limits:
    """Telegram's rates for a bot: a message a second in a chat, 30 a second in all, 20 a minute in a group.

    `grace` of a window's length is forgiven, so that a sender that keeps time exactly is not refused for the network's
    unevenness.
    """

    per_chat: int = 1
    in_all: int = 30
    per_group: int = 20
    grace: float = 0.05


class Refused(Exception):
    """The Bot API says no."""

    def __init__(self, status: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


class World:
    """The state behind the Bot API. Everything that happens is told to whoever waits in `until`."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.chats: dict[int, Chat] = {}
        self.sent: list[Sent] = []
        self.calls: list[Call] = []
        self.typing: list[tuple[int, str, float]] = []  # chat, action, when
        self.drafts: list[tuple[int, int, str, float]] = []  # chat, draft, text, when
        self.answered: dict[str, str] = {}  # callback queries and what the person was told
        self.commands: list[Json] = []
        self.known: set[tuple[int, int]] = set()  # (chat, message id) of every message there is
        self.files: dict[str, tuple[str, bytes]] = {}  # file id → path, content
        self.faults: list[Fault] = []
        self.limits: Limits | None = None
        self.listeners: list[Callable[[int, str, Json], None]] = []
        self._times: dict[tuple[str, int], deque[float]] = {}
        self._messages = 0
        self._news = asyncio.Event()

    async def until(self, true: Callable[[], bool], seconds: float = 10) -> None:
        """Return as soon as `true()`; raises `TimeoutError` after so many real seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            told = "; ".join(f"{sent.chat}: {sent.text[:60]!r}" for sent in self.sent[-5:])
            raise TimeoutError(f"It did not happen. {len(self.sent)} messages were sent, the last: {told}") from None

    def tell(self, chat: int, kind: str, what: Json) -> None:
        """Something happened in `chat`: wake whoever waits, and tell who listens."""
        self._news.set()
        for listener in self.listeners:
            listener(chat, kind, what)

    def message_id(self, chat: int) -> int:
        """The id of a new message."""
        self._messages += 1
        self.known.add((chat, self._messages))
        return self._messages

    def reachable(self, chat_id: int) -> Chat:
        """The chat, if the bot may write there. Raises `Refused` as Telegram would."""
        chat = self.chats.get(chat_id)
        if chat is None:
            raise Refused(400, "Bad Request: chat not found")
        if chat.migrated_to is not None:
            moved: Json = {"migrate_to_chat_id": chat.migrated_to}
            raise Refused(400, "Bad Request: group chat was upgraded to a supergroup chat", moved)
        if chat.blocked:
            words = "bot was blocked by the user" if chat.kind == "private" else "bot was kicked from the group chat"
            raise Refused(403, f"Forbidden: {words}")
        return chat

    def count(self, chat: Chat) -> None:
        """Hold the bot to Telegram's rates, where `limits` are set. Raises `Refused` with the seconds to wait."""
        if self.limits is None:
            return
        windows = [("chat", chat.id, self.limits.per_chat, 1.0), ("all", 0, self.limits.in_all, 1.0)]
        if chat.kind != "private":
            windows[0] = ("group", chat.id, self.limits.per_group, 60.0)
        now = self.clock.monotonic()
        for name, key, most, length in windows:
            times = self._times.setdefault((name, key), deque())
            while times and times[0] <= now - length * (1 - self.limits.grace):
                times.popleft()
            if len(times) >= most:
                wait = math.ceil(max(0.001, times[0] + length - now))
                raise Refused(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
        for name, key, _, _ in windows:
            self._times[name, key].append(now)

    def fault(self, method: str, chat: int | None) -> Fault | None:
        """What is to befall this call; each fault counts down."""
        for fault in self.faults:
            if fault.method in ("", method) and fault.chat in (None, chat):
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
                return fault
        return None
