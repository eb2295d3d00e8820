"""Backups on a server: every day, into a volume that no other service has, sealed by a key that is no container's."""

from frontdesk.render.compose.naming import Part
from frontdesk.render.docker import BACKUPS
from frontdesk.system.backup import BackupOptions
from frontdesk.system.layout.plan import SECRETS, Plan

KEY = "BACKUP_KEY"
BUCKET = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
VOLUME = "backups"
ROLES = ("all", "web", "worker")  # of the services that may make one


def secrets(plan: Plan) -> tuple[str, ...]:
    """What making one needs beyond the desk's own secrets."""
    remote = plan.system.section(BackupOptions).remote
    return (KEY, *(BUCKET if remote.startswith("s3://") else ()))


def kept(plan: Plan) -> Part:
    """What a service gets that makes backups."""
    wanted = secrets(plan)
    return {
        "environment": {"BACKUP_FOLDER": BACKUPS, **{f"{name}_FILE": f"{SECRETS}/{name}" for name in wanted}},
        "volumes": [f"{VOLUME}:{BACKUPS}"],
        "secrets": list(wanted),
    }
