"""Backups on a server: every day, into a volume that no other service has, sealed by a key that is no container's."""

from frontdesk.render import backups
from frontdesk.render.compose.naming import Part
from frontdesk.render.docker import BACKUPS
from frontdesk.system.layout.plan import SECRETS, Plan

VOLUME = "backups"


def kept(plan: Plan) -> Part:
    """What a service gets that makes backups."""
    wanted = backups.secrets(plan)
    return {
        "environment": {"BACKUP_FOLDER": BACKUPS, **{f"{name}_FILE": f"{SECRETS}/{name}" for name in wanted}},
        "volumes": [f"{VOLUME}:{BACKUPS}"],
        "secrets": list(wanted),
    }
