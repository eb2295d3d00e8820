"""The value types that flow through the house: frozen, without I/O."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

import msgspec

# --- people -----------------------------------------------------------------


class Role(StrEnum):
    """What somebody may do at the desk, from most to least."""

    OWNER = "owner"
    OPERATOR = "operator"
    MEMBER = "member"
    VISITOR = "visitor"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody the desk knows. `id` is the only key that rights hang on; names and addresses may change hands."""

    id: str
    name: str
    role: Role
    email: str | None = None


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who makes this request, and with what: the answer of the gate.

    `scopes` limits what the credential may do within the person's role; an interactive session holds `("*",)`.
    """

    person: Person
    credential: Literal["session", "key", "visitor", "widget", "system"]
    credential_id: str
    scopes: tuple[str, ...] = ("*",)


# --- knowledge --------------------------------------------------------------


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a document, small enough to quote.

    `source` is where a person can read it (a URL or a file path), `heading` the path of headings above it,
    `start`/`end` character offsets in the document's text, `score` the search's rank score (higher is better).
    """

    id: str
    document_id: str
    title: str
    source: str
    heading: str
    text: str
    start: int
    end: int
    score: float = 0.0


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A passage of a document that is not stored yet: `text` stands at `start`/`end` of the document's text."""

    heading: str
    text: str
    start: int
    end: int


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A document that has been read and cut into pieces, and is not stored yet.

    `source` names it: a draft of a known source replaces the document. `origin` says who brought it (`upload`, `url`,
    `path` or `folder:…`), `digest` covers its bytes, `size` counts them.
    """

    title: str
    source: str
    origin: str
    media_type: str
    digest: str
    size: int
    text: str
    pieces: tuple[Piece, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document of the owner's knowledge. `embedded` of its `passages` have a vector; the others are on their way."""

    id: str
    title: str
    source: str
    origin: str
    media_type: str
    digest: str
    size: int
    passages: int
    embedded: int
    added_at: datetime
    updated_at: datetime


class PassageContext(msgspec.Struct, frozen=True, kw_only=True):
    """A passage with what stands before and after it in its document."""

    passage: Passage
    before: str
    after: str


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """A numbered mark in an answer and the very words it stands on."""

    number: int
    passage_id: str
    document_id: str
    title: str
    source: str
    heading: str
    quote: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a search: passages, best first, and how sure it is that they hold the answer (0 to 1)."""

    passages: tuple[Passage, ...]
    confidence: float


class Grounding(StrEnum):
    """What an answer stands on. Pages show each kind differently."""

    SOURCED = "sourced"  # written by a model from cited passages or tool results
    QUOTED = "quoted"  # the owner's own words, quoted
    UNSOURCED = "unsourced"  # a model's own words: may be wrong
    UNKNOWN = "unknown"  # the desk does not know, and says so
    NOTICE = "notice"  # the desk's own words: a refusal, an apology, a command's result


# --- tools ------------------------------------------------------------------


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as a model sees it. `name` is unique at the desk (`server__tool`); `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: msgspec.Raw
    server: str
    needs_approval: bool = False


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A model's wish to call a tool; `arguments` is the JSON text that it wrote."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool answered. Its text is untrusted."""

    call_id: str
    name: str
    text: str
    is_error: bool = False


class ToolRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk remembers of a tool: what its server says now, and what an operator accepted.

    `digest` covers the tool's own name, description and parameters; `accepted` is the digest that may run.
    `needs_approval` is an operator's word on it, None where the settings decide.
    """

    name: str
    address: str
    tool: str
    description: str
    parameters: msgspec.Raw
    digest: str
    accepted: str | None = None
    disabled: bool = False
    needs_approval: bool | None = None

    @property
    def state(self) -> Literal["approved", "changed", "disabled", "new"]:
        """Only an approved tool is offered and runs."""
        if self.disabled:
            return "disabled"
        if self.accepted is None:
            return "new"
        return "approved" if self.accepted == self.digest else "changed"


class ToolServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server of tools as operators see it. `refused` says that it does not take the desk's service token."""

    address: str
    name: str
    state: Literal["up", "down", "refused"]
    protocol: str | None
    problem: str
    tools: tuple[ToolRecord, ...]


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on one tool call. `digest` covers the exact bytes of the tool's name and its arguments."""

    id: str
    turn_id: str
    person_id: str
    call_id: str
    tool: str
    arguments: str
    digest: str
    state: Literal["pending", "approved", "denied", "expired", "used"]
    created_at: datetime
    expires_at: datetime
    decided_by: str | None = None


# --- what models read -------------------------------------------------------


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    text: str


class ImagePart(msgspec.Struct, frozen=True, kw_only=True, tag="image"):
    """An image, by its bytes; `media_type` is `image/png`, `image/jpeg`, `image/webp` or `image/gif`."""

    media_type: str
    data: bytes


Part = TextPart | ImagePart


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a prompt. `untrusted` text (pages, tool results, callers' files) is fenced off by the wires."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    untrusted: bool = False

    @property
    def text(self) -> str:
        """The text parts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """All that a model needs for one answer.

    `passages` carry the grounding as data: `quote` answers from them, other wires render them into the prompt.
    `continue_from` is text already shown to the reader: the model goes on after it and never repeats it.
    `response_schema` asks for JSON that fits this JSON Schema. `max_tokens` bounds the answer. `streamed=False` says
    that nobody reads along, so a wire may fetch the answer in one piece, at a fraction of the work. `account` is a key
    of the asker's making (a turn's id, say) under which each model call that this request causes is booked. With
    `strong_only` a weaker model must not stand in: the asker has a better way then than a small model's guess.
    """

    messages: tuple[Prompt, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = "auto"
    passages: tuple[Passage, ...] = ()
    continue_from: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    response_schema: msgspec.Raw | None = None
    response_json: bool = False
    streamed: bool = True
    account: str = ""
    strong_only: bool = False


# --- what models say --------------------------------------------------------


class TextDelta(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    text: str


class ToolCallDelta(msgspec.Struct, frozen=True, kw_only=True, tag="tool_call"):
    """A piece of a tool call: `id` and `name` come with its first piece, `arguments` in fragments."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Usage(msgspec.Struct, frozen=True, kw_only=True, tag="usage"):
    """Tokens and price of model calls; `cost` is in millionths of the price list's currency unit."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: int = 0


class ModelChanged(msgspec.Struct, frozen=True, kw_only=True, tag="model_changed"):
    """Another model goes on. `after_text` says that the reader has seen text of the first, so it must be marked."""

    from_model: str
    to_model: str
    reason: str
    after_text: bool


class ModelDone(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The last event of every model stream that did not raise."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    model: str
    usage: Usage = Usage()


ModelEvent = TextDelta | ToolCallDelta | ModelChanged | ModelDone


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a model can do. Prices are millionths of a currency unit for a million tokens."""

    strength: Literal["strong", "small", "extractive"] = "strong"
    context_tokens: int = 128_000
    tools: bool = True
    images: bool = False
    json_schema: bool = True
    prompt_price: int = 0
    completion_price: int = 0


class ModelHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a model has been doing in this process. `p50_ms` is the median time to its first word, of its last calls."""

    name: str
    wire: str
    model: str
    state: Literal["closed", "open", "half_open"]
    calls: int
    failures: int
    p50_ms: float | None
    last_error: str | None
