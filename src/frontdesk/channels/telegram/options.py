"""The section `telegram` of the system file."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, SecretStr, field_validator

from frontdesk.system.section import Env, Section

TOKEN = re.compile(r"\d{1,20}:[\w-]{1,100}", re.ASCII)
WEBHOOK_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


def _token(token: SecretStr) -> SecretStr:
    if token.get_secret_value() and not TOKEN.fullmatch(token.get_secret_value()):
        raise ValueError("a bot's token looks like `110201543:AAHdqTcv…`: number, colon, letters")
    return token


def _secret(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value() and not WEBHOOK_SECRET.fullmatch(secret.get_secret_value()):
        raise ValueError("a webhook's secret has 1 to 256 of the characters A-Z, a-z, 0-9, _ and -")
    return secret


class TypingOptions(Section):
    """How typing is played before a reply."""

    simulated: Annotated[bool, Env("TELEGRAM_TYPING")] = Field(
        default=True, description="Show “typing…” for a time that fits the reply's length."
    )
    per_second: PositiveFloat = Field(default=25, description="Characters that are typed in a second.")
    least: NonNegativeFloat = Field(default=0.8, description="The shortest time of typing, in seconds.")
    most: PositiveFloat = Field(default=8, description="The longest time of typing, in seconds.")
    renew: PositiveFloat = Field(default=4, lt=5, description="Seconds between signals; Telegram shows one for 5.")


class RateOptions(Section):
    """Telegram's own rates for a bot, kept by all processes together."""

    chat_per_second: PositiveInt = Field(default=1, description="Messages a second into one chat.")
    all_per_second: PositiveInt = Field(default=30, description="Messages a second in all.")
    group_per_minute: PositiveInt = Field(default=20, description="Messages a minute into one group.")


class TelegramOptions(Section):
    """A bot on Telegram. Without a token there is none."""

    bot_token: Annotated[SecretStr, Env("TELEGRAM_BOT_TOKEN", secret=True), AfterValidator(_token)] = Field(
        default=SecretStr(""), description="The bot's token, from @BotFather."
    )
    webhook_url: Annotated[str, Env("TELEGRAM_WEBHOOK_URL")] = Field(
        default="", description="Where Telegram posts updates: `https://desk.example/webhook`. Empty: the desk polls."
    )
    webhook_secret: Annotated[
        SecretStr, Env("TELEGRAM_WEBHOOK_SECRET", secret=True, ours=True), AfterValidator(_secret)
    ] = Field(
        default=SecretStr(""), description="What each post must carry in its header; made from SECRET_KEY when empty."
    )
    api_url: Annotated[str, Env("TELEGRAM_API_URL")] = Field(
        default="https://api.telegram.org", description="The Bot API, or a server that plays it."
    )
    mode: Annotated[Literal["auto", "webhook", "polling"], Env("TELEGRAM_MODE")] = Field(
        default="auto", description="How updates come; `auto`: by webhook where there is an address, else by polling."
    )
    merge: bool = Field(
        default=True, description="A new message takes the place of an unanswered one: one reply answers both."
    )
    previews: bool = Field(default=True, description="Show replies as they are written, in private chats.")
    groups: Literal["mention", "always", "never"] = Field(
        default="mention", description="In groups, answer when named, replied to or commanded; or always; or never."
    )
    feedback: bool = Field(default=True, description="Put thumbs under replies.")
    messages_per_minute: PositiveInt = Field(default=20, description="Messages that one person may write in a minute.")
    largest_file: PositiveInt = Field(
        default=10_000_000, le=20_000_000, description="Bytes of a file that is fetched; Telegram hands out 20 MB."
    )
    typing: TypingOptions = TypingOptions()
    rates: RateOptions = RateOptions()

    @field_validator("webhook_url", "api_url")
    @classmethod
    def _is_web(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("this is an http(s) address")
        return url.rstrip("/")

    @property
    def enabled(self) -> bool:
        """Whether there is a bot."""
        return bool(self.bot_token.get_secret_value())

    @property
    def polls(self) -> bool:
        """Whether updates are fetched, not posted."""
        return self.mode == "polling" or (self.mode == "auto" and not self.webhook_url)
