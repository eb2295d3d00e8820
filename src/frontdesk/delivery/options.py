"""The section `delivery` of the system file."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from frontdesk.system.section import Env, Section


class DeliveryOptions(Section):
    """Where the desk sends news of messages that people left for a person."""

    webhook_url: Annotated[str, Env("NOTICE_WEBHOOK_URL")] = Field(
        default="", description="Gets a POST for each message that somebody leaves; empty: nobody is told."
    )
    webhook_secret: Annotated[str, Env("NOTICE_WEBHOOK_SECRET", secret=True)] = Field(
        default="", description="Signs each POST: `X-Frontdesk-Signature: sha256=…` (HMAC of the body)."
    )
    tries: PositiveInt = Field(default=8, description="How often a letter is tried, over about four hours.")
    first_wait: PositiveFloat = Field(default=60, description="Seconds before the second try; doubles with each.")
    seconds: PositiveFloat = Field(default=15, description="When a try is given up.")

    @field_validator("webhook_url")
    @classmethod
    def _is_web(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("a webhook is an http(s) address")
        return url
