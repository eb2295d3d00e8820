"""The section `widget` of the system file: the sites whose pages show the desk's chat, and how it looks there."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from frontdesk.gate.origins import exact_origin
from frontdesk.system.section import NamedSecret, Section

SHORTEST_SECRET = 32  # characters

Words = Annotated[str, Field(min_length=1, max_length=100)]


class PreChatField(Section):
    """A question of the form before the first message. The answers to `name` and to kind `email` say who writes."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="What programs call it; `name` is the person's.")
    label: Words = Field(description="The question as people read it.")
    kind: Literal["text", "email", "choice"] = Field("text", description="What an answer looks like.")
    required: bool = Field(False, description="Whether nobody chats without an answer.")
    choices: tuple[Words, ...] = Field((), max_length=20, description="The answers of a `choice`.")

    @model_validator(mode="after")
    def _choices_of_a_choice(self) -> "PreChatField":
        if (self.kind == "choice") != bool(self.choices):
            raise ValueError("A field of kind choice needs choices, and no other field has them")
        return self


class Site(Section):
    """A site that shows the widget."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Names it in the script tag: `data-site`.")
    name: str = Field("", max_length=100, description="What the chat is called there; empty: the desk's name.")
    origins: tuple[str, ...] = Field(
        min_length=1, max_length=50, description="Whose pages may show it, each exactly `scheme://host[:port]`."
    )
    greeting: str = Field("", max_length=300, description="The first line of an empty chat; empty: the desk's.")
    suggestions: tuple[Words, ...] = Field((), max_length=6, description="Questions offered to begin with.")
    label: Words = Field("Ask us", description="What the launcher says.")
    accent: str = Field(
        "#7d580c", pattern=r"^#[0-9a-fA-F]{6}$", description="Its colour; the text on it is black or white."
    )
    position: Literal["left", "right"] = Field("right", description="The lower corner where it stands.")
    pre_chat: tuple[PreChatField, ...] = Field((), max_length=8, description="Asked before the first message.")
    identity: str | None = Field(
        None,
        pattern=r"^[A-Z][A-Z0-9_]{0,80}$",
        description="The variable (NAME_FILE too) with the secret by which the site's server says who its visitor is.",
    )
    require_identity: bool = Field(
        False, description="Chat with nobody but visitors whom the site's server vouches for."
    )

    @field_validator("origins")
    @classmethod
    def _exact(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(exact_origin(origin) for origin in origins)

    @field_validator("pre_chat")
    @classmethod
    def _one_of_each(cls, fields: tuple[PreChatField, ...]) -> tuple[PreChatField, ...]:
        if len({field.name for field in fields}) < len(fields):
            raise ValueError("Two fields of the form have the same name")
        return fields

    @model_validator(mode="after")
    def _can_vouch(self) -> "Site":
        if self.require_identity and not self.identity:
            raise ValueError("require_identity needs identity, the variable with the site's secret")
        return self

    @property
    def on_accent(self) -> str:
        """Black or white, whichever is easier to read on the accent: at least 4.58 to 1 on any colour.

        Relative luminance as in WCAG 2.2; the two contrasts are equal at a luminance of 0.179.
        """
        channels = [int(self.accent[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels)
        return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "#ffffff"


class WidgetOptions(Section):
    """A chat on the pages of other sites. Without sites there is none."""

    sites: tuple[Site, ...] = Field((), max_length=100, description="The sites that show it.")

    @field_validator("sites")
    @classmethod
    def _one_of_each(cls, sites: tuple[Site, ...]) -> tuple[Site, ...]:
        if len({site.id for site in sites}) < len(sites):
            raise ValueError("Two sites have the same id")
        return sites

    def named_secrets(self) -> Iterator[NamedSecret]:
        """Those by which sites' servers say who their visitors are."""
        for site in self.sites:
            if site.identity is not None:
                yield NamedSecret(
                    variable=site.identity,
                    of=f"the widget's site {site.id!r} signs its visitors' names with it",
                    shortest=SHORTEST_SECRET,
                    ours=True,
                    hint=f"Make one with `openssl rand -hex {SHORTEST_SECRET}`, and give it to the site's server too.",
                )
