"""Errors of building, running, keeping and releasing a system."""

from frontdesk.errors import Conflict, FrontdeskError, NotFound


class RoleNotBuilt(FrontdeskError):
    """The system file describes a service whose role this version of Frontdesk cannot run yet."""

    code = "role_not_built"
    status = 501
    default_hint = "It can be described, checked and rendered; `--skip-unbuilt` starts the others."


class UnknownService(NotFound):
    """The system file describes no such service."""

    code = "unknown_service"
    exit_code = 2
    default_hint = "`frontdesk ps` lists what runs; `services` of the system file what may."


class NotRunning(FrontdeskError):
    """Nothing of this home runs as processes of its own."""

    code = "not_running"
    status = 503
    default_hint = "Start it: frontdesk up --processes"


class AlreadyRunning(Conflict):
    """The instance runs already, or processes of it are left over."""

    code = "already_running"
    default_hint = "See what runs with `frontdesk ps`, and end it with `frontdesk down`."


class NotLookedAfter(FrontdeskError):
    """Processes run whose supervisor has gone: nobody takes orders for them or begins them anew."""

    code = "not_looked_after"
    status = 503
    default_hint = "End them with `frontdesk down`, then start again: frontdesk up --processes"


class StateDamaged(FrontdeskError):
    """The file that says which processes run was changed by hand, or is of another version of Frontdesk."""

    code = "state_damaged"
    default_hint = (
        "A supervisor that lives writes it anew within 10 s. If none does: end what `ps -ef | grep frontdesk` shows "
        "of this home, or have the other version do it; then remove the file."
    )


class OrderFailed(FrontdeskError):
    """The supervisor of a running system could not carry out an order. What it should have replaced goes on."""

    code = "order_failed"
    status = 500


class PortMoved(Conflict):
    """A release would give one service a port on which another one still answers."""

    code = "port_moved"
    default_hint = (
        "Roll twice: first a release in which nobody has that port, then this one. "
        "Or begin anew: frontdesk down, then frontdesk up --processes."
    )


class ReleaseRefused(FrontdeskError):
    """A release did worse than the one before it, which is back."""

    code = "release_refused"
    status = 500
    default_hint = "`frontdesk release list` shows both; `frontdesk logs` what the processes said."


class MissingProgram(FrontdeskError):
    """A program that this act needs is not installed."""

    code = "missing_program"
    status = 500
    exit_code = 3


class BuildFailed(FrontdeskError):
    """An image could not be built or pushed."""

    code = "build_failed"
    status = 500


class BackupFailed(FrontdeskError):
    """A backup was not made, or did not arrive where it should be. What had been written of it is gone again."""

    code = "backup_failed"
    default_hint = "The former backups are untouched: `frontdesk backup list`."


class SnapshotFailed(FrontdeskError):
    """A snapshot of a volume was not made, or an old one could not be removed."""

    code = "snapshot_failed"
    default_hint = "`kubectl get volumesnapshots` shows what there is; `kubectl describe` tells why one is not ready."


class BackupDamaged(FrontdeskError):
    """A piece of a backup is missing, or is not what it was when it was written."""

    code = "backup_damaged"
    default_hint = "Take another backup, or the same one from the other place: `frontdesk backup verify` tells which."


class NoRoom(FrontdeskError):
    """What is in a backup could not be written to a disk of this machine. That tells nothing against the backup."""

    code = "no_room"
    status = 507
    default_hint = (
        "Make room, or let the desk's user write there, and do it again: each file is there whole or not at all."
    )


class BackupForeign(FrontdeskError):
    """The backup is of another desk: another blueprint, another kind of database or other keys."""

    code = "backup_foreign"
    status = 409
    exit_code = 2
    default_hint = "Restore it into a home of its own: `--into FOLDER`."


class BackupTooNew(FrontdeskError):
    """The backup was made by a newer version of Frontdesk."""

    code = "backup_too_new"
    exit_code = 5
    default_hint = "Install the version that made it, or a newer one."


class StoreNotEmpty(Conflict):
    """A restore would replace what is there."""

    code = "store_not_empty"
    exit_code = 2
    default_hint = "Back up what is there, then restore with `--yes`."


class StoreInUse(Conflict):
    """A desk works on the database that a restore would replace."""

    code = "store_in_use"
    default_hint = "Stop the desk, then restore."


class SecretExists(Conflict):
    """A secret of that name is kept already."""

    code = "secret_exists"
    default_hint = "`frontdesk secrets rotate NAME` puts a new one in its place."


class SecretInUse(Conflict):
    """A secret cannot go or change while something uses it, or takes it from elsewhere."""

    code = "secret_in_use"
    default_hint = "`frontdesk secrets list` shows who uses which."


class PushRefused(FrontdeskError):
    """Whoever should be told of a probe's results did not take them."""

    code = "push_refused"
    status = 502
    default_hint = "`--push` names a Prometheus push gateway (port 9091), `--otlp` an OTLP collector (port 4318)."
