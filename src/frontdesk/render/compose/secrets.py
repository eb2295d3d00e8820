"""The script that makes the secrets which are the system's own, before anything starts."""

from collections.abc import Iterator, Mapping

from frontdesk.render import backups, nginx, store_commands
from frontdesk.render.compose import backups as compose_backups
from frontdesk.render.compose import observing, stores
from frontdesk.render.compose.naming import EDGE_UID, SECRETS_FOLDER
from frontdesk.render.observability.parts import GRAFANA_PASSWORD
from frontdesk.render.store_commands import POSTGRES_SECRET, REDIS_SECRET
from frontdesk.system.layout.plan import USER, Plan


def readers(plan: Plan) -> Mapping[str, tuple[str, ...]]:
    """The secrets of each service of Compose that reads any."""
    found = {running.name: running.secrets for running in plan.services if running.secrets}
    return {**stores.secrets(plan), **found}


def names(plan: Plan) -> tuple[str, ...]:
    """Every secret, in a steady order."""
    return tuple(dict.fromkeys(name for read in readers(plan).values() for name in read))


def script(plan: Plan) -> str:
    """A shell script: random values for what nobody else must know, empty files for what is somebody else's to give."""
    wanted = dict.fromkeys((*names(plan), *backups.secrets(plan), *observing.secrets(plan)))
    ours = [name for name in wanted if _ours(plan, name)]
    needed = [name for name in wanted if name in store_commands.addresses(plan)]
    given = [name for name in wanted if name not in (*ours, *needed)]
    lines = [
        _HEAD,
        *(f"random {name}" for name in ours),
        *(f"given {name}" for name in given),
        *(f"needed {name}" for name in needed),
        *([_CERTIFICATE] if plan.environment != "development" and nginx.public_services(plan) else []),
        *([_second_place(plan)] if plan.environment != "development" and backups.second_folder(plan) else []),
        'exit "$failed"',
    ]
    return "\n".join(lines) + "\n"


def _ours(plan: Plan, name: str) -> bool:
    binding = plan.secrets.get(name)
    return name in (POSTGRES_SECRET, REDIS_SECRET, GRAFANA_PASSWORD, backups.KEY) or (
        binding is not None and binding.env.ours
    )


def mounted(plan: Plan) -> Iterator[tuple[str, dict[str, str]]]:
    """Each secret and the file that holds it."""
    return ((name, {"file": f"{SECRETS_FOLDER}/{name}"}) for name in names(plan))


def _second_place(plan: Plan) -> str:
    return f"""
remote={compose_backups.source(plan)}
if [ ! -d "$remote" ]; then
  echo "$remote is missing, where backups go, too: make it on another disk, for uid {USER} to write in" >&2
  failed=1
fi
"""


_CERTIFICATE = f"""
tls=${{TLS_FOLDER:-./tls}}
mkdir -p "$tls" "${{ACME_FOLDER:-./acme}}"
if [ ! -s "$tls/tls.crt" ] || [ ! -s "$tls/tls.key" ]; then
  echo "put the certificate into $tls/tls.crt and its key into $tls/tls.key, readable by uid {EDGE_UID}:" \\
    "the edge does not start without them" >&2
fi
"""

_HEAD = """\
#!/bin/sh
# Makes the secrets of this system that are missing, and changes none that is there. Run it before the first start.
# The folder is shut to others; the files in it are readable, because the containers' users are other ones than you.
set -eu
folder=${1:-${SECRETS_FOLDER:-./secrets}}
failed=0
mkdir -p "$folder"
chmod 700 "$folder"

random() { # NAME: 64 digits that nobody has seen
  [ -s "$folder/$1" ] || head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' >"$folder/$1"
  [ "$(wc -c <"$folder/$1")" -ge 16 ] || { echo "$folder/$1 is too short" >&2; failed=1; }
  chmod 444 "$folder/$1"
}

needed() { # NAME: the address of a store that is somebody else's
  [ -s "$folder/$1" ] || { : >"$folder/$1"; echo "$folder/$1 is empty: put the store's address there" >&2; failed=1; }
  chmod 444 "$folder/$1"
}

given() { # NAME: somebody else's; empty counts as not set
  [ -e "$folder/$1" ] || { : >"$folder/$1"; echo "$folder/$1 is empty: put $1 there if you use it" >&2; }
  chmod 444 "$folder/$1"
}
"""
