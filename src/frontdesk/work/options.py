"""The section `work` of the system file."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from frontdesk.system.section import Env, Section


def _broker(url: str) -> str:
    if url and not url.startswith(("redis://", "rediss://", "amqp://", "amqps://", "unix://")):
        raise ValueError("a broker is `redis://host:6379/0` or `amqp://user:password@host//`")
    return url


class WorkOptions(Section):
    """How processes hand work to each other. One process needs none of this."""

    broker_url: Annotated[str, Env("CELERY_BROKER_URL", secret=True), AfterValidator(_broker)] = Field(
        default="", description="Celery's broker (Redis, Valkey or RabbitMQ, no Redis Cluster); empty: REDIS_URL."
    )
    visibility_timeout: Annotated[PositiveInt, Env("CELERY_VISIBILITY_TIMEOUT")] = Field(
        default=3600,
        description="Told to Redis. The desk's own messages are not acknowledged, so none comes a second time.",
    )
    silent_seconds: PositiveInt = Field(
        default=15,
        description="A worker that hears nothing from a broker which answers is started anew after so many seconds.",
    )
    job_tries: PositiveInt = Field(default=5, description="How often a job is tried before it is laid with the dead.")
    job_seconds: PositiveInt = Field(default=3600, description="How long one try of a job may take.")
