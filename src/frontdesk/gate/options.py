"""The section `gate` of the system file: who may come in, and how."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from frontdesk.gate.origins import exact_origin
from frontdesk.system.section import Env, Section

MEGABYTE = 1024 * 1024
PLACEHOLDERS = ("your-secret-key-here", "your-jwt-secret-key-here", "change-me", "changeme", "secret")


class GateOptions(Section):
    """Sign-in, origins, limits and sizes."""

    visitors: bool = Field(False, description="Let people chat without signing in.")
    local_sign_in: bool = Field(True, description="Offer sign-in by e-mail address and password.")
    public_url: Annotated[str, Env("PUBLIC_URL")] = Field(
        "", description="Where people reach the desk, like `https://desk.example`; empty: as each request says."
    )
    allowed_origins: Annotated[list[str], Env("ALLOWED_ORIGINS")] = Field(
        default_factory=list[str],
        description="Other origins whose pages may call the desk, each `scheme://host[:port]`.",
    )
    trusted_proxies: Annotated[list[str], Env("TRUSTED_PROXIES")] = Field(
        default_factory=list[str],
        description="Networks of the proxies whose `X-Forwarded-*` headers count, like `10.0.0.0/8`.",
    )

    sign_up_domains: list[str] = Field(
        default_factory=list[str],
        description="E-mail domains whose people may join through a provider without an invitation.",
    )
    sign_up_emails: list[str] = Field(
        default_factory=list[str],
        description="E-mail addresses that may join through a provider without an invitation.",
    )
    google_client_id: Annotated[str, Env("GOOGLE_CLIENT_ID")] = Field(
        "", description="Id of the desk's OAuth client at Google; with its secret, people can sign in with Google."
    )
    google_client_secret: Annotated[SecretStr, Env("GOOGLE_CLIENT_SECRET", secret=True)] = Field(
        SecretStr(""), description="That client's secret."
    )
    github_client_id: Annotated[str, Env("GITHUB_CLIENT_ID")] = Field(
        "", description="Id of the desk's OAuth app at GitHub; with its secret, people can sign in with GitHub."
    )
    github_client_secret: Annotated[SecretStr, Env("GITHUB_CLIENT_SECRET", secret=True)] = Field(
        SecretStr(""), description="That app's secret."
    )
    oidc_issuer: Annotated[str, Env("OIDC_ISSUER")] = Field(
        "", description="Any OpenID Connect issuer, whose `/.well-known/openid-configuration` tells the rest."
    )
    oidc_name: Annotated[str, Env("OIDC_NAME")] = Field("Single sign-on", description="What its button says.")
    oidc_client_id: Annotated[str, Env("OIDC_CLIENT_ID")] = Field(
        "", description="Id of the desk's client at that issuer."
    )
    oidc_client_secret: Annotated[SecretStr, Env("OIDC_CLIENT_SECRET", secret=True)] = Field(
        SecretStr(""), description="That client's secret."
    )

    secret_key: Annotated[
        SecretStr,
        Env("SECRET_KEY", secret=True, ours=True, required_in_production=True, placeholders=PLACEHOLDERS, shortest=32),
    ] = Field(SecretStr(""), description="Signs cookies and the audit log; made at first start when empty.")
    jwt_secret_key: Annotated[
        SecretStr,
        Env("JWT_SECRET", secret=True, ours=True, placeholders=PLACEHOLDERS),
        Env(
            "JWT_SECRET_KEY",
            secret=True,
            ours=True,
            required_in_production=True,
            placeholders=PLACEHOLDERS,
            shortest=32,
        ),
    ] = Field(SecretStr(""), description="Signs access tokens; made at first start when empty.")
    access_minutes: int = Field(15, ge=1, le=60, description="How long an access token lives.")
    session_days: int = Field(30, ge=1, le=365, description="How long a session lives at most.")

    rate_limit_enabled: Annotated[bool, Env("RATE_LIMIT_ENABLED")] = Field(
        True, description="Count calls and refuse those beyond the limits."
    )
    rate_limit_per_minute: Annotated[int, Env("RATE_LIMIT_PER_MINUTE")] = Field(
        60, ge=1, description="Calls a minute of one person, or of one address where nobody is signed in."
    )
    rate_limit_per_hour: Annotated[int, Env("RATE_LIMIT_PER_HOUR")] = Field(
        1000, ge=1, description="The same for an hour."
    )

    max_body_bytes: int = Field(10 * MEGABYTE, ge=1024, description="The largest request body.")
    max_upload_bytes: int = Field(10 * MEGABYTE, ge=1024, description="The largest request body of a file upload.")
    body_seconds: float = Field(30.0, gt=0, description="How long a request body may take to arrive.")

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, origins: list[str]) -> list[str]:
        return [exact_origin(origin) for origin in origins]

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: list[str]) -> list[str]:
        return [str(ip_network(network)) for network in networks]

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError("A public URL begins with https:// (or http:// on one machine)")
        return url.rstrip("/")

    @property
    def session_lifetime(self) -> timedelta:
        """How long a session lives at most."""
        return timedelta(days=self.session_days)
