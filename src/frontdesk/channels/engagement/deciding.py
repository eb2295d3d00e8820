"""Questions for decisions as they come over HTTP, and their answers: bytes in, bytes out. These are hot routes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Protocol

import msgspec
from starlette.types import Receive, Scope, Send

from frontdesk.api.errors import answer as error_answer
from frontdesk.decision.explain import reasons, why_held
from frontdesk.decision.options import EngagementOptions
from frontdesk.engagement import Ask, Decision, Objective
from frontdesk.errors import BadRequest, FrontdeskError, TooLarge, Unprocessable

MOST_ASKS = 256  # in one request

Settings = Callable[[], EngagementOptions]
Given = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$")]


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What, if anything, should this customer hear?

    With an `event_id`, of an event or of your own making, the same question again gets the same decision. `context`
    replaces numbers of the customer by name. Nothing is kept of a `dry` question.
    """

    customer_id: Name
    event_id: Given | None = None
    objective: Objective | None = None
    context: dict[str, float] = {}
    dry: bool = False


class _Many(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    asks: list[msgspec.Raw]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a question of a batch has no decision."""

    code: str
    message: str
    where: str | None
    hint: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision, or why there is none."""

    decision: Decision | None = None
    error: Problem | None = None


class Answers(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for each question, in their order."""

    results: list[Answer]
    decided: int
    refused: int


_one = msgspec.json.Decoder(AskBody)
_many = msgspec.json.Decoder(_Many)
_encode = msgspec.json.Encoder().encode


class Decides(Protocol):
    """Whoever decides."""

    async def decide(self, asks: Sequence[Ask]) -> list[Decision | FrontdeskError]:
        """A durable decision for each question, or why there is none."""
        ...


class Deciding:
    """Answers questions by an engine."""

    def __init__(self, engine: Decides, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    async def one(self, body: bytes) -> bytes:
        """The decision of one question, as JSON. Raises why there is none."""
        ask = _ask(body, "body")
        if isinstance(ask, FrontdeskError):
            raise ask
        (result,) = await self._engine.decide([ask])
        if isinstance(result, FrontdeskError):
            raise result
        return _encode(shown(result, self._settings()))

    async def many(self, body: bytes) -> bytes:
        """The decisions of many, as JSON. Raises what is wrong with all of them."""
        read = [_ask(each, f"asks[{place}]") for place, each in enumerate(_asks(body))]
        made = iter(await self._engine.decide([ask for ask in read if isinstance(ask, Ask)]))
        results = [next(made) if isinstance(ask, Ask) else ask for ask in read]
        return _encode(_answers(results, self._settings()))


class Hot:
    """An ASGI endpoint without the framework's layers: they cost a decision as much as deciding does."""

    def __init__(self, act: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._act = act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._act(await _body(receive))
        except FrontdeskError as error:
            await error_answer(error, scope)(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def shown(decision: Decision, options: EngagementOptions) -> Decision:
    """The decision as it is shown: with its reasons in words, and with features where the audit is comprehensive."""
    features = decision.features if options.safety.audit_logging == "comprehensive" else ()
    said = (*why_held(decision, options), *reasons(decision))
    return msgspec.structs.replace(decision, reasons=said, features=features)


def _answers(results: Sequence[Decision | FrontdeskError], options: EngagementOptions) -> Answers:
    made = [
        Answer(error=_problem(result))
        if isinstance(result, FrontdeskError)
        else Answer(decision=shown(result, options))
        for result in results
    ]
    refused = sum(answer.error is not None for answer in made)
    return Answers(results=made, decided=len(made) - refused, refused=refused)


def _problem(error: FrontdeskError) -> Problem:
    return Problem(code=error.code, message=error.what, where=error.where, hint=error.hint)


def _asks(body: bytes) -> list[msgspec.Raw]:
    try:
        asks = _many.decode(body)
    except msgspec.ValidationError as error:
        raise Unprocessable(str(error), where="body", hint='Send {"asks": [{"customer_id": "…"}, …]}.') from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not valid JSON", where="body") from error
    if not asks.asks:
        raise Unprocessable("There is no question in the body", where="asks")
    if len(asks.asks) > MOST_ASKS:
        raise TooLarge(f"{len(asks.asks)} questions of {MOST_ASKS} in one request", where="asks")
    return asks.asks


def _ask(text: bytes | msgspec.Raw, where: str) -> Ask | FrontdeskError:
    """The question, or what is wrong with it."""
    try:
        body = _one.decode(text)
    except msgspec.ValidationError as error:
        what, _, place = str(error).partition(" - at `$")
        return Unprocessable(what, where=f"{where}{place.rstrip('`')}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return BadRequest("The body is not valid JSON", where=where)
    return Ask(
        customer_id=body.customer_id,
        event_id=body.event_id,
        objective=body.objective,
        context=body.context,
        dry=body.dry,
    )


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return body
