"""The section `delivery` of the system file."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, field_validator, model_validator

from frontdesk.engagement import Channel
from frontdesk.system.section import Env, Section

Adapter = Literal["local", "in_app", "smtp", "webhook", "telegram"]
OWN: dict[Channel, Adapter] = {"in_app": "in_app", "telegram": "telegram"}  # adapters that need nothing to be set


class SmtpOptions(Section):
    """The owner's mail server."""

    host: Annotated[str, Env("SMTP_HOST")] = Field(default="", description="Its name; empty: no e-mail leaves.")
    port: Annotated[PositiveInt, Env("SMTP_PORT")] = Field(default=587, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(default="starttls", description="How the way is secured.")
    user: Annotated[str, Env("SMTP_USER")] = Field(default="", description="Whom it knows; empty: nobody signs in.")
    password: Annotated[SecretStr, Env("SMTP_PASSWORD", secret=True)] = Field(
        default=SecretStr(""), description="The word for it."
    )
    sender: Annotated[str, Env("SMTP_SENDER")] = Field(
        default="", description="From whom: `Frontdesk <desk@example.com>`."
    )
    footer: str = Field(
        default="Stop these messages: {unsubscribe}",
        description="Stands below each letter where PUBLIC_URL is set; `{unsubscribe}` is its link. Empty: nothing.",
    )


class DeliveryOptions(Section):
    """How letters leave: news of messages that people left for a person, and messages to customers."""

    webhook_url: Annotated[str, Env("NOTICE_WEBHOOK_URL")] = Field(
        default="", description="Gets a POST for each message that somebody leaves; empty: nobody is told."
    )
    webhook_secret: Annotated[str, Env("NOTICE_WEBHOOK_SECRET", secret=True, ours=True)] = Field(
        default="", description="Signs each POST: `X-Frontdesk-Signature: sha256=…` (HMAC of the body)."
    )
    tries: PositiveInt = Field(default=8, description="How often a letter is tried, over about four hours.")
    first_wait: PositiveFloat = Field(default=60, description="Seconds before the second try; doubles with each.")
    seconds: PositiveFloat = Field(default=15, description="When a try is given up.")
    lease_seconds: PositiveFloat = Field(
        default=60, description="After which silence of its sender a letter may have arrived; longer than any try."
    )
    channels: dict[Channel, Adapter] = Field(
        default={}, description="By which adapter customers are reached; others: `in_app`, `telegram`, else `local`."
    )
    messages_url: Annotated[str, Env("MESSAGES_WEBHOOK_URL")] = Field(
        default="", description="Gets a POST for each message to a customer on a channel with the adapter `webhook`."
    )
    smtp: SmtpOptions = SmtpOptions()

    def adapter(self, channel: Channel) -> Adapter:
        """The adapter of a channel."""
        return self.channels.get(channel) or OWN.get(channel, "local")

    @model_validator(mode="after")
    def _adapters_are_set_up(self) -> Self:
        used = set(self.channels.values())
        if "smtp" in used and not (self.smtp.host and self.smtp.sender):
            raise ValueError("a channel goes by smtp: set smtp.host and smtp.sender")
        if "webhook" in used and not self.messages_url:
            raise ValueError("a channel goes by webhook: set messages_url")
        if wrong := [channel for channel, adapter in self.channels.items() if adapter == "telegram" != channel]:
            raise ValueError(f"`{wrong[0]}` cannot go by telegram")
        return self

    @model_validator(mode="after")
    def _leases_outlast_tries(self) -> Self:
        if self.lease_seconds <= self.seconds:
            raise ValueError("lease_seconds must be longer than seconds, when a try is given up")
        return self

    @field_validator("webhook_url", "messages_url")
    @classmethod
    def _is_web(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("a webhook is an http(s) address")
        return url
