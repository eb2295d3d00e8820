"""The section `backup` of the system file: where copies of the desk go, when, and how long they are kept."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, SecretStr

from frontdesk.system.layout.quantities import Bytes
from frontdesk.system.options import SealingKey
from frontdesk.system.section import Env, Section

NEVER = "never"  # as a variable that is empty counts as not set
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _pattern(pattern: str) -> str:
    made = datetime(2026, 1, 5, 2, tzinfo=None).strftime(pattern)  # noqa: DTZ001 — to see what it gives
    if pattern and (not NAME.fullmatch(made) or "%" not in pattern):
        raise ValueError("a name has letters, digits, `_`, `-`, `.` and parts of the time, like desk_%Y%m%d_%H%M%S")
    return pattern


def _remote(address: str) -> str:
    if address and not address.startswith(("s3://", "/")):
        raise ValueError("a second place is `s3://bucket/prefix`, or a folder like /mnt/backups")
    return address


def _host(said: str) -> str:
    if said and not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", said):
        raise ValueError("a host is like `postgres-replica` or `10.0.0.7:5432`")
    return said


def _time_of_day(time: str) -> str:
    if time == NEVER:
        return ""
    if time and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", time):
        raise ValueError("a time of day is like 02:00; `never`: not by itself")
    return time


class Keep(Section):
    """How many backups are kept: the newest of each of the last days, weeks (from Monday) and months that have any."""

    daily: PositiveInt = Field(default=7, description="Days.")
    weekly: NonNegativeInt = Field(default=4, description="Weeks.")
    monthly: NonNegativeInt = Field(default=3, description="Months.")


class BackupOptions(Section):
    """Copies of the desk: made every day by itself where `folder` or `remote` is set, and by `frontdesk backup`."""

    folder: Annotated[str, Env("BACKUP_FOLDER")] = Field(
        default="", description="Where backups lie on this machine; empty: `backups` in the desk's home."
    )
    remote: Annotated[str, Env("BACKUP_REMOTE"), AfterValidator(_remote)] = Field(
        default="", description="A second place for each: `s3://bucket/prefix`, or a folder of another disk."
    )
    endpoint: Annotated[str, Env("BACKUP_ENDPOINT"), Env("AWS_ENDPOINT_URL_S3")] = Field(
        default="", description="The address of a bucket that is not Amazon's, like https://minio.example.com."
    )
    region: Annotated[str, Env("AWS_REGION")] = Field(default="us-east-1", description="The bucket's region.")
    access_key_id: Annotated[SecretStr, Env("AWS_ACCESS_KEY_ID", secret=True)] = Field(
        default=SecretStr(""), description="Who the desk is there; empty: the role of its machine or pod."
    )
    secret_access_key: Annotated[SecretStr, Env("AWS_SECRET_ACCESS_KEY", secret=True)] = Field(
        default=SecretStr(""), description="That key's secret."
    )
    key: Annotated[SealingKey, Env("BACKUP_KEY", secret=True, ours=True, shortest=32)] = Field(
        default=SecretStr(""),
        description="Seals backups: 32 characters, or 64 hexadecimal digits; made and kept in the home when empty.",
    )
    at: Annotated[str, Env("BACKUP_AT"), AfterValidator(_time_of_day)] = Field(
        default="02:00", description="When the desk makes one, in UTC; `never`: only `frontdesk backup create` does."
    )
    copy_host: Annotated[str, Env("BACKUP_DB_HOST"), AfterValidator(_host)] = Field(
        default="",
        description="Where a copy of the PostgreSQL server is (`host` or `host:port`): backups are read from it once it"
        " has all that the server had at their beginning, and from the server itself while it is away.",
    )
    keep_days: PositiveInt = Field(default=30, description="Days after which a backup goes, in both places.")
    keep: Keep | None = Field(default=None, description="Instead of `keep_days`: so many days, weeks and months.")
    storage: Bytes = Field(
        default=0,
        description="In a cluster: how large a volume they lie in, like `500Gi`, for as many as are kept; 0: as large"
        " as the largest store's.",
    )
    verify: bool = Field(
        default=True, description="Read each backup to its last byte when it is written, in both places."
    )
    name: Annotated[str, AfterValidator(_pattern)] = Field(
        default="",
        description="What they are called, with the time in UTC; empty: the desk's name and `_%Y%m%d_%H%M%S`.",
    )

    @property
    def by_itself(self) -> bool:
        """Whether the desk makes backups without being told."""
        return bool(self.at and (self.folder or self.remote))

    def name_of(self, moment: datetime, desk: str) -> str:
        """What the backup of that moment is called: `ai_assistant_20260105_020000`."""
        words = re.sub(r"[^a-z0-9]+", "_", desk.lower()).strip("_") or "desk"
        return moment.strftime(self.name or f"{words}_%Y%m%d_%H%M%S")
