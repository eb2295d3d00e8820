"""What making backups needs where several services of a system may make them: whoever is first on a day does."""

from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import Plan

KEY = "BACKUP_KEY"
BUCKET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ROLES = ("all", "web", "worker")  # of the services that may make one


def secrets(plan: Plan) -> tuple[str, ...]:
    """The secrets that it needs beyond the desk's own."""
    return (KEY, *(BUCKET if _remote(plan).startswith("s3://") else ()))


def second_folder(plan: Plan) -> str:
    """The folder of another disk to which each is copied; empty: it is a bucket, or there is none."""
    return "" if _remote(plan).startswith("s3://") else _remote(plan)


def _remote(plan: Plan) -> str:
    return plan.system.section(BackupOptions).remote
