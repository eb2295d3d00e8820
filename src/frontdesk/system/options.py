"""Sections that belong to the house as a whole: the desk itself, where it listens, its stores, its telemetry."""

import re
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr

from frontdesk.system.section import Env, Section


def _database(url: str) -> str:
    if url and not url.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+asyncpg://")):
        raise ValueError("a database is `postgresql://user:password@host/name` or `sqlite:///file`")
    return url.replace("postgres://", "postgresql://", 1) if url.startswith("postgres://") else url


def _upper(word: object) -> object:
    return word.upper() if isinstance(word, str) else word


def _redis(url: str) -> str:
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("a Redis address is `redis://host:6379/0`")
    return url


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query):
        raise ValueError("an address is `http://host:port`, without a path")
    return url.rstrip("/")


def _sealing_key(key: SecretStr) -> SecretStr:
    text = key.get_secret_value()
    if text and len(text.encode()) != 32 and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("a key is 32 characters, or the 64 digits that `openssl rand -hex 32` prints")
    return key


SealingKey = Annotated[SecretStr, AfterValidator(_sealing_key)]
Port = Annotated[int, Field(ge=0, le=65535)]


class DeskOptions(Section):
    """What the desk is called, how it greets, and in which environment it stands."""

    name: Annotated[str, Env("APP_NAME")] = Field(
        default="Frontdesk",
        min_length=1,
        max_length=100,
        description="What the desk is called.",
    )
    greeting: str = Field(default="How can I help?", description="The first line of an empty chat.")
    suggestions: tuple[str, ...] = Field(default=(), max_length=8, description="Questions offered to begin with.")
    environment: Annotated[Literal["development", "staging", "production"], Env("NODE_ENV"), Env("ENVIRONMENT")] = (
        Field(default="development", description="Production refuses placeholders, missing secrets and DEBUG.")
    )
    debug: Annotated[bool, Env("DEBUG")] = Field(default=False, description="Tracebacks in the log.")


class HttpOptions(Section):
    """Where the desk listens."""

    host: Annotated[str, Env("HOST")] = Field(default="127.0.0.1", description="0.0.0.0 listens on every address.")
    port: Annotated[Port, Env("AI_ORCHESTRATION_PORT"), Env("PORT")] = Field(
        default=8000, description="API and pages; 0 takes a free port."
    )
    frontend_port: Annotated[Port | None, Env("FRONTEND_PORT")] = Field(
        default=None, description="A second port that serves the same."
    )
    example_tools_port: Annotated[Port | None, Env("MCP_EXAMPLE_PORT")] = Field(
        default=None, description="Also run the example MCP server, here."
    )
    drain_seconds: PositiveInt = Field(default=60, description="How long running streams may go on after a stop.")
    upstream_url: Annotated[str, Env("ORCHESTRATOR_URL"), AfterValidator(_origin)] = Field(
        default="", description="For the role `frontend`: who answers what is no page, like `http://orchestrator:8000`."
    )
    upstream_seconds: PositiveInt = Field(
        default=300, description="For the role `frontend`: how long that may be silent before the call is given up."
    )


class StoreOptions(Section):
    """The database. Without an address it is a SQLite file in the desk's home."""

    url: Annotated[str, Env("DATABASE_URL", secret=True), AfterValidator(_database)] = Field(
        default="", description="`postgresql://user:password@host/name` or `sqlite:///file`; empty: a file in the home."
    )
    host: Annotated[str, Env("DB_HOST")] = Field(
        default="", description="PostgreSQL's host, where its address is given in parts instead of by `url`."
    )
    port: Annotated[Port, Env("DB_PORT")] = Field(default=5432, description="Its port.")
    name: Annotated[str, Env("DB_NAME")] = Field(default="frontdesk", description="The database's name.")
    user: Annotated[str, Env("DB_USER")] = Field(default="frontdesk", description="Who the desk is there.")
    password: Annotated[
        str, Env("POSTGRES_PASSWORD", secret=True, ours=True), Env("DB_PASSWORD", secret=True, ours=True)
    ] = Field(default="", description="That user's password.")
    pool_size: Annotated[PositiveInt, Env("DATABASE_POOL_SIZE"), Env("DB_POOL_SIZE")] = Field(
        default=20, description="Connections of a process to PostgreSQL for messages and turns, opened when needed."
    )
    max_overflow: Annotated[int, Env("DATABASE_MAX_OVERFLOW"), Env("DB_MAX_OVERFLOW")] = Field(
        default=40, ge=0, description="The same for everything else: the console, searches, upkeep."
    )

    @property
    def address(self) -> str:
        """The database's address, from `url` or its parts; empty when neither is given."""
        if self.url or not self.host:
            return self.url
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{quote(self.user, safe='')}{secret}@{self.host}:{self.port}/{quote(self.name, safe='')}"

    encryption_key: Annotated[
        SealingKey, Env("ENCRYPTION_KEY", secret=True, ours=True, required_in_production=True, shortest=32)
    ] = Field(
        default=SecretStr(""),
        description="Seals people's words in the database: 32 characters; made at first start when empty.",
    )
    encryption_keys_old: Annotated[tuple[SealingKey, ...], Env("ENCRYPTION_KEYS_OLD", secret=True)] = Field(
        default=(), description="Former keys, with which older text can still be read."
    )


class RetentionOptions(Section):
    """What the desk forgets by itself, in days."""

    conversations_days: PositiveInt | None = Field(
        default=None,
        description="A conversation after its last message, with its files; empty: kept until somebody erases it.",
    )
    turn_events_days: PositiveInt = Field(default=1, description="The steps of finished answers; their text stays.")
    updates_days: Annotated[int, Field(ge=2)] = Field(
        default=2, description="What channels told; Telegram repeats an update for a day."
    )
    letters_days: PositiveInt = Field(default=30, description="Letters that were sent or given up.")
    usage_days: PositiveInt = Field(default=400, description="Which models were used, and what that cost.")


class RedisOptions(Section):
    """Redis or Valkey: limits shared by several processes. Without an address each process counts for itself."""

    url: Annotated[str, Env("REDIS_URL", secret=True), AfterValidator(_redis)] = Field(
        default="", description="The address, like `redis://host:6379/0`; empty: no Redis."
    )
    password: Annotated[str, Env("REDIS_PASSWORD", secret=True, ours=True)] = Field(
        default="", description="Its password, if the address holds none."
    )
    max_connections: Annotated[PositiveInt, Env("REDIS_MAX_CONNECTIONS")] = Field(
        default=100, description="Connections that a process may hold to it."
    )
    ssl: Annotated[bool, Env("REDIS_SSL")] = Field(
        default=False, description="Speak TLS even if the address says redis://."
    )

    @property
    def address(self) -> str:
        """The address with password and TLS put in; empty when there is no Redis."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("redis", "rediss"):
            return self.url
        place = parts.netloc
        if self.password and parts.password is None:
            place = f"{quote(parts.username or '')}:{quote(self.password, safe='')}@{place.rpartition('@')[2]}"
        return urlunsplit(parts._replace(scheme="rediss" if self.ssl else parts.scheme, netloc=place))


class TelemetryOptions(Section):
    """Logs, metrics and traces."""

    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper), Env("LOG_LEVEL")] = (
        Field(default="INFO", description="The least important lines that are logged.")
    )
    metrics: Annotated[bool, Env("PROMETHEUS_ENABLED"), Env("METRICS_ENABLED")] = Field(
        default=True, description="Serve /metrics."
    )
    metrics_port: Annotated[Port | None, Env("METRICS_PORT")] = Field(
        default=None,
        description="A port for the metrics alone, of the first process; the next ones take the ports after it.",
    )
    otlp_endpoint: Annotated[str, Env("OTEL_EXPORTER_OTLP_ENDPOINT")] = Field(
        default="", description="Where traces go by OTLP over HTTP (`http://collector:4318`); empty: nowhere."
    )
    sentry_dsn: Annotated[SecretStr, Env("SENTRY_DSN", secret=True)] = Field(
        default=SecretStr(""), description="Where errors are told, without anybody's words; empty: nowhere."
    )
    sentry_environment: Annotated[str, Env("SENTRY_ENVIRONMENT")] = Field(
        default="", description="The environment that errors are told under; empty: the desk's own."
    )
