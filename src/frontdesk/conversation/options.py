"""The section `conversation` of the system file."""

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from frontdesk.system.section import Section


class ModerationRule(Section):
    """Text that the desk does not answer: a regular expression and the words of the refusal."""

    pattern: str = Field(description="A regular expression; case does not count.")
    reply: str = Field(description="What the desk says instead of an answer.")


class ConversationOptions(Section):
    """How a turn is made."""

    instructions: str = Field(
        default="You are the front desk. Answer briefly, kindly and plainly, in the language of the question.",
        description="What every model is told about its role.",
    )
    history_messages: PositiveInt = Field(default=20, description="How many messages of the branch a model reads.")
    remember_people: bool = Field(default=True, description="Keep facts that people tell about themselves.")
    quote_confidence: float = Field(
        default=0.5, ge=0, le=1, description="From which search confidence on the owner's words are quoted."
    )
    tool_rounds: PositiveInt = Field(default=8, description="How often a model may call tools in one turn.")
    approval_seconds: PositiveFloat = Field(
        default=600, description="How long a tool call waits for a person's approval."
    )
    turn_seconds: PositiveFloat = Field(default=600, description="When a turn is ended with an apology.")
    lease_seconds: PositiveFloat = Field(
        default=15, description="After which silence another process takes a turn over."
    )
    stream_pace: NonNegativeFloat = Field(
        default=0.1, description="Seconds that streamed words wait for more before they are stored and shown together."
    )
    parallel_turns: PositiveInt = Field(default=64, description="Turns that one process works on at once.")
    most_waiting: PositiveInt = Field(
        default=1000, description="Turns in hand beyond which new messages are turned away for a while."
    )
    guards: list[str] = Field(default=["secrets", "pii", "moderation"], description="Plug-ins of `frontdesk.guards`.")
    moderation: list[ModerationRule] = Field(default=[], description="What is refused, and with which words.")
