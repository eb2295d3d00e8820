"""Every error that a user can see: a stable code, what happened, where, and what to do.

An error is a class: its code, HTTP status and hint are facts of the class; what and where come with the instance.
The page `docs/reference/errors.md` is generated from this file.
"""

from typing import ClassVar


class FrontdeskError(Exception):
    """Base of all designed errors.

    `what` is one plain sentence; `where` a file:line, a field path, a URL or a name; `hint` the mending act.
    `problems` holds each error when one act met several.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str] = ""
    problems: "tuple[FrontdeskError, ...]" = ()

    def __init__(
        self, what: str, *, where: str | None = None, hint: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = self.default_hint if hint is None else hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.what}{place}"


# --- what came in is wrong --------------------------------------------------


class BadRequest(FrontdeskError):
    """The request cannot be understood or breaks a rule of its form."""

    code = "bad_request"
    status = 400


class Unprocessable(FrontdeskError):
    """The request has the right form but a value that cannot be used."""

    code = "unprocessable"
    status = 422


class TooLarge(FrontdeskError):
    """A body, file or message is larger than the desk takes."""

    code = "too_large"
    status = 413


class NotFound(FrontdeskError):
    """Nothing of that id exists, or it is not the caller's to see. The two are never told apart."""

    code = "not_found"
    status = 404


class TextRefused(FrontdeskError):
    """A text that a person wrote for a customer breaks a rule of its segment."""

    code = "text_refused"
    status = 422
    default_hint = "Change what the rule names, or reject the message."


class Conflict(FrontdeskError):
    """The thing has changed, or the act has been done already."""

    code = "conflict"
    status = 409


class BadFeature(Unprocessable):
    """A number that a decision would rest on is missing from every policy, or is no number."""

    code = "bad_feature"
    default_hint = "Send finite numbers only, under names that the policy knows: `frontdesk policies show ID`."


class UnknownArm(NotFound):
    """No message of the system file makes this choice at this desk."""

    code = "unknown_arm"
    default_hint = "An arm is `message/channel/slot`, as `engagement.messages` of the system file allows, or `nothing`."


class UnknownPolicy(NotFound):
    """No policy has this id, or it is one that this version of Frontdesk cannot decide by."""

    code = "unknown_policy"
    default_hint = "`frontdesk policies list` shows them all."


class EvolutionRunning(Conflict):
    """A step of evolution is asked for while another runs."""

    code = "evolution_running"
    default_hint = "Wait for it: `frontdesk evolution list` shows how it goes."


class EvolutionDisabled(Conflict):
    """Strategies do not evolve at this desk."""

    code = "evolution_disabled"
    default_hint = "Set `engagement.learning.strategy_evolution` to `testing` or `enabled`."


class NotHolder(FrontdeskError):
    """Somebody else has the conversation, or the desk itself."""

    code = "not_holder"
    status = 409
    default_hint = "Take the conversation over first."


class UnknownCustomer(NotFound):
    """No customer has this id."""

    code = "unknown_customer"
    default_hint = "PUT /api/v1/customers/{id} makes one; their first event does so too."


class UnknownDecision(NotFound):
    """No decision has this id."""

    code = "unknown_decision"
    default_hint = "Send the id that the decision, or the message that came of it, bears."


class UnknownSegment(Unprocessable):
    """The system file names no such segment."""

    code = "unknown_segment"
    default_hint = "Name one of `engagement.segments` of the system file."


class FutureEvent(Unprocessable):
    """The event says that it happened later than now."""

    code = "event_in_the_future"
    default_hint = "Send `at` in UTC, and check the sender's clock; five minutes of difference are borne."


# --- who may ----------------------------------------------------------------


class NotSignedIn(FrontdeskError):
    """No credential, or one that is wrong, expired or withdrawn."""

    code = "not_signed_in"
    status = 401
    default_hint = "Sign in, or send an API key as `Authorization: Bearer …`."


class Forbidden(FrontdeskError):
    """The caller is known, and may not do this."""

    code = "forbidden"
    status = 403
    default_hint = "Ask an owner or operator of this desk for the right."


class RateLimited(FrontdeskError):
    """The caller has used up a limit; `retry_after` says when to come back (seconds)."""

    code = "rate_limited"
    status = 429
    default_hint = "Wait until the time in Retry-After, then try again."


class BudgetSpent(FrontdeskError):
    """A budget of tokens or money is used up."""

    code = "budget_spent"
    status = 429
    default_hint = "Wait for the next period, or raise the budget in the system file."


# --- models and tools -------------------------------------------------------


class UnknownModel(FrontdeskError):
    """No model of that name is set up at this desk."""

    code = "model_not_found"
    status = 404
    default_hint = "GET /v1/models lists the names."


class ModelUnavailable(FrontdeskError):
    """No model could answer: all tried, or their circuits are open."""

    code = "model_unavailable"
    status = 503
    default_hint = "Try again in a moment; `frontdesk doctor` shows the health of each model."


class ModelRefused(FrontdeskError):
    """The provider refused this very request (bad key, bad parameter, content policy); trying again will not help."""

    code = "model_refused"
    status = 502


class ToolUnavailable(FrontdeskError):
    """The tool's server is away, or the tool is not approved."""

    code = "tool_unavailable"
    status = 503


# --- knowledge --------------------------------------------------------------


class UnreadableDocument(FrontdeskError):
    """A document cannot be read: broken, encrypted, of an unknown kind, or a bomb."""

    code = "unreadable_document"
    status = 422


class AddressRefused(FrontdeskError):
    """A fetch would reach an address that the desk must not visit (inner networks, other schemes)."""

    code = "address_refused"
    status = 422
    default_hint = "Only public http(s) addresses are fetched; an owner can allow a host under `egress.allow`."


# --- the desk itself --------------------------------------------------------


class DeskRefused(FrontdeskError):
    """A desk that is spoken to over HTTP did not take what it was given."""

    code = "desk_refused"
    status = 502
    default_hint = "It needs an API key with the scope `engagement`: frontdesk keys create --help"


class StoreUnavailable(FrontdeskError):
    """The database is away, locked or full. Nothing that was accepted is lost."""

    code = "store_unavailable"
    status = 503
    default_hint = "`frontdesk doctor` names the cause (address, disk space, another process)."


class QueueUnavailable(FrontdeskError):
    """The broker is away. What was accepted lies in the database; workers find it there within seconds."""

    code = "queue_unavailable"
    status = 503
    default_hint = "Start it, or correct CELERY_BROKER_URL or REDIS_URL."


class TranscriptionFailed(FrontdeskError):
    """What was said in a recording could not be found out."""

    code = "transcription_failed"
    status = 502
    default_hint = "Check TRANSCRIPTION_URL, TRANSCRIPTION_MODEL and the key; the service must take this kind of file."


class TelegramTokenRefused(FrontdeskError):
    """Telegram knows no bot with the configured token. What is to be sent waits."""

    code = "telegram_token_refused"
    status = 502
    exit_code = 2
    default_hint = "Set TELEGRAM_BOT_TOKEN to the token that @BotFather shows for the bot, and start again."


class StoreTooNew(FrontdeskError):
    """The database was written by a newer version of Frontdesk."""

    code = "store_too_new"
    status = 500
    exit_code = 5
    default_hint = "Install the version that wrote it, or a newer one; or restore a backup of the older version."


class WrongKey(FrontdeskError):
    """Text in the database was sealed with a key that the desk does not have, or was changed since."""

    code = "wrong_encryption_key"
    status = 500
    exit_code = 2
    default_hint = "Set ENCRYPTION_KEY to the key it was sealed with, or add that key to ENCRYPTION_KEYS_OLD."


class Overloaded(FrontdeskError):
    """More waits than the desk can answer soon. Nothing was taken; `retry_after` says when to come back (seconds)."""

    code = "overloaded"
    status = 503
    default_hint = "Try again after the time in Retry-After."


class ShuttingDown(FrontdeskError):
    """The process is draining; another one, or the same after its restart, will serve."""

    code = "shutting_down"
    status = 503


class BadSystemFile(FrontdeskError):
    """The system file has a mistake; `where` is file:line."""

    code = "bad_system_file"
    status = 500
    exit_code = 2
    default_hint = "`frontdesk check` lists every problem at once."


class BadSetting(FrontdeskError):
    """A setting or secret is missing, a placeholder, or of the wrong form; `where` is its name."""

    code = "bad_setting"
    status = 500
    exit_code = 2


class MissingExtra(FrontdeskError):
    """A part is chosen whose package is not installed."""

    code = "missing_extra"
    status = 500
    exit_code = 3


class PortInUse(FrontdeskError):
    """Another program listens on this port."""

    code = "port_in_use"
    status = 500
    exit_code = 4
    default_hint = "Choose another one with `--port`, or stop the other program."


class Usage(FrontdeskError):
    """The command line's words do not fit."""

    code = "usage"
    status = 400
    exit_code = 2
