"""PostgreSQL, PgBouncer and Valkey or Redis of the distribution, as the services of a system need them."""

from collections.abc import Iterator, Mapping

from frontdesk.render import store_commands
from frontdesk.render.places import HERE, Machine, place_of
from frontdesk.render.store_commands import POSTGRES_SECRET, REDIS_SECRET
from frontdesk.system.layout.plan import Plan
from frontdesk.system.layout.stores import Pooler, Postgres, Redis, Setting

SCRIPT, POOLER_SCRIPT, POOLER_CONFIGURATION = "stores.sh", "pooler.sh", "pgbouncer.ini"
KEPT = ("dir", "port")  # settings of Redis that stay as the distribution says


def used(plan: Plan, machine: Machine) -> Mapping[str, Postgres | Redis]:
    """The stores of this host that some service needs."""
    asked = {need for running in plan.services for need in (*running.service.needs, *running.service.calls)}
    return {key: plan.stores[key] for key in machine.stores if key in asked}


def pooler_here(plan: Plan, machine: Machine) -> tuple[Pooler, Postgres] | None:
    """The pooler that stands before this host's PostgreSQL."""
    store = used(plan, machine).get("postgres")
    return (store.pooler, store) if isinstance(store, Postgres) and store.pooler else None


def files(plan: Plan, machine: Machine, folder: str) -> Iterator[tuple[str, str]]:
    """The script that sets the stores up, and what it reads."""
    stores = used(plan, machine)
    if stores:
        yield SCRIPT, _script(plan, machine, stores, folder)
    for key, store in stores.items():
        if isinstance(store, Redis):
            yield f"{key}.conf", _redis(plan, key, store)


def pooler_files(plan: Plan, machine: Machine, folder: str) -> Mapping[str, str]:
    """What the pooler is started with, where there is one."""
    found = pooler_here(plan, machine)
    if found is None:
        return {}
    pooler, store = found
    listens = "*" if _reached_from_afar(plan, "postgres") else HERE
    script = store_commands.pooler_script(store, f"{folder}/{POOLER_CONFIGURATION}", "$CREDENTIALS_DIRECTORY")
    return {
        POOLER_CONFIGURATION: store_commands.pooler_configuration(pooler, store, host=HERE, listens=listens),
        POOLER_SCRIPT: f"#!/bin/sh\n# shellcheck disable=SC3045 # Debian's sh has ulimit -n\n{script}\n",
    }


def _reached_from_afar(plan: Plan, key: str) -> bool:
    """Whether a service of another host needs a store."""
    here = place_of(plan, key)
    callers = (each for each in plan.services if key in (*each.service.needs, *each.service.calls))
    return any(place_of(plan, each.key) != here for each in callers)


def _script(plan: Plan, machine: Machine, stores: Mapping[str, Postgres | Redis], folder: str) -> str:
    lines = [_HEAD.format(plan=plan.name)]
    for key, store in stores.items():
        if isinstance(store, Postgres):
            lines.append(_postgres(plan, key, store, folder))
        else:
            lines.append(_REDIS.format(plan=plan.name, key=key, password=f"{folder}/secrets/{REDIS_SECRET}"))
    if pooler_here(plan, machine):
        lines.append(_POOLER)
    return "\n".join(lines)


def _postgres(plan: Plan, key: str, store: Postgres, folder: str) -> str:
    settings = dict(store_commands.postgres_settings(store))
    if "shared_buffers" not in store.settings:
        settings.pop("shared_buffers", None)  # follows from a container's limit, which is no bound here
    afar = _reached_from_afar(plan, key)
    if afar:
        settings["listen_addresses"] = "*"
    changes = "\n".join(f"ALTER SYSTEM SET {name} = {_sql(value)};" for name, value in settings.items())
    made = _POSTGRES.format(
        password=f"{folder}/secrets/{POSTGRES_SECRET}",
        port=store.port,
        user=store.user,
        database=store.database,
        changes=changes,
    )
    let_in = _LET_IN.format(database=store.database, user=store.user) if afar else ""
    return made + let_in + _RESTARTED


def _sql(value: Setting) -> str:
    """A value for ALTER SYSTEM, which takes the parts of a list one by one."""
    parts = store_commands.word(value).split(",")
    return ", ".join("'{}'".format(part.strip().replace("'", "''")) for part in parts)


def _redis(plan: Plan, key: str, store: Redis) -> str:
    settings = {name: said for name, said in store_commands.redis_settings(store).items() if name not in KEPT}
    if _reached_from_afar(plan, key):
        settings["bind"] = "* -::*"
    lines = [f"{name} {store_commands.redis_word(value)}" for name, value in settings.items()]
    return "\n".join([f"# {store.name} of {plan.name}: the password is added where it is installed", *lines]) + "\n"


_HEAD = """\
#!/bin/sh
# PostgreSQL, Valkey or Redis of this host as {plan} needs them: users, passwords, settings.
# install.sh runs it, as root. It changes nothing that is as it should be.
set -eu
cd "$(dirname "$0")"
"""

_POSTGRES = """\
command -v psql >/dev/null || {{ echo "PostgreSQL is missing here: apt-get install postgresql" >&2; exit 1; }}

ask() ( # the server, as its own superuser; the password comes by a variable that psql alone reads
  cd /
  FRONTDESK_PASSWORD=$(cat {password}) runuser -u postgres -- \\
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --port {port} --dbname postgres "$@"
)

ask --set user={user} --set database={database} <<'END'
\\getenv password FRONTDESK_PASSWORD
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SELECT format('CREATE ROLE %I', :'user') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'user') \\gexec
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', :'user', :'password') \\gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'user')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \\gexec
{changes}
END
"""

_LET_IN = """\
allowed="host {database} {user} samenet scram-sha-256" # the other hosts of the system stand in this one's networks
rules=$(ask --command 'SHOW hba_file')
grep -qxF "$allowed" "$rules" || echo "$allowed" >>"$rules"
"""

_RESTARTED = """\
ask --command 'SELECT pg_reload_conf()' --command 'SELECT pg_sleep(1)' >/dev/null
[ "$(ask --command 'SELECT count(*) FROM pg_settings WHERE pending_restart')" = 0 ] || systemctl restart postgresql
"""

_REDIS = """\
server=
for name in valkey redis; do
  [ ! -f "/etc/$name/$name.conf" ] || {{ server=$name; break; }}
done
[ -n "$server" ] || {{ echo "Valkey is missing here: apt-get install valkey-server, or redis-server" >&2; exit 1; }}

ours=/etc/$server/{plan}-{key}.conf
(umask 077; {{ cat {key}.conf; printf 'requirepass "%s"\\n' "$(cat {password})"; }} >"$ours.new")
chown "root:$server" "$ours.new"
chmod 0640 "$ours.new"
if ! grep -qxF "include $ours" "/etc/$server/$server.conf"; then
  printf '\\ninclude %s\\n' "$ours" >>"/etc/$server/$server.conf"
  : >"$ours"
fi
if cmp -s "$ours.new" "$ours"; then
  rm "$ours.new"
else
  mv "$ours.new" "$ours"
  systemctl restart "$server-server"
fi
"""

_POOLER = """\
command -v pgbouncer >/dev/null || { echo "PgBouncer is missing here: apt-get install pgbouncer" >&2; exit 1; }
systemctl disable --quiet --now pgbouncer 2>/dev/null || true # the distribution's own would take the port
"""
