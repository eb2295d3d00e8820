"""Backups on a server: every day, into a volume that no other service has, sealed by a key that is no container's."""

from frontdesk.render import backups
from frontdesk.render.compose.naming import Part
from frontdesk.render.docker import BACKUPS
from frontdesk.system.layout.plan import SECRETS, Plan

VOLUME = "backups"


def source(plan: Plan) -> str:
    """The folder of this machine that is the second place; a variable moves it. Empty: it is none."""
    second = backups.second_folder(plan)
    return f"${{BACKUP_REMOTE_FOLDER:-{second}}}" if second else ""


def kept(plan: Plan) -> Part:
    """What a service gets that makes backups. Into a folder that Docker made nobody could write."""
    wanted, second = backups.secrets(plan), backups.second_folder(plan)
    bound: Part = {"type": "bind", "source": source(plan), "target": second, "bind": {"create_host_path": False}}
    return {
        "environment": {"BACKUP_FOLDER": BACKUPS, **{f"{name}_FILE": f"{SECRETS}/{name}" for name in wanted}},
        "volumes": [f"{VOLUME}:{BACKUPS}", *([bound] if second else [])],
        "secrets": list(wanted),
    }
