"""The few Protocols between rooms. A room asks for these; only `app` knows who stands behind them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from frontdesk.events import Accepted, Inbound, Numbered
from frontdesk.messages import (
    Approval,
    Found,
    ModelEvent,
    ModelFacts,
    ModelHealth,
    ModelRequest,
    Passage,
    ToolCall,
    ToolRecord,
    ToolResult,
    ToolServer,
    ToolSpec,
    Usage,
)
from frontdesk.outgoing import Reply, Rhythm, Signal


class Clock(Protocol):
    """Time, injected so that tests own it."""

    def now(self) -> datetime:
        """The moment, in UTC, with time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


class Ids(Protocol):
    """New identifiers, injected so that tests can foretell them."""

    def new(self, kind: str) -> str:
        """A fresh id, `kind` first (`msg_…`), sortable by time of creation."""
        ...

    def secret(self, size: int = 32) -> str:
        """`size` random bytes as URL-safe text, fit for tokens."""
        ...


class Model(Protocol):
    """Something that answers. The router, which falls back between models, is one too.

    `stream` yields events and ends with `ModelDone`, or raises `ModelUnavailable` (another model may do better) or
    `ModelRefused` (nobody will). Closing the iterator stops the work behind it.
    """

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> ModelFacts: ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]: ...

    async def close(self) -> None: ...


class Models(Model, Protocol):
    """All models of the desk behind one: asked itself, it picks and falls back; `model` hands out one by name."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that `model` takes, in the order in which they are asked."""
        ...

    def model(self, name: str) -> Model:
        """The model of that name or alias, with retries but without fallback. Raises `UnknownModel`."""
        ...

    def health(self) -> tuple[ModelHealth, ...]: ...


class Ledger(Protocol):
    """Is told of each model call that really happened, exactly once, also when it failed or was cut off."""

    def called(self, account: str, model: str, usage: Usage) -> None:
        """`account` is the request's; `usage` is the provider's count, or an estimate where the call was cut short."""
        ...


class Budget(Protocol):
    """Keeps the spending of all model calls under its caps, whichever process makes them."""

    async def reserve(self, account: str, tokens: int, cost: int) -> str:
        """Set aside the most that a call can use (`cost` in millionths), and return the reservation's id.

        Raises `BudgetSpent` when that does not fit any more.
        """
        ...

    async def settle(self, reservation: str, usage: Usage) -> None:
        """Replace what was set aside by what was used."""
        ...


class Embedder(Protocol):
    """Text to vectors of unit length (float32)."""

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    async def embed_query(self, text: str) -> bytes:
        """The vector of a question, little-endian float32."""
        ...

    async def embed_passages(self, texts: list[str]) -> list[bytes]:
        """The vectors of passages, in order."""
        ...


class Search(Protocol):
    """The owner's knowledge, as a turn sees it."""

    async def search(self, question: str, *, limit: int = 6) -> Found: ...

    async def passage(self, passage_id: str) -> Passage: ...


class Toolbox(Protocol):
    """The tools of all servers that are up and approved."""

    def specs(self) -> tuple[ToolSpec, ...]: ...

    async def call(self, call: ToolCall, *, person_id: str) -> ToolResult:
        """Run it. A tool's own failure is a result with `is_error`; an absent server raises `ToolUnavailable`."""
        ...


class Approvals(Protocol):
    """People's words on tool calls. What was approved runs at most once, with exactly the arguments they saw."""

    async def ask(self, turn_id: str, person_id: str, call: ToolCall) -> Approval:
        """Ask the person. The same call of the same turn is asked once, also after a restart."""
        ...

    async def wait(self, approval_id: str) -> Approval:
        """The approval once it is no longer pending: approved, denied or expired."""
        ...

    async def consume(self, approval_id: str, digest: str) -> bool:
        """Whether the call may run now. True once at most, for an approval of this digest that has not expired."""
        ...

    async def withdraw(self, turn_id: str) -> None:
        """The turn has ended: nothing that it asked for may run any more."""
        ...


class ToolDesk(Protocol):
    """The tools as operators see and rule them."""

    async def servers(self) -> tuple[ToolServer, ...]:
        """Every configured server with the tools that it was ever seen to have."""
        ...

    async def rule(
        self, name: str, *, digest: str | None = None, disabled: bool | None = None, needs_approval: bool | None = None
    ) -> ToolRecord:
        """Accept the tool as `digest` says, disable or enable it, or say whether its calls need approval.

        Raises `NotFound` for an unknown tool, `Conflict` when it is no longer what `digest` says.
        """
        ...


class Converse(Protocol):
    """A turn, from message to reply. Channels are handed this and know nothing behind it."""

    async def accept(self, inbound: Inbound) -> Accepted:
        """Store the message and queue its turn in one transaction. The same (channel, external id) returns the same."""
        ...

    def follow(self, turn_id: str, *, after: int = 0) -> AsyncIterator[Numbered]:
        """The turn's events with `seq > after`, stored ones first, then live, until `Finished` or `Failed`."""
        ...

    async def stop(self, turn_id: str) -> None:
        """End the turn with what has been said so far."""
        ...


class Limiter(Protocol):
    """Counts requests in sliding windows."""

    @property
    def windows(self) -> Sequence[tuple[int, int]]:
        """Each window's limit and its length in seconds, shortest first."""
        ...

    async def hit(self, key: str, *, cost: int = 1) -> "LimitState":
        """Count one request of `key`, or raise `RateLimited` without counting it."""
        ...


class LimitState(Protocol):
    """What the headers tell: the tightest window's limit, what remains, and seconds until it frees up."""

    @property
    def limit(self) -> int: ...

    @property
    def remaining(self) -> int: ...

    @property
    def reset(self) -> float: ...

    @property
    def seconds(self) -> int:
        """How long that window is."""
        ...


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do once: its handler's `name` and what that is given (JSON text). Leased under `fence`; this is try
    number `attempts`."""

    id: str
    name: str
    payload: str
    attempts: int
    fence: int


class Dispatcher(Protocol):
    """Hands work to whichever process runs it. It only says that a row is ready; the database is the truth."""

    async def ready(self, kind: str, row_id: str) -> None: ...

    @property
    def backlog(self) -> int:
        """Rows that were handed in and are not done."""
        ...


class Outlet(Protocol):
    """A channel that the desk writes to of its own accord: each body is one send, in order."""

    @property
    def rhythm(self) -> Rhythm | None:
        """How typing is played there; None: not at all."""
        ...

    def letters(self, reply: Reply) -> tuple[str, ...]:
        """The bodies of the letters that bring `reply` to its place."""
        ...

    async def typing(self, place: str) -> None:
        """Show once that somebody types there. A failure is nobody's concern."""
        ...

    async def preview(self, place: str, turn_id: str, text: str) -> None:
        """Show the answer so far, where the channel can. A failure is nobody's concern."""
        ...


class Transcriber(Protocol):
    """Speech to text."""

    async def transcribe(self, data: bytes, media_type: str) -> str:
        """The words of a recording; empty where there are none. Raises `TranscriptionFailed`."""
        ...


class Bus(Protocol):
    """News between the processes of a desk. It may be lost, and a process does not hear itself."""

    def subscribe(self, topic: str, receive: Callable[[bytes], None]) -> None: ...

    async def publish(self, topic: str, message: bytes) -> None: ...


class Live(Protocol):
    """News of conversations, over all processes. It may be lost, so whoever follows also looks for itself at times."""

    async def tell(self, signal: Signal) -> None:
        """Tell everybody who follows the conversation, and everybody who follows all."""
        ...

    def follow(self, conversation_id: str | None = None) -> AsyncGenerator[Signal]:
        """News of this conversation, or of all, from now on, until the generator is closed or the process ends."""
        ...

    def end(self) -> None:
        """The process stops: end what everybody here follows."""
        ...
